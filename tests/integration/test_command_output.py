"""What commands write into pipes, and who they say did it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import pytest

from spendstream_schemas import InvalidReason
from stream_jobs.base.json_values import json_values
from stream_jobs.blocks.side_tables import quarantine_table
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.topics import ALERTS, USAGE_EVENTS
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from stream_jobs.streams.model import Block, RejectedRecord, SourcePartition, SourceRecord, Versions
from tests.integration.alerting import AlertsJob, send
from tests.integration.pipeline import until
from tests.store_server import StoreProcess
from tests.unit.alerts import build
from tests.unprivileged import NAMELESS, nameless

pytestmark = pytest.mark.slow

ALERT: Final = "budget/products.agents/search-and-rescue-of-what-was-lost/2026-11"


@pytest.fixture
def environment(broker: TansuBroker, process: StoreProcess) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    return kept | {
        "SPENDSTREAM_CLICKHOUSE_PORT": str(process.port),
        "SPENDSTREAM_CLICKHOUSE_USER": "spendstream",
        "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(process.folder / "credentials"),
        "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": broker.address,
    }


@pytest.fixture
def alerts(broker: TansuBroker, process: StoreProcess) -> Iterator[None]:
    """The job, and two open alerts."""
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(ALERTS, 1, 1, {})])
    with AlertsJob(broker.address, process, build.document()), StoreClient(process.settings) as store:
        now = datetime.now(UTC)
        first = build.signal(ALERT, labels={"team": "search"}, observed_at=now)
        send(broker.address, first.model_copy(update={"money_usd": Decimal("2.25")}))
        send(broker.address, build.signal("dq/unpriced", kind="data_quality", group="dq", observed_at=now))
        until(lambda: store.rows("SELECT uniqExact(alert_id) FROM alert_events") == [(2,)], 30, "both alerts")
        yield


def shell(command: str, environment: dict[str, str], *prefix: str) -> str:
    """What `spendstream ...`, in a shell with its pipes, prints."""
    script = f'spendstream() {{ {" ".join(prefix)} {sys.executable} -m spendstream "$@"; }}; {command}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ids_can_be_cut_out_of_a_list_and_acknowledged(alerts: None, environment: dict[str, str]) -> None:
    """`alerts list | cat` breaks no id, and what `cut` finds can be pasted into `ack`."""
    assert ALERT in shell("spendstream alerts list | cat", environment)
    found = "spendstream alerts list --kind budget | tail -n +2 | cut -f7"
    assert shell(found, environment) == f"{ALERT}\n"
    shell(f"spendstream alerts ack --by ann $({found})", environment)
    assert "acknowledged by ann" in shell("spendstream alerts list | cat", environment)


def test_amounts_and_instants_in_json_have_one_form(alerts: None, environment: dict[str, str]) -> None:
    """Zero has no exponent and every instant an offset: in a list, in the details, and in an answer to SQL."""
    rows = [json.loads(line) for line in shell("spendstream alerts list --json", environment).splitlines()]
    assert {row["money_usd"] for row in rows} == {"2.25", "0"}
    details = json.loads(shell("spendstream alerts show dq/unpriced --json", environment))
    for found in (*rows, details["alert"], *details["history"]):
        for name, value in found.items():
            if name == "at" or name.endswith("_at"):
                assert value is None or datetime.fromisoformat(value).tzinfo is not None, (name, value)
        assert "E" not in str(found["money_usd"])
    values = {"zero": Decimal(0), "some": Decimal("2.5"), "at": datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)}
    sql = (
        "SELECT toDecimal128(0, 12) AS zero, toDecimal128('2.5', 12) AS some, "
        "toDateTime64('2026-03-01 12:00:00.25', 6, 'UTC') AS at"
    )
    assert json.loads(shell(f'spendstream query --json "{sql}"', environment)) == json_values(values)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_user_without_a_name_acknowledges(alerts: None, environment: dict[str, str]) -> None:
    """As in a container that is given a uid: nothing crashes after the request was sent."""
    said = shell("spendstream alerts ack dq/unpriced", environment, *nameless())
    assert said == f"dq/unpriced is looked after by {NAMELESS}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_user_without_a_name_replays(broker: TansuBroker, process: StoreProcess, environment: dict[str, str]) -> None:
    """And it is noted who sent what again: else it would be sent once more the next time."""
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(USAGE_EVENTS, 1, 1, {})])
    with StoreClient(process.settings) as store:
        quarantine(store)
        said = shell("spendstream quarantine replay --everything", environment, *nameless())
        assert said == "sent 1 again\n"
        assert store.rows("SELECT operator FROM quarantine_replays") == [(str(NAMELESS),)]


def quarantine(store: StoreClient) -> None:
    """One record that was no JSON."""
    block = Block(SourcePartition(USAGE_EVENTS, "topic-1", 0), 0, 0, datetime.now(UTC), Versions(), 1)
    rejected = [RejectedRecord(SourceRecord(0, None, b"key", b"no json"), InvalidReason.NOT_JSON, "", "detail")]
    insert(store.client, "quarantine", quarantine_table(rejected, block), block.token)
