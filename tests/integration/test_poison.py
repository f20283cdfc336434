"""Poison on every topic of a running pipeline, in front of good messages: these are booked, heard and told all the
same, and no process dies of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from aiokafka import codec

import spendstream
from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.embedded.instance import read_instance
from stream_jobs.series.delta import encode
from tests.hostile import examples, sweep
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.raw_batches import LZ4, SNAPPY, ZSTD, batch, send_raw, with_payload
from tests.unit.series.memory_ledger import MemoryLedger

pytestmark = pytest.mark.slow
HEARD_S = 60.0
PLAIN = batch([b"one", b"two"])
BATCHES = (
    with_payload(PLAIN, ZSTD, codec.zstd_encode(bytes(300_000_000))),
    with_payload(PLAIN, ZSTD, b"nothing that zstd knows"),
    with_payload(PLAIN, LZ4, b"nor lz4"),
    with_payload(
        PLAIN, SNAPPY, b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xfc"
    ),  # a block of -4 bytes
    with_payload(PLAIN, 0, b"\xff" * 30),
    PLAIN[:-1] + bytes([PLAIN[-1] ^ 1]),  # a wrong checksum
)
EVENT = usage_event("e", usage={"kind": "metered", "sku": "s", "quantity": "1", "unit": "u"}, model=None)
TOPICS = ("usage.events.v1", "usage.outcomes.v1", "cost.deltas.v1", "budget.control.v1", "budget.state.v1", "alerts.v1")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("poisoned"))
    pipeline.start()
    yield pipeline
    pipeline.stop()


def values(topic: str) -> list[bytes]:
    """Every extreme value at every place of what the topic carries, and some rubbish."""
    rubbish = [b"", b"\x00", b"{", b"\xff\xfe", b"x" * 70_000]
    if topic == "cost.deltas.v1":
        return [*rubbish, encode(MemoryLedger(datetime(2190, 1, 1, tzinfo=UTC)).book(datetime(2190, 1, 1, tzinfo=UTC)))]
    if topic == "budget.control.v1":
        change = {
            "change_id": "poison",
            "budget_id": "poison",
            "at": "2026-11-20T11:00:00Z",
            "by": "x",
            "note": "\ud800",
        }
        return [*rubbish, *sweep([change | {"budget": {"id": "poison", "name": "\ud800"}}])]
    documents = [EVENT] if topic == "usage.events.v1" else examples(topic)[:2]
    fields = ("level", "money_usd") if topic == "alerts.v1" else ()
    return [*rubbish, *sweep(documents, fields)]


def running(pipeline: Pipeline) -> dict[str, str]:
    """The processes of `up`, by name."""
    return {path.name: path.read_text() for path in (pipeline.data_dir / "run").iterdir() if path.is_file()}


def test_poison_on_every_topic_stops_and_delays_nothing(pipeline: Pipeline) -> None:
    """In values and in whole batches, as whoever can write there may send it: what comes behind it is booked, counted,
    set, heard and told within seconds; what was refused is in quarantine, or counted; every process is the one that
    it was."""
    instance = read_instance(pipeline.data_dir)
    assert instance is not None
    before = running(pipeline)
    for topic in TOPICS:
        pipeline.send([(None if topic.startswith("usage") else "k", value) for value in values(topic)], topic)
        send_raw(instance.kafka, topic, BATCHES)
    poison = [
        EVENT | {"event_id": f"wide{number}", "usage": EVENT["usage"] | {"quantity": "0e27"}} for number in range(50)
    ]
    pipeline.send_events(*poison)
    good = {"id": "good", "name": "Good", "amount": "1", "period": "day", "owner": "o", "scope": {"team": "good"}}
    pipeline.run(
        *("budgets", "set", "-", "--data-dir", str(pipeline.data_dir), "--timeout", str(HEARD_S)),
        stdin=json.dumps(good),
        check=True,
    )
    now = datetime.now(UTC)
    pipeline.send_events(usage_event("good", occurred_at=now.isoformat(), attribution={"team": "good"}))
    outcome = examples("usage.outcomes.v1")[0] | {"event_id": "good", "occurred_at": now.isoformat()}
    pipeline.send([("good", json.dumps(outcome).encode())], "usage.outcomes.v1")
    signal = AlertSignal(
        alert_id="good",
        kind="data_quality",
        name="Good",
        status="firing",
        severity="info",
        observed_at=now,
        starts_at=now,
        group="good",
        summary="good",
    )
    pipeline.send([("good", signal.model_dump_json().encode())], "alerts.v1")
    for what in (
        "SELECT count() FROM ledger WHERE event_id = 'good'",
        "SELECT count() = 50 FROM ledger WHERE startsWith(event_id, 'wide')",
        "SELECT count() FROM outcomes WHERE event_id = 'good'",
        "SELECT count() FROM alerts_open WHERE alert_id = 'good'",
        "SELECT count() FROM budget_status WHERE budget_id = 'good' AND spent > 0",
    ):
        until(lambda what=what: pipeline.value(what), HEARD_S, what)
    guard = spendstream.Guard(spendstream.GuardConfig(bootstrap_servers=instance.kafka, source="tests"))
    try:
        until(lambda: guard.stats().policies, HEARD_S, "the guard hears of the budget")
    finally:
        guard.close()
    reasons = dict(pipeline.rows("SELECT reason, count() FROM quarantine GROUP BY reason"))
    assert "processing_failed" not in reasons
    assert reasons["not_json"] > 0
    assert running(pipeline) == before
