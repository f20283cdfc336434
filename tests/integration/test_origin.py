"""Corrections and signatures on the real store and through the real broker."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer

from spendstream import OUTCOME_TOPIC, USAGE_TOPIC, ProducerConfig, UsageProducer
from spendstream_schemas import OutcomeEvent, UsageEvent
from spendstream_schemas.signature import SIGNATURE_HEADER
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.blocks.booking import Steps, redo_block
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.origin.judge import Origin
from stream_jobs.origin.keys import KeyRing
from stream_jobs.origin.rules import SenderRules
from stream_jobs.pricing.book import PriceBook
from stream_jobs.reconciliation.run import Reconciler
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition, SourceRecord
from tests.integration.block_writes import insert_block
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.store_server import StoreProcess
from tests.unit.origin.test_judge import KEYS, OTHER, RULES, SECRET, fates, record

SECOND = timedelta(seconds=1)


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        for table in ("ledger", "booked_ids", "blocks", "block_receipts", "quarantine", "duplicates", "response_ids"):
            store.command(f"TRUNCATE TABLE {table}")
        yield store


def metering(store: StoreClient, origin: Origin) -> Metering:
    return Metering(PriceBook.load(None), AttributionRules.load(None), ClickHouseLedger(store), 5 * SECOND, origin)


def insert(store: StoreClient, block: Block, output: BlockOutput) -> None:
    blocks = ClickHouseBlocks(store)

    async def in_time() -> None:
        await blocks.write_block_row(replace(block, refusals=output.refusals))
        await insert_block(blocks, block, output)

    asyncio.run(in_time())


def sums(store: StoreClient) -> list[tuple[object, ...]]:
    return list(
        store.rows(
            "SELECT event_id, source, sum(events), sum(input_tokens) FROM ledger GROUP BY event_id, source "
            "HAVING sum(events) != 0 OR sum(input_tokens) != 0 ORDER BY event_id, source"
        )
    )


def test_a_block_is_redone_as_it_was_after_settings_and_keys_have_changed(store: StoreClient) -> None:
    """Signatures of every kind, foreign revisions and taken ids: the worker dies with the ledger rows in, and whoever
    comes next has other keys and other rules. Every record keeps its one fate, and the accounts close."""
    before = metering(store, Origin(RULES, KEYS))
    source = SourcePartition(USAGE_TOPIC, "topic-origin", 0)
    first = Block(source, 0, 1, datetime.now(UTC), before.versions(), 1)
    known = [record(0, "a", source="shop", tokens=100), record(1, "b", source="stranger", tokens=50)]
    insert(store, first, before.process(first, known))
    records = [
        record(2, "a", source="backfill", revision=1, tokens=60),
        record(3, "a", source="stranger", revision=2, tokens=1),
        record(4, "b", SECRET, source="vault", tokens=70),
        record(5, "c", SECRET, source="vault", tokens=80),
        record(6, "d", source="vault", tokens=2),
        record(7, "e", OTHER, source="vault", tokens=3),
        record(8, "b", source="stranger", tokens=50),
    ]
    block = Block(source, 2, 8, datetime.now(UTC) + SECOND, before.versions(), 1)
    output = before.process(block, records)
    assert fates(output) == {
        2: "booked",
        3: "foreign_revision",
        4: "event_id_taken",
        5: "booked",
        6: "signature_missing",
        7: "signature_invalid",
        8: "duplicate",
    }
    insert(store, block, BlockOutput(output.counts, {"ledger": output.tables["ledger"]}, output.refusals))
    store.command("ALTER TABLE block_receipts DELETE WHERE last_offset = 8 SETTINGS mutations_sync = 2")
    after = metering(store, Origin(SenderRules.of("", "shop,stranger,backfill"), KeyRing({"shop": {"new": OTHER}})))
    blocks = ClickHouseBlocks(store)

    async def process(found: Block, taken: list[SourceRecord]) -> BlockOutput:
        return after.process(found, taken)

    async def commit(offset: int) -> None:
        assert offset == 9

    async def redo() -> BlockOutput:
        official = await blocks.last_block(source, 9)
        assert official is not None
        assert (official.refusals, official.versions) == (output.refusals, block.versions)
        return await redo_block(official, list(records), Steps(process, blocks, commit, None, lambda step: step()))

    redone = asyncio.run(redo())
    assert (redone.counts, fates(redone)) == (output.counts, fates(output))
    assert sums(store) == [("a", "backfill", 1, 60), ("b", "stranger", 1, 50), ("c", "vault", 1, 80)]
    refused = store.rows("SELECT offset, reason FROM quarantine ORDER BY offset")
    assert refused == [(at, fate) for at, fate in fates(output).items() if fate not in ("booked", "duplicate")]
    assert store.rows("SELECT sum(difference), sum(rows_missing), sum(rows_extra) FROM conservation") == [(0, 0, 0)]


def test_reconciliation_takes_a_foreign_revision_back(store: StoreClient) -> None:
    """Booked in another partition at the same moment, so metering saw neither; then the sender corrects its event."""
    step = metering(store, Origin())
    now = datetime.now(UTC)
    outputs = []
    for partition, item in enumerate(
        (record(0, "a", source="shop", tokens=100), record(0, "a", source="stranger", revision=7, tokens=1))
    ):
        source = SourcePartition(USAGE_TOPIC, "topic-race", partition)
        block = Block(source, 0, 0, now - (5 - partition) * SECOND, step.versions(), 1)
        outputs.append((block, step.process(block, [item])))
    for block, output in outputs:
        insert(store, block, output)
    assert len(sums(store)) == 2
    reconciler = Reconciler(store, ReconciliationSettings())
    assert reconciler.apply("test", now - timedelta(hours=1)).causes == {"foreign_revision": 1}
    assert sums(store) == [("a", "shop", 1, 100)]
    later = Block(SourcePartition(USAGE_TOPIC, "topic-race", 0), 1, 1, now, step.versions(), 1)
    correction = step.process(later, [record(1, "a", source="shop", revision=1, tokens=40)])
    assert fates(correction) == {1: "booked"}
    insert(store, later, correction)
    assert sums(store) == [("a", "shop", 1, 40)]
    assert reconciler.apply("test", now - timedelta(hours=1)).causes == {}


def test_a_copy_from_another_source_is_visible(store: StoreClient) -> None:
    """Who had the id first, and who came too late; a service's own retries are not listed."""
    step = metering(store, Origin())
    block = Block(SourcePartition(USAGE_TOPIC, "t", 0), 0, 2, datetime.now(UTC), step.versions(), 1)
    records = [record(0, "a", source="stranger"), record(1, "a", source="shop"), record(2, "a", source="stranger")]
    insert(store, block, step.process(block, records))
    assert store.rows("SELECT event_id, source, booked_source, offset FROM duplicates_from_others") == [
        ("a", "shop", "stranger", 1)
    ]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"vault": {"2026-11": SECRET.decode(), "2026-12": OTHER.decode()}}))
    pipeline = Pipeline(tmp_path / "data", free_port())
    pipeline.environment = dict(pipeline.environment) | {
        "SPENDSTREAM_ORIGIN_SIGNED_SOURCES": "vault",
        "SPENDSTREAM_ORIGIN_KEYS_FILE": str(keys),
    }
    try:
        yield pipeline
    finally:
        pipeline.kill()


def service(pipeline: Pipeline, kafka_port: int, **more: object) -> UsageProducer:
    given = {"bootstrap_servers": f"127.0.0.1:{kafka_port}", "source": "vault", "spool_dir": pipeline.data_dir / "s"}
    return UsageProducer(ProducerConfig.model_validate(given | more))


def usage(event_id: str, **changes: object) -> UsageEvent:
    return UsageEvent.model_validate(usage_event(event_id, source="vault", **changes))


@pytest.mark.slow
@pytest.mark.xdist_group("pipeline")
def test_signed_events_arrive_and_unsigned_ones_do_not(pipeline: Pipeline) -> None:
    """Through the SDK and its spool (the broker is not there when they are sent), two keys at a time; what nobody
    signed is kept with its reason, and once the setting allows it, it is sent again and booked. A signed record that
    was refused for something else keeps its signature."""
    port = pipeline._kafka_port
    with service(pipeline, port, signing_key=SECRET.decode(), signing_key_id="2026-11", durable=True) as early:
        assert early.emit(usage("spooled"))
        assert early.stats().spool_records == 1
    pipeline.start()
    outcome = {"event_id": "o1", "occurred_at": "2026-11-01T12:00:00Z", "source": "vault", "outcome": "sold"}
    with service(pipeline, port, signing_key=OTHER.decode(), signing_key_id="2026-12") as late:
        assert late.emit(usage("signed"))
        assert late.emit(usage("from the future", occurred_at="2199-01-01T00:00:00Z"))
        assert late.emit(OutcomeEvent.model_validate({"schema_version": 1, "quantity": "1", **outcome}))
        assert late.flush(30.0) == 0
    with service(pipeline, port) as unsigned:
        assert unsigned.emit(usage("unsigned"))
        assert unsigned.emit(usage("signed", revision=1))
        assert unsigned.emit(OutcomeEvent.model_validate({"schema_version": 1, "quantity": "2", **outcome}))
        assert unsigned.flush(30.0) == 0
    client = Producer({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    forged = json.dumps(usage_event("forged", source="vault"))
    client.produce(USAGE_TOPIC, forged, "forged", headers=[(SIGNATURE_HEADER, b"v1:2026-11:" + b"0" * 64)])
    assert client.flush(30.0) == 0

    until(lambda: pipeline.value("SELECT sum(received) FROM block_receipts") == 8, 60.0, "all records")
    assert pipeline.rows("SELECT event_id, revision FROM ledger ORDER BY event_id") == [("signed", 0), ("spooled", 0)]
    assert pipeline.rows("SELECT event_id, quantity FROM outcomes") == [("o1", 1)]
    assert pipeline.rows(
        "SELECT topic, event_id, reason, signature != '' FROM quarantine ORDER BY topic, event_id"
    ) == [
        (USAGE_TOPIC, "forged", "signature_invalid", 1),
        (USAGE_TOPIC, "from the future", "occurred_in_future", 1),
        (USAGE_TOPIC, "signed", "signature_missing", 0),
        (USAGE_TOPIC, "unsigned", "signature_missing", 0),
        (OUTCOME_TOPIC, "o1", "signature_missing", 0),
    ]
    assert pipeline.run("conservation", "--data-dir", str(pipeline.data_dir)).returncode == 0

    pipeline.stop()
    tolerant = {"SPENDSTREAM_FUTURE_TOLERANCE_S": "86400"}
    refused = dict(pipeline.environment)
    pipeline.environment = {name: text for name, text in refused.items() if "ORIGIN" not in name} | tolerant
    pipeline.start()
    arguments = ("--data-dir", str(pipeline.data_dir))
    pipeline.run("quarantine", "replay", "--reason", "signature_missing", *arguments, check=True)
    booked = "SELECT groupArray(event_id) FROM (SELECT event_id FROM ledger GROUP BY event_id ORDER BY event_id)"
    until(lambda: pipeline.value(booked) == ["signed", "spooled", "unsigned"], 60.0, "what was sent again")
    pipeline.run("quarantine", "replay", "--reason", "occurred_in_future", *arguments, check=True)
    again = "SELECT count(), uniqExact(signature) FROM quarantine WHERE reason = 'occurred_in_future'"
    until(lambda: pipeline.rows(again) == [(2, 1)], 60.0, "the one from the future, refused again with its signature")
