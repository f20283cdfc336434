"""The whole pipeline as a user runs it: `spendstream up`, events in, ledger out."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from genai_prices import Usage, calc_price

from spendstream_schemas import MAX_MESSAGE_BYTES
from stream_jobs.embedded.workers import PROCESSES
from tests.integration.pipeline import BOOK_TIMEOUT_S, Pipeline, until, usage_event

pytestmark = pytest.mark.xdist_group("pipeline")

ROOT = Path(__file__).resolve().parents[2]
ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("pipeline") / "data")
    pipeline.start()
    yield pipeline
    if not pipeline.exited():
        pipeline.stop()


def children(pid: int) -> list[int]:
    """And theirs."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    found = [int(line) for line in listed.stdout.split()]
    return found + [below for child in found for below in children(child)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_event_becomes_a_priced_and_attributed_row(pipeline: Pipeline) -> None:
    """A million input tokens of gpt-4o in November 2026 cost 2.50 USD, booked once in the ledger and each rollup."""
    before = pipeline.value("SELECT sum(received) FROM block_receipts")
    pipeline.send_events(usage_event("one", attribution={"project": "first", "team": "alpha"}))
    pipeline.wait_received(before + 1)
    row = pipeline.rows(
        "SELECT entry_kind, model, price_model, list_cost, team, unallocated, input_tokens, line_sku, line_cost "
        "FROM ledger WHERE event_id = 'one'"
    )
    assert row == [
        (
            "charge",
            "gpt-4o",
            "openai/gpt-4o",
            Decimal("2.5"),
            "alpha",
            ["environment", "cost_center", "workload_type"],
            1_000_000,
            ["openai/gpt-4o/input_mtok"],
            [Decimal("2.5")],
        )
    ]
    for rollup in ROLLUPS:
        assert pipeline.rows(f"SELECT sum(events), sum(list_cost) FROM {rollup} WHERE project = 'first'") == [
            (1, Decimal("2.5"))
        ]


def test_copies_of_an_event_are_booked_once(pipeline: Pipeline) -> None:
    """Identity is event_id alone: copies with other timestamps, in the same and in later blocks, are duplicates."""
    before = pipeline.value("SELECT sum(received) FROM block_receipts")
    copies = [usage_event("copied", occurred_at=f"2026-11-0{day}T00:00:00Z") for day in (1, 2, 3)]
    pipeline.send_events(*copies)
    pipeline.wait_received(before + 3)
    pipeline.send_events(copies[1])
    pipeline.wait_received(before + 4)
    assert pipeline.value("SELECT count() FROM ledger WHERE event_id = 'copied'") == 1
    assert pipeline.value("SELECT count() FROM duplicates WHERE event_id = 'copied'") == 3


def test_a_revision_takes_back_and_charges_anew(pipeline: Pipeline) -> None:
    """A later revision posts the exact opposite of what was booked and a new charge; an older one changes nothing."""
    before = pipeline.value("SELECT sum(received) FROM block_receipts")
    corrected = {"kind": "tokens", "input_tokens": 2_000_000, "output_tokens": 100_000}
    project = {"project": "revised"}
    pipeline.send_events(usage_event("rev", attribution=project))
    pipeline.wait_received(before + 1)
    pipeline.send_events(usage_event("rev", revision=2, usage=corrected, attribution=project))
    pipeline.wait_received(before + 2)
    pipeline.send_events(usage_event("rev", revision=1, attribution=project))
    pipeline.wait_received(before + 3)
    entries = pipeline.rows(
        "SELECT entry_kind, revision, list_cost, input_tokens FROM ledger WHERE event_id = 'rev' "
        "ORDER BY booked_at, entry_kind DESC"
    )
    assert entries == [
        ("charge", 0, Decimal("2.5"), 1_000_000),
        ("retraction", 0, Decimal("-2.5"), -1_000_000),
        ("charge", 2, Decimal(6), 2_000_000),
    ]
    for rollup in ROLLUPS:
        found = pipeline.rows(
            f"SELECT sum(events), sum(list_cost), sum(input_tokens), sum(output_tokens) FROM {rollup} "
            "WHERE project = 'revised'"
        )
        assert found == [(1, Decimal(6), 2_000_000, 100_000)]


def _future() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


TOKENS: dict[str, Any] = {"kind": "tokens", "input_tokens": 10}
QUARANTINED: dict[str, tuple[bytes | None, str]] = {
    "malformed": (b'{"event_id": "x", ', "not_json"),
    "not JSON": (b"hello", "not_json"),
    "not UTF-8": (b"\xff\xfe{}", "not_json"),
    "a list": (b"[]", "not_an_object"),
    "tombstone": (None, "empty_message"),
    "oversized": (b'{"a": "' + b"x" * MAX_MESSAGE_BYTES + b'"}', "too_large"),
    "from the future": (json.dumps(usage_event("q1", occurred_at=_future())).encode(), "occurred_in_future"),
    "negative": (
        json.dumps(usage_event("q2", usage={"kind": "tokens", "input_tokens": -1})).encode(),
        "negative_quantity",
    ),
    "cache > input": (
        json.dumps(usage_event("q3", usage={**TOKENS, "cache_read_tokens": 11})).encode(),
        "part_exceeds_whole",
    ),
    "wrong version": (json.dumps(usage_event("q4", schema_version=2)).encode(), "unsupported_schema_version"),
    "no id": (json.dumps(usage_event(None)).encode(), "missing_field"),
    "deep": (b"[" * 30_000, "not_json"),
    "100 MB": (b"x" * 100_000_000, "too_large"),
}
BOOKED_UNPRICED = {
    "unknown model": (usage_event("u1", model="gpt-4o-imaginary"), "unknown_model"),
    "unknown provider": (usage_event("u2", provider="nobody"), "unknown_provider"),
    "unknown tier": (usage_event("u3", service_tier="turbo"), "unknown_service_tier"),
    "unknown meter": (usage_event("u4", usage={**TOKENS, "hologram_tokens": 5}), "unknown_meter"),
    "moving alias": (usage_event("u5", provider="mistral", model="mistral-large-latest"), "moving_alias"),
}


def test_what_cannot_be_accepted_ends_where_the_readme_says(pipeline: Pipeline) -> None:
    """Bad records go to quarantine with bytes and reason, unknown prices are booked as unpriced; the job goes on."""
    # By content: 100 MB make the broker turn, and a plain producer that loses its connection over it sends them again.
    different = "SELECT uniqExact(raw_sha256) FROM quarantine"
    before = pipeline.value(different)
    pipeline.send([(None, raw) for raw, _ in QUARANTINED.values()])
    pipeline.send_events(*(event for event, _ in BOOKED_UNPRICED.values()), usage_event("tolerated", brand_new=1))
    ids = [*(event["event_id"] for event, _ in BOOKED_UNPRICED.values()), "tolerated"]
    until(
        lambda: (
            pipeline.rows(f"SELECT ({different}), count() FROM ledger WHERE event_id IN {tuple(ids)}")
            == [(before + len(QUARANTINED), len(ids))]
        ),
        BOOK_TIMEOUT_S,
        "all booked or quarantined",
    )
    with pipeline.store() as store:
        assert store.rows("SELECT count() = uniqExact(topic_id, partition, offset) FROM quarantine") == [(True,)]
        for name, (raw, reason) in QUARANTINED.items():
            found = store.rows(
                "SELECT reason, hex(substring(raw, 1, 100)), length(raw) FROM quarantine "
                "WHERE raw_size = {size:UInt64} AND reason = {reason:String}",
                {"size": len(raw or b""), "reason": reason},
            )
            head = (raw or b"")[:100].hex().upper()
            assert (reason, head, min(len(raw or b""), 2**20)) in found, name
        for name, (event, reason) in BOOKED_UNPRICED.items():
            found = store.rows(
                "SELECT unpriced_reason, list_cost FROM ledger WHERE event_id = {id:String}", {"id": event["event_id"]}
            )
            assert found == [(reason, None)], name
        tolerated = store.rows("SELECT unknown_fields, list_cost FROM ledger WHERE event_id = 'tolerated'")
        assert tolerated == [(["brand_new"], Decimal("2.5"))]
    status = pipeline.status()
    assert status["ready"]
    assert status["store_confined"] is (sys.platform == "linux"), "see the store's log for what the kernel lacks"


def test_golden_messages_meet_the_fate_their_file_names(pipeline: Pipeline) -> None:
    """Each valid example of the contract is booked, each invalid one is quarantined for the reason in its name."""
    for topic, table in (("usage.events.v1", "ledger"), ("usage.outcomes.v1", "outcomes")):
        folder = ROOT / "schemas" / "examples" / topic
        valid = {path: path.read_bytes() for path in sorted(folder.glob("*.json"))}
        invalid = {path: path.read_bytes() for path in sorted((folder / "invalid").iterdir())}
        assert valid, topic
        assert invalid, topic
        in_topic = f"SELECT sum(received) FROM block_receipts WHERE topic = '{topic}'"
        before = pipeline.value(in_topic)
        messages = [(None, raw) for raw in (*valid.values(), *invalid.values())]
        pipeline.send(messages, topic=topic)
        expected = before + len(messages)
        until(lambda q=in_topic, n=expected: pipeline.value(q) >= n, 60, topic)
        with pipeline.store() as store:
            for path, raw in valid.items():
                booked = store.rows(
                    f"SELECT count() FROM {table} WHERE event_id = {{id:String}}", {"id": json.loads(raw)["event_id"]}
                )
                assert booked != [(0,)], path.name
            for path, raw in invalid.items():
                reasons = store.rows(
                    "SELECT DISTINCT reason FROM quarantine "
                    "WHERE topic = {topic:String} AND raw_sha256 = {hash:String}",
                    {"topic": topic, "hash": hashlib.sha256(raw).hexdigest()},
                )
                assert reasons == [(path.stem.split("-")[0],)], path.name


def test_every_record_has_exactly_one_fate(pipeline: Pipeline) -> None:
    """received = booked + duplicates + quarantined, by the receipts and by the rows themselves."""
    received, booked, duplicates, quarantined = pipeline.rows(
        "SELECT sum(received), sum(booked), sum(duplicates), sum(quarantined) FROM block_receipts "
        "WHERE topic = 'usage.events.v1'"
    )[0]
    assert received == booked + duplicates + quarantined
    assert pipeline.value("SELECT count() FROM ledger WHERE entry_kind = 'charge'") == booked
    assert pipeline.value("SELECT count() FROM duplicates WHERE topic = 'usage.events.v1'") == duplicates
    assert pipeline.value("SELECT count() FROM quarantine WHERE topic = 'usage.events.v1'") == quarantined


def test_quarantine_is_listed_shown_and_replayed(pipeline: Pipeline) -> None:
    """A record refused for its timestamp is shown with its bytes; replayed, it is refused again under a new offset."""
    before = pipeline.value("SELECT sum(received) FROM block_receipts")
    event = usage_event("replayed", occurred_at=_future(), source="replay-test")
    pipeline.send_events(event)
    pipeline.wait_received(before + 1)
    where = ("--data-dir", str(pipeline.data_dir), "--json")
    listed = [
        json.loads(line)
        for line in pipeline.run(
            "quarantine", "list", "--source", "replay-test", *where, check=True
        ).stdout.splitlines()
    ]
    assert [record["reason"] for record in listed] == ["occurred_in_future"]
    shown = json.loads(pipeline.run("quarantine", "show", listed[0]["name"], *where, check=True).stdout)
    assert json.loads(shown["raw"]) == event
    done = pipeline.run("quarantine", "replay", "--source", "replay-test", "--note", "clock fixed", *where, check=True)
    assert json.loads(done.stdout) == {"sent": 1, "cut": 0}
    pipeline.wait_received(before + 2)
    again = [
        json.loads(line)
        for line in pipeline.run(
            "quarantine", "list", "--source", "replay-test", *where, check=True
        ).stdout.splitlines()
    ]
    assert len(again) == 1
    assert again[0]["name"] != listed[0]["name"]


def test_outcomes_are_booked_beside_the_costs(pipeline: Pipeline) -> None:
    """Business value arrives on its own topic, once per event_id."""
    outcome = {
        "schema_version": 1,
        "event_id": "order-1",
        "occurred_at": "2026-11-01T12:00:00Z",
        "source": "shop",
        "outcome": "order_placed",
        "quantity": "1",
        "value_usd": "12.345678901234",
        "feature": "checkout",
    }
    raw = json.dumps(outcome).encode()
    in_topic = "SELECT sum(received) FROM block_receipts WHERE topic = 'usage.outcomes.v1'"
    before = pipeline.value(in_topic)
    pipeline.send([("order-1", raw), ("order-1", raw), (None, b"{}")], topic="usage.outcomes.v1")
    until(lambda: pipeline.value(in_topic) == before + 3, 60, "outcomes booked")
    assert pipeline.rows("SELECT feature, value_usd FROM outcomes WHERE event_id = 'order-1'") == [
        ("checkout", Decimal("12.345678901234"))
    ]


def test_the_store_answers_clickhouse_clients_while_the_pipeline_runs(pipeline: Pipeline) -> None:
    """clickhouse-connect and plain HTTP (curl) read the same ledger; nobody but the pipeline may write."""
    url = urllib.parse.urlsplit(pipeline.status()["clickhouse_http"])
    with clickhouse_connect.get_client(host=url.hostname, port=url.port) as client:
        assert client.query("SELECT count() > 0 FROM ledger").result_rows == [(1,)]
        with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError):
            client.command("ALTER TABLE ledger DELETE WHERE 1")
    curl = subprocess.run(
        ["curl", "-sS", f"{url.geturl()}/?query=SELECT+sum(list_cost)>0+FROM+ledger+FORMAT+JSONEachRow"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(curl.stdout) == {"greater(sum(list_cost), 0)": 1}


def test_query_command_prints_exact_decimals(pipeline: Pipeline) -> None:
    """`query --json` keeps money exact: decimal strings, one object per row."""
    done = pipeline.run(
        "query", "SELECT toDecimal128('0.000000000001', 12) AS tiny", "--json", "--data-dir", str(pipeline.data_dir)
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"tiny": "0.000000000001"}]


def test_replay_books_what_genai_prices_says(pipeline: Pipeline, tmp_path: Path) -> None:
    """The total equals the reference calculator's to the last digit; a second replay of the same file is dropped."""
    sizes = [(374 + 37 * n, 44 + n) for n in range(2_000)]
    trace = tmp_path / "trace.csv"
    rows = [f"2025-11-16 18:{n // 60 % 60:02}:{n % 60:02}.1234567,{size},{out}" for n, (size, out) in enumerate(sizes)]
    trace.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\n")
    at = datetime(2025, 11, 16, 18, tzinfo=UTC)
    expected = sum(
        (
            calc_price(
                Usage(input_tokens=size, output_tokens=out),
                model_ref="gpt-4.1",
                provider_id="openai",
                genai_request_timestamp=at,
            ).total_price
            for size, out in sizes
        ),
        Decimal(0),
    )
    command = ["replay", str(trace), "--format", "azure", "--provider", "openai", "--model", "gpt-4.1", "--wait"]
    command += ["--bootstrap", pipeline.status()["kafka"], "--json"]
    first = json.loads(pipeline.run(*command, check=True).stdout)
    assert {key: first[key] for key in ("sent", "booked", "duplicates", "quarantined", "unpriced")} == {
        "sent": 2_000,
        "booked": 2_000,
        "duplicates": 0,
        "quarantined": 0,
        "unpriced": 0,
    }
    second = json.loads(pipeline.run(*command, check=True).stdout)
    assert (second["booked"], second["duplicates"]) == (0, 2_000)
    assert pipeline.value("SELECT sum(list_cost) FROM ledger WHERE model = 'gpt-4.1'") == expected
    for rollup in ROLLUPS:
        assert pipeline.value(f"SELECT sum(list_cost) FROM {rollup} WHERE model = 'gpt-4.1'") == expected


def test_health_and_metrics(pipeline: Pipeline) -> None:
    """One URL says whether the instance works and carries the counters of all its processes."""
    http = pipeline.status()["http"]
    until(pipeline.ready, 60, "ready")
    assert urllib.request.urlopen(f"{http}/healthz").status == 200
    assert urllib.request.urlopen(f"{http}/readyz").read() == b"ready\n"
    metrics = urllib.request.urlopen(f"{http}/metrics").read().decode()
    assert 'spendstream_records_total{fate="booked",job="metering"' in metrics
    assert "spendstream_store_" in metrics
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{http}/nothing")
    caught.value.close()


def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_doubled(pipeline: Pipeline) -> None:
    """kill -9 of the worker while events flow: the supervisor starts another, and each event is booked once."""
    before = pipeline.value("SELECT sum(received) FROM block_receipts")
    events = [usage_event(f"k{n}", attribution={"project": "killed"}) for n in range(6_000)]
    pipeline.send_events(*events[:3_000])
    worker = next(pid for pid in children(pipeline.pid) if Path(f"/proc/{pid}/comm").read_text() == "worker\n")
    os.kill(worker, signal.SIGKILL)
    pipeline.send_events(*events[3_000:])
    pipeline.wait_received(before + 6_000)
    assert pipeline.rows(
        "SELECT count(), uniqExact(event_id), sum(list_cost) FROM ledger WHERE project = 'killed'"
    ) == [(6_000, 6_000, Decimal(15_000))]
    for rollup in ROLLUPS:
        found = pipeline.rows(f"SELECT sum(events), sum(list_cost) FROM {rollup} WHERE project = 'killed'")
        assert found == [(6_000, Decimal(15_000))]
    until(pipeline.ready, 60, "ready again")


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """One that tests stop and kill, and start again."""
    pipeline = Pipeline(tmp_path_factory.mktemp("mortal") / "data")
    pipeline.start()
    yield pipeline
    if not pipeline.exited():
        pipeline.stop()


@pytest.mark.slow
def test_ctrl_c_books_what_is_under_way_and_leaves_nothing_running(mortal: Pipeline) -> None:
    """Events sent just before Ctrl-C are in the ledger after the next start, and no process is left."""
    processes = children(mortal.pid)
    assert len(processes) == 3 + len(PROCESSES), "broker, store, the workers and their server"
    mortal.send_events(*(usage_event(f"c{n}") for n in range(2_000)))
    mortal.stop()
    until(lambda: not any(alive(pid) for pid in processes), 10, "children gone")
    mortal.start()
    assert mortal.value("SELECT count() FROM ledger WHERE startsWith(event_id, 'c')") == 2_000


@pytest.mark.slow
def test_a_killed_instance_leaves_no_process_and_starts_again(mortal: Pipeline) -> None:
    """kill -9 of `up`: its children stop by themselves and the folder it left can be used again without a hand."""
    if mortal.exited():
        mortal.start()
    received = mortal.value("SELECT sum(received) FROM block_receipts")
    mortal.send_events(usage_event("kept"))
    mortal.wait_received(received + 1)
    processes = children(mortal.pid)
    mortal.kill()
    until(lambda: not any(alive(pid) for pid in processes), 30, "children gone")
    mortal.start()
    ours = "SELECT count() FROM ledger WHERE event_id IN ('kept', 'new')"
    assert mortal.value(ours) == 1
    mortal.send_events(usage_event("kept"), usage_event("new"))
    mortal.wait_received(received + 3)
    assert mortal.value(ours) == 2
