"""What a metering worker announces adds up to what its blocks have put into the ledger, through crashes and redos."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import CrashError
from stream_jobs.blocks.booking import Steps, book_block, redo_block
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import COST_DELTAS
from stream_jobs.series.delta import COSTS, Delta, decode
from stream_jobs.series.publisher import DeltaPublisher
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition, SourceRecord
from tests.contract.broker_clients import read
from tests.store_server import StoreProcess
from tests.unit.metering.build import TokenPricer, record


class KilledError(CrashError):
    """Stands for kill -9: the worker stops where it is."""


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        for table in ("ledger", "booked_ids", "blocks", "block_receipts", "duplicates", "quarantine"):
            store.command(f"TRUNCATE TABLE {table}")
        yield store


class Worker:
    """Books blocks of one partition and announces them on a real broker. `dies`: where its next block ends it."""

    def __init__(self, store: StoreClient, broker: TansuBroker) -> None:
        self.store = store
        self.dies: str | None = None
        self.at_announcement: list[tuple[object, ...]] = []
        self.publisher = DeltaPublisher(embedded_kafka(broker.address))
        self.metering = Metering(
            TokenPricer(), AttributionRules.load(None), ClickHouseLedger(store), timedelta(minutes=5)
        )
        self.blocks = ClickHouseBlocks(store)

    async def announce(self, block: Block, output: BlockOutput) -> None:
        found = self.store.rows(
            "SELECT (SELECT count() FROM ledger WHERE booked_at = {at:DateTime64(6, 'UTC')}), "
            "(SELECT count() FROM block_receipts WHERE first_offset = {first:UInt64})",
            {"at": block.fixed_at, "first": block.first_offset},
        )
        self.at_announcement += found
        if self.dies == "before":
            raise KilledError("before it was announced")
        await self.publisher.announce(block, output)
        if self.dies == "after":
            raise KilledError("after it was announced")

    def book(self, first: int, *records: SourceRecord, redo: Block | None = None) -> Block:
        source = SourcePartition("usage.events.v1", "topic", 0)
        at = datetime.now(UTC)
        block = redo or Block(source, first, first + len(records) - 1, at, self.metering.versions(), 1)

        async def process(block: Block, taken: list[SourceRecord]) -> BlockOutput:
            return self.metering.process(block, taken)

        async def commit(_: int) -> None:
            pass

        steps = Steps(process, self.blocks, commit, self.announce, lambda step: step())
        try:
            asyncio.run((redo_block if redo else book_block)(block, list(records), steps))
        except KilledError:
            assert self.dies is not None
        return replace(block, redone=True)


def announced(broker: TansuBroker) -> list[Delta]:
    return [decode(message.value() or b"") for message in read(broker, COST_DELTAS)]


@pytest.mark.parametrize("dies", ["before", "after"])
def test_deltas_add_up_to_the_ledger_through_a_redo(store: StoreClient, broker: TansuBroker, dies: str) -> None:
    """Charges, copies, a revision that takes back what an earlier block booked, usage without a price: the worker dies
    around an announcement, its heir redoes the block. Each block counted once, the deltas are the ledger's sums."""
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(COST_DELTAS, 1, 1, {})])
    worker = Worker(store, broker)
    worker.book(0, record(0, "a", tokens=100), record(1, "b", tokens=7, model="unknown"), record(2, "a", tokens=100))
    worker.dies = dies
    records = [record(3, "a", tokens=30, revision=1), record(4, "c", tokens=5, occurred_at="2026-11-20T11:01:59Z")]
    block = worker.book(3, *records)
    assert [row[1] for row in worker.at_announcement] == [0, 0], "before any receipt"
    assert [int(str(row[0])) for row in worker.at_announcement] == [2, 3], "after the rows"
    worker.publisher.close()
    heir = Worker(store, broker)
    heir.book(3, *records, redo=block)
    assert heir.at_announcement == [(3, 0)], "again, of the same rows"
    heir.book(5, record(5, "a", tokens=30, revision=1))  # a copy: nothing for the ledger, but the offsets go on
    heir.publisher.close()
    deltas = announced(broker)
    assert len(deltas) == (3 if dies == "before" else 4)
    once = {(delta.origin, delta.booked_at, delta.part): delta for delta in deltas}
    for delta in deltas:
        assert delta.rows.equals(once[delta.origin, delta.booked_at, delta.part].rows), "a repetition says the same"
    assert [(delta.first_offset, delta.last_offset) for delta in once.values()] == [(0, 2), (3, 4), (5, 5)]
    sums: dict[tuple[object, ...], list[Decimal]] = {}
    for row in [row for delta in once.values() for row in delta.rows.to_pylist()]:
        total = sums.setdefault((row["minute"].replace(tzinfo=None), row["model"]), [Decimal(0)] * 5)
        for number, name in enumerate((*COSTS, "events", "unpriced")):
            total[number] += row[name]
    costs = ", ".join(f"ifNull(sum({name}), 0)" for name in COSTS)
    booked = store.rows(
        f"SELECT toStartOfMinute(occurred_at), model, {costs}, sum(events), sum(unpriced) FROM ledger GROUP BY 1, 2"
    )
    assert sums == {(minute, model): [Decimal(str(one)) for one in found] for minute, model, *found in booked}
    assert sum(total[2] for total in sums.values()) == Decimal("0.0000025") * (30 + 5)


def test_a_delta_that_cannot_be_sent_holds_up_no_block(store: StoreClient, broker: TansuBroker) -> None:
    """The receipt is written all the same, at once for the blocks after it; the gap in the offsets tells who reads."""
    kafka = embedded_kafka(broker.address)
    ensure_topics(kafka, [TopicSpec(COST_DELTAS, 1, 1, {})])
    worker = Worker(store, broker)
    worker.publisher.close()
    worker.publisher._producer = RecordProducer(kafka, timeout_s=0.3)
    broker.stop()
    worker.book(0, record(0, "a", tokens=1))
    began = datetime.now(UTC)
    worker.book(1, record(1, "b", tokens=1))
    assert datetime.now(UTC) - began < timedelta(seconds=5)
    assert store.rows("SELECT sum(received) FROM block_receipts") == [(2,)]
    broker.start()
    ensure_topics(kafka, [TopicSpec(COST_DELTAS, 1, 1, {})])
    worker.publisher._producer = RecordProducer(kafka)
    worker.publisher._paused_until = 0.0
    worker.book(2, record(2, "c", tokens=1))
    worker.publisher.close()
    assert [delta.first_offset for delta in announced(broker)] == [2]
