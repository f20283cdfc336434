"""`spendstream up --broker kafka`: what was acknowledged is booked, whatever stops in between."""

import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.embedded.brokers import KAFKA, TANSU
from tests.brokers import need_own_kafka
from tests.integration.pipeline import START_TIMEOUT_S, Pipeline, until, usage_event

pytestmark = pytest.mark.xdist_group("kafka")
EVENTS = 4000


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    need_own_kafka()
    pipeline = Pipeline(tmp_path / "data", broker=KAFKA)
    yield pipeline
    pipeline.kill()


def broker_process(pipeline: Pipeline) -> int | None:
    """The process of Kafka among the children of `spendstream up`."""
    for pid in Path(f"/proc/{pipeline.pid}/task/{pipeline.pid}/children").read_text().split():
        if b"kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    return None


def send(pipeline: Pipeline, first: int, end: int) -> None:
    """Returns when the broker has acknowledged them."""
    pipeline.send_events(*(usage_event(f"k{number}") for number in range(first, end)))


def assert_booked(pipeline: Pipeline, number: int) -> None:
    """Exactly, in the ledger and the rollups, and all from one life of the topic."""
    pipeline.wait_received(number)
    totals = [(number, Decimal("2.5") * number)]
    assert pipeline.rows("SELECT uniqExact(event_id), sum(list_cost) FROM ledger") == totals
    for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        assert pipeline.rows(f"SELECT sum(events), sum(list_cost) FROM {table}") == totals, table
    assert pipeline.rows("SELECT count() FROM duplicates") == [(0,)]
    assert pipeline.rows("SELECT uniqExact(topic_id) FROM block_receipts") == [(1,)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_acknowledged_is_booked_once_through_kills(pipeline: Pipeline) -> None:
    """kill -9 of the broker alone, then of everything, each right after the last acknowledgement: the next one goes on
    in the same topic, and the totals are exact. Tansu refuses to start on the folder."""
    pipeline.start()
    killed = broker_process(pipeline)
    assert killed is not None
    send(pipeline, 0, EVENTS)
    os.kill(killed, signal.SIGKILL)
    until(lambda: broker_process(pipeline) not in (killed, None), START_TIMEOUT_S, "the broker is replaced")
    until(pipeline.ready, START_TIMEOUT_S, "ready again")
    send(pipeline, EVENTS, 2 * EVENTS)
    pipeline.kill()

    pipeline.start()
    assert_booked(pipeline, 2 * EVENTS)
    send(pipeline, 2 * EVENTS, 2 * EVENTS + 1)
    assert_booked(pipeline, 2 * EVENTS + 1)
    assert "stopped" in pipeline.stop()
    refused = pipeline.run("up", "--data-dir", str(pipeline.data_dir), "--broker", TANSU, *pipeline._ports())
    assert refused.returncode != 0
    assert "start with --broker kafka" in refused.stderr
