"""Booking blocks into the real store: a crash between any two steps, redone blocks, zombies."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

import pytest

from spendstream_schemas import InvalidReason
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import CrashError
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.blocks.partition import PartitionBooker
from stream_jobs.blocks.queue import Room
from stream_jobs.blocks.side_tables import quarantine_table
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.quarantine.records import Selection, find
from stream_jobs.quarantine.replay import replay
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from stream_jobs.streams.model import (
    Block,
    BlockCounts,
    BlockOutput,
    RejectedRecord,
    SourcePartition,
    SourceRecord,
    Versions,
)
from tests.integration.block_writes import insert_block
from tests.store_server import StoreProcess
from tests.unit.metering.build import TokenPricer, record

TOPIC = "usage.events.v1"
TOLERANCE = timedelta(minutes=5)
ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")
_topics = count()


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    """A client on empty tables."""
    with StoreClient(process.settings) as store:
        for table in ("ledger", "booked_ids", *ROLLUPS, "blocks", "block_receipts", "duplicates", "quarantine"):
            store.command(f"TRUNCATE TABLE {table}")
        store.command("TRUNCATE TABLE quarantine_replays")
        yield store


@pytest.fixture
def source() -> SourcePartition:
    """A partition of a topic that no other test has booked: the store remembers tokens."""
    return SourcePartition(TOPIC, f"topic-{next(_topics)}", 0)


def metering(store: StoreClient) -> Metering:
    return Metering(TokenPricer(), AttributionRules.load(None), ClickHouseLedger(store), TOLERANCE)


class KilledError(CrashError):
    """Stands for kill -9: the booker stops where it is."""


class Log:
    """A partition's records and its committed offset, and workers on it that are killed at a chosen call."""

    def __init__(self, source: SourcePartition, records: list[SourceRecord], store: StoreClient) -> None:
        self.source, self.records, self.store = source, records, store
        self.committed = 0

    async def work(self, killed_at: int | None, *, after: bool = False) -> bool:
        """One worker's life from its assignment on; True when it booked to the end. `killed_at` counts its calls; with
        `after` the call takes effect before the worker dies."""
        calls = count()
        step = metering(self.store)
        blocks = ClickHouseBlocks(self.store)

        async def mortal(call: Any) -> Any:
            number = next(calls)
            if number == killed_at and not after:
                raise KilledError("before")
            result = await call()
            if number == killed_at:
                raise KilledError("after")
            return result

        class Blocks:
            async def write_block_row(self, block: Block) -> None:
                await mortal(lambda: blocks.write_block_row(block))

            async def instant(self) -> datetime:
                return await blocks.instant()

            async def deadline(self) -> datetime:
                return await blocks.deadline()

            async def insert(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
                # Table by table, so that death between two tables is among the cases.
                for name, rows in output.tables.items():
                    await mortal(partial(asyncio.to_thread, insert, self_store.client, name, rows, block.token))

            async def write_receipt(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
                await mortal(lambda: blocks.write_receipt(block, output, not_after))

        self_store = self.store

        async def process(block: Block, records: list[SourceRecord]) -> BlockOutput:
            return await asyncio.to_thread(step.process, block, records)

        async def commit(offset: int) -> None:
            async def accept() -> None:
                self.committed = offset

            await mortal(accept)

        redo = await blocks.last_block(self.source, self.committed) if self.committed else None
        booker = PartitionBooker(
            self.source,
            self.committed,
            redo,
            generation=1,
            process=process,
            store=Blocks(),
            commit=commit,
            announce=None,
            versions=step.versions,
            on_booked=lambda *_: done.append(1) if booker.next_offset == len(self.records) else None,
            limits=BookerLimits(max_block_rows=4),
            room=Room(60_000, 2**20),
            slots=asyncio.Semaphore(1),
        )
        done: list[int] = []
        task = asyncio.create_task(booker.run())
        await booker.offer(self.records[booker.next_offset :])
        while not task.done() and not done:
            await asyncio.sleep(0.001)
        await booker.close()
        try:
            await task
        except KilledError:
            return False
        return True


def records() -> list[SourceRecord]:
    """Ten records in three blocks: events, a copy within a block and one across blocks, a correction, garbage."""
    return [
        record(0, "a", tokens=100),
        record(1, "b", tokens=20),
        record(2, "a", tokens=999),
        SourceRecord(3, None, b"key", b"garbage"),
        record(4, "a", tokens=1, revision=1),
        record(5, "b", tokens=77),
        record(6, "c", tokens=3, model="unknown"),
        record(7, "d", tokens=4),
        record(8, "e", tokens=5),
        record(9, "a", tokens=2, revision=2),
    ]


def assert_exact(store: StoreClient) -> None:
    """What is booked of `records()`, in the ledger and each rollup, and where everything else went."""
    net = store.rows("SELECT event_id, sum(ifNull(input_tokens, 0)) FROM ledger GROUP BY event_id ORDER BY event_id")
    assert net == [("a", 2), ("b", 20), ("c", 3), ("d", 4), ("e", 5)]
    cost = Decimal("0.0000025") * (2 + 20 + 4 + 5)
    totals = "sum(events), sum(list_cost), sum(input_tokens)"
    for table in ("ledger", *ROLLUPS):
        assert store.rows(f"SELECT {totals} FROM {table}") == [(5, cost, 34)], table
    assert store.rows("SELECT count(), sum(unpriced) FROM ledger") == [(9, 1)], "7 charges, 2 retractions"
    assert store.rows("SELECT offset FROM duplicates ORDER BY offset") == [(2,), (5,)]
    assert store.rows("SELECT offset FROM quarantine") == [(3,)]
    # A receipt may stand twice when its worker died before it heard of it, except for the token.
    assert store.rows("SELECT sum(received), sum(booked), sum(duplicates), sum(quarantined) FROM block_receipts") == [
        (10, 7, 2, 1)
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "killed_at", [*range(3), *(pytest.param(step, marks=pytest.mark.slow) for step in range(3, 14))]
)
def test_a_crash_around_any_step_books_every_event_once(
    store: StoreClient, source: SourcePartition, killed_at: int, after: bool
) -> None:
    """Whichever call the worker dies at, before or after it took effect: the next one books the rest, exactly."""
    log = Log(source, records(), store)

    async def test() -> None:
        finished = await log.work(killed_at, after=after)
        assert not finished or killed_at > 10, "the worker must have died"
        while not finished:
            finished = await log.work(None)

    asyncio.run(asyncio.wait_for(test(), 60))
    assert_exact(store)


def test_workers_that_all_die_early_still_come_to_the_end(store: StoreClient, source: SourcePartition) -> None:
    """Each worker gets a little further than the last one's commit; redoing again and again changes nothing."""
    log = Log(source, records(), store)

    async def test() -> None:
        for killed_at in (2, 3, 3, 4, 5, 6, 7, 5, 8):
            if await log.work(killed_at, after=True):
                break
        assert await log.work(None)
        assert await log.work(None), "a worker that finds everything booked redoes the last block and stops"

    asyncio.run(asyncio.wait_for(test(), 60))
    assert_exact(store)


def test_a_redo_feeds_a_rollup_that_a_crash_left_out_of_a_correction(
    store: StoreClient, source: SourcePartition
) -> None:
    """The block of a correction dies between ledger and rollup. Its redo must take back in the rollup too, although
    the ledger shows its own retraction already."""
    step, blocks = metering(store), ClickHouseBlocks(store)

    async def book(first: int, *items: SourceRecord) -> None:
        block = Block(source, first, first + len(items) - 1, datetime.now(UTC), step.versions(), 1)
        await insert_block(blocks, block, step.process(block, list(items)))

    correction = record(1, "a", tokens=7, revision=1)
    asyncio.run(book(0, record(0, "a", tokens=100)))
    block = Block(source, 1, 1, datetime.now(UTC), step.versions(), 1)
    store.command("DETACH TABLE cost_1h_feed")
    try:
        asyncio.run(insert_block(blocks, block, step.process(block, [correction])))
    finally:
        store.command("ATTACH TABLE cost_1h_feed")
    assert store.rows("SELECT sum(input_tokens) FROM cost_1h") == [(100,)], "what the crash left behind"
    again = replace(block, redone=True)
    asyncio.run(insert_block(blocks, again, step.process(again, [correction])))
    for table in ("ledger", *ROLLUPS):
        assert store.rows(f"SELECT sum(events), sum(input_tokens) FROM {table}") == [(1, 7)], table


def test_what_earlier_blocks_booked_is_not_booked_again_by_blocks_that_are_cut_differently(
    store: StoreClient, source: SourcePartition
) -> None:
    """A group's offsets are lost or set back: the topic is read from its beginning, in other blocks. Copies and
    corrections among the records come to what they came to the first time."""
    step, blocks = metering(store), ClickHouseBlocks(store)
    items = [
        *(record(offset, f"e{offset}", tokens=10) for offset in range(4)),
        record(4, "e1", tokens=10),
        record(5, "e2", tokens=30, revision=1),
    ]

    async def book(first: int, last: int) -> BlockOutput:
        block = Block(source, first, last, await blocks.instant(), step.versions(), 1)
        output = step.process(block, items[first : last + 1])
        await insert_block(blocks, block, output)
        return output

    asyncio.run(book(0, 2))
    asyncio.run(book(3, 5))
    totals = [store.rows(f"SELECT sum(events), sum(input_tokens) FROM {table}") for table in ("ledger", *ROLLUPS)]
    assert totals == [[(4, 60)]] * (1 + len(ROLLUPS))
    for first, last in ((0, 5), (0, 1), (2, 5)):
        assert asyncio.run(book(first, last)).counts.booked == 0
    assert [
        store.rows(f"SELECT sum(events), sum(input_tokens) FROM {table}") for table in ("ledger", *ROLLUPS)
    ] == totals


def test_the_same_block_inserted_by_many_at_once_is_booked_once(store: StoreClient, source: SourcePartition) -> None:
    """A booker whose insert is under way and its successor's redo meet: the token decides in every table."""
    step = metering(store)
    block = Block(source, 0, 99, datetime.now(UTC), step.versions(), 1)
    output = step.process(block, [record(offset, f"e{offset}") for offset in range(100)])
    blocks = ClickHouseBlocks(store)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: asyncio.run(insert_block(blocks, block, output)), range(6)))
    for table in ("ledger", *ROLLUPS):
        assert store.rows(f"SELECT sum(events) FROM {table}") == [(100,)], table
    assert store.rows("SELECT count() FROM booked_ids") == [(100,)]
    assert store.rows("SELECT sum(received) FROM block_receipts") == [(100,)]


def test_the_official_block_is_told_from_a_zombies(store: StoreClient, source: SourcePartition) -> None:
    """Rows that end at the same offset: the one that starts last is official, for a worker that lost the partition
    fixed its block where the official ones ended earlier; of equal ranges the one of the later generation, whatever the
    clocks said. Other partitions and incarnations do not count."""
    blocks = ClickHouseBlocks(store)
    now = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
    official = Block(source, 60, 99, now, Versions("b", "r"), 2)
    others = [
        Block(source, 60, 99, now + timedelta(minutes=1), Versions("z", "z"), 1),
        Block(source, 10, 99, now + timedelta(seconds=1), Versions("z", "z"), 1),
        Block(source, 60, 98, now, Versions("z", "z"), 1),
        Block(replace(source, partition=1), 70, 99, now, Versions("z", "z"), 1),
        Block(replace(source, topic_id="older"), 80, 99, now, Versions("z", "z"), 1),
    ]

    async def test() -> None:
        for block in [*others, official, official]:
            await blocks.write_block_row(block)
        found = await blocks.last_block(source, 100)
        assert found == official
        assert found.redone
        assert await blocks.last_block(source, 101) is None

    asyncio.run(test())


def quarantined(source: SourcePartition, values: list[bytes | None], timestamp: int | None = None) -> tuple[Block, Any]:
    block = Block(source, 0, len(values) - 1, datetime.now(UTC), Versions(), 1)
    rejected = [
        RejectedRecord(SourceRecord(offset, timestamp, b"\x00\xff", value), InvalidReason.NOT_JSON, "", "detail")
        for offset, value in enumerate(values)
    ]
    return block, quarantine_table(rejected, block)


@pytest.mark.parametrize("timestamp", [0, -(2**40), 2**45, 2**62, -(2**63) + 2])
def test_any_timestamp_a_producer_sets_can_be_quarantined(
    store: StoreClient, source: SourcePartition, timestamp: int
) -> None:
    """Producers choose the timestamps of their records; one outside of the store's range must not stop the block."""
    block, rows = quarantined(source, [b"x"], timestamp)
    output = BlockOutput(BlockCounts(received=1, quarantined=1), {"quarantine": rows})
    asyncio.run(insert_block(ClickHouseBlocks(store), block, output))
    assert store.rows("SELECT hex(raw), hex(key) FROM quarantine") == [("78", "00FF")]


def test_finding_reads_more_than_a_page_without_gap_or_copy(store: StoreClient, source: SourcePartition) -> None:
    """More records than a page, of one instant and of several, newest first; a limit and each filter hold."""
    for part in range(3):
        block, rows = quarantined(replace(source, partition=part), [b"%d" % n for n in range(420)])
        insert(store.client, "quarantine", rows, block.token)
    found = list(find(store, Selection()))
    assert len({item.name for item in found}) == len(found) == 1260
    keys = [(item.quarantined_at, item.topic_id, item.partition, item.offset) for item in found]
    assert keys == sorted(keys, reverse=True)
    assert [item.name for item in find(store, Selection(), 501)] == [item.name for item in found[:501]]
    names = [found[3].name, found[1200].name]
    assert [item.name for item in find(store, Selection(names=names))] == names
    assert list(find(store, Selection(reason="too_large"))) == []
    assert list(find(store, Selection(since=datetime.now(UTC)))) == []
    assert all(item.whole and not item.replayed for item in found)


def test_a_record_that_was_cut_is_not_replayed(store: StoreClient, source: SourcePartition) -> None:
    """Of more than 1 MiB only the beginning is kept: sending that would be another message. It is counted instead."""
    block, rows = quarantined(source, [b"x" * (2**20), b"x" * (2**20 + 1)])
    insert(store.client, "quarantine", rows, block.token)
    kept = {item.offset: (item.whole, item.kept, item.raw_size) for item in find(store, Selection())}
    assert kept == {0: (True, 2**20, 2**20), 1: (False, 2**20, 2**20 + 1)}
    cut = [item for item in find(store, Selection()) if not item.whole]
    result = replay(store, embedded_kafka("127.0.0.1:1"), cut, "")
    assert (result.sent, result.cut) == (0, 1)
    assert store.rows("SELECT count() FROM quarantine_replays") == [(0,)]
