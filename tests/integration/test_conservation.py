"""Conservation on the real store: each way in which records can go missing or be doubled has a name."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast

import pyarrow as pa
import pytest

from spendstream_schemas import InvalidReason
from stream_jobs.base.instants import as_utc
from stream_jobs.blocks.side_tables import duplicates_table, quarantine_table
from stream_jobs.conservation.check import COLUMNS, check
from stream_jobs.reconciliation.run import Reconciler
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.store.client import StoreClient
from stream_jobs.store.retention import RetentionSettings, apply_retention
from stream_jobs.store.tables import arrow_table, insert
from stream_jobs.streams.model import Block, DuplicateRecord, RejectedRecord, SourcePartition, SourceRecord, Versions
from tests.store_server import StoreProcess, ledger_rows

TOPIC = "usage.events.v1"
NOW = datetime.now(UTC).replace(minute=10, second=0, microsecond=0)
TABLES = (
    *("ledger", "booked_ids", "blocks", "block_receipts", "duplicates", "quarantine", "outcomes", "response_ids"),
    *("reconciliation_runs", "reconciliation_batches", "reconciliation_findings"),
)
NAMES = (
    *("in_flight", "difference", "rows_missing", "rows_extra", "receipt_missing", "gap", "overlap", "unbalanced"),
    *("ttl_dropped", "taken_back", "superseded", "no_record", "before_first"),
)


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    """A client on empty tables."""
    with StoreClient(process.settings) as store:
        for table in TABLES:
            store.command(f"TRUNCATE TABLE {table}")
        yield store


_topics = count()
_tokens = count()


class Partition:
    """Books blocks as the jobs do: of every ten records eight are booked, one is a duplicate, one is refused."""

    def __init__(self, store: StoreClient) -> None:
        self.store = store
        self.source = SourcePartition(TOPIC, f"topic-{next(_topics)}", 3)

    def insert(self, table: str, rows: Any) -> None:
        insert(self.store.client, table, rows, f"conservation-{next(_tokens)}")

    def block(self, first: int, last: int, at: datetime | None = None) -> Block:
        fixed_at = NOW + timedelta(microseconds=first) if at is None else at
        return Block(self.source, first, last, fixed_at, Versions(), 1)

    def intend(self, *blocks: Block) -> None:
        rows = [
            self._range(block)
            | {"fixed_at": block.fixed_at, "generation": block.generation, "sender_rules": "", "refusals": ""}
            | {"price_book_version": "", "attribution_version": ""}
            for block in blocks
        ]
        self.insert("blocks", arrow_table("blocks", rows))

    def rows(self, *blocks: Block) -> None:
        offsets = {block: range(block.first_offset, block.last_offset + 1) for block in blocks}
        booked = [(at, block.fixed_at) for block in blocks for at in offsets[block] if at % 10 < 8]
        charges = ledger_rows(
            len(booked),
            event_id=[f"{self.source.topic_id}-{offset}" for offset, _ in booked],
            offset=[offset for offset, _ in booked],
            topic_id=self.source.topic_id,
            partition=self.source.partition,
            booked_at=[fixed_at for _, fixed_at in booked],
        )
        self.insert("ledger", charges)
        twice = {
            block: [DuplicateRecord(_record(at), "e", 0, "s", NOW) for at in offsets[block] if at % 10 == 8]
            for block in blocks
        }
        self.insert("duplicates", pa.concat_tables(duplicates_table(twice[block], block) for block in blocks))
        refused = {
            block: [
                RejectedRecord(_record(at), InvalidReason.NOT_JSON, "", "") for at in offsets[block] if at % 10 == 9
            ]
            for block in blocks
        }
        self.insert("quarantine", pa.concat_tables(quarantine_table(refused[block], block) for block in blocks))

    def receipt(self, *blocks: Block, **changes: int) -> None:
        rows = []
        for block in blocks:
            number = block.last_offset - block.first_offset + 1
            counts = {"received": number, "booked": number * 8 // 10, "duplicates": number // 10}
            counts |= {"quarantined": number // 10, "unpriced": 0, "unknown_fields": 0}
            completed = {"completed_at": block.fixed_at + timedelta(seconds=1)}
            rows.append(self._range(block) | counts | changes | completed)
        self.insert("block_receipts", arrow_table("block_receipts", rows))

    def book(self, first: int, last: int, at: datetime | None = None) -> None:
        self.book_all(self.block(first, last, at))

    def book_all(self, *blocks: Block) -> None:
        """What the jobs insert block by block, at once: a sixth of the store's work."""
        self.intend(*blocks)
        self.rows(*blocks)
        self.receipt(*blocks)

    def _range(self, block: Block) -> dict[str, Any]:
        return {
            "topic": TOPIC,
            "topic_id": self.source.topic_id,
            "partition": self.source.partition,
            "first_offset": block.first_offset,
            "last_offset": block.last_offset,
            "worker": "w",
        }


def _record(offset: int) -> SourceRecord:
    return SourceRecord(offset, None, b"k", b"{")


@pytest.fixture
def partition(store: StoreClient) -> Partition:
    return Partition(store)


def accounts(store: StoreClient) -> dict[str, int]:
    """The sums of the view, without the names that are 0; the check in portions, one hour each, finds the same."""
    sums = ", ".join(f"sum({name})" for name in ("received", "booked", "duplicates", "quarantined", *NAMES))
    row = store.rows(f"SELECT {sums} FROM conservation")[0]
    names = ("received", "booked", "duplicates", "quarantined", *NAMES)
    found = {name: int(str(value)) for name, value in zip(names, row, strict=True) if value}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream_jobs.conservation.portions.PORTION_BLOCKS", 1)
        checked = check(store, NOW - timedelta(days=500), kafka=None).totals()
    assert {name: checked[name] for name in names if checked[name]} == found
    return found


WHOLE = {"received": 100, "booked": 80, "duplicates": 10, "quarantined": 10}


def test_what_was_booked_closes(store: StoreClient, partition: Partition) -> None:
    """Finished blocks: received is booked + duplicates + quarantined, by the rows themselves, and nothing is named."""
    for first in range(0, 100, 20):
        partition.book(first, first + 19)
    assert accounts(store) == WHOLE
    row = store.rows("SELECT topic, topic_id, partition, hour, blocks FROM conservation")
    assert row == [(TOPIC, partition.source.topic_id, 3, NOW.replace(minute=0, tzinfo=None), 5)]


def lose(table: str, where: str = "offset % 10 IN (1, 8, 9)") -> Callable[[Partition], None]:
    return lambda partition: partition.store.command(f"DELETE FROM {table} WHERE {where}")


def _swap(partition: Partition) -> None:
    lose("ledger", "offset = 3")(partition)
    row = ledger_rows(1, event_id=["x"], offset=[5], topic_id=partition.source.topic_id, partition=3)
    booked_at = NOW + timedelta(microseconds=0)
    partition.insert("ledger", row.set_column(4, "booked_at", [[booked_at]]).cast(row.schema))


def _again(partition: Partition) -> None:
    block = partition.block(0, 19)
    rows = ledger_rows(1, event_id=["x"], offset=[5], topic_id=partition.source.topic_id, partition=3)
    partition.insert("ledger", rows.set_column(4, "booked_at", [[block.fixed_at]]).cast(rows.schema))


def _stray(partition: Partition) -> None:
    partition.rows(partition.block(20, 39, NOW + timedelta(minutes=1)))


def _superseded(partition: Partition) -> None:
    partition.intend(partition.block(20, 29, NOW + timedelta(minutes=1)))


def _in_flight(partition: Partition) -> None:
    partition.intend(partition.block(100, 119))
    partition.rows(partition.block(100, 119))


def _nobodys(partition: Partition) -> None:
    partition.rows(partition.block(100, 119))


def _taken(partition: Partition) -> None:
    partition.intend(partition.block(100, 129))


def _overlap(partition: Partition) -> None:
    partition.receipt(partition.block(90, 109))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (lose("ledger"), {"rows_missing": 10, "difference": 10, "booked": 70}),
        (lose("duplicates"), {"rows_missing": 10, "difference": 10, "duplicates": 0}),
        (lose("quarantine"), {"rows_missing": 10, "difference": 10, "quarantined": 0}),
        (_again, {"rows_extra": 1, "difference": -1, "booked": 81}),
        (_swap, {"rows_extra": 1, "rows_missing": 1}),
        (_stray, {"rows_extra": 20}),
        (_superseded, {"superseded": 1}),
        (_in_flight, {"in_flight": 20}),
        (_taken, {"in_flight": 30}),
        (_nobodys, {"rows_extra": 20}),
        (
            lose("block_receipts", "first_offset = 40"),
            {"gap": 20, "receipt_missing": 20, "received": 80, "booked": 64, "duplicates": 8, "quarantined": 8},
        ),
    ],
)
def test_every_fault_has_a_name(
    store: StoreClient, partition: Partition, fault: Callable[[Partition], None], expected: dict[str, int]
) -> None:
    """Rows are deleted, doubled and exchanged, receipts lost: the view says what happened, and how much of it."""
    partition.book_all(*(partition.block(first, first + 19) for first in range(0, 100, 20)))
    fault(partition)
    assert accounts(store) == {name: number for name, number in (WHOLE | expected).items() if number}


def test_a_hole_that_nobody_booked_is_a_gap(store: StoreClient, partition: Partition) -> None:
    """Offsets between two finished blocks without a receipt and without rows."""
    partition.book(0, 19)
    partition.book(30, 39)
    assert accounts(store)["gap"] == 10
    assert "receipt_missing" not in accounts(store)


def test_offsets_in_two_receipts_overlap(store: StoreClient, partition: Partition) -> None:
    """Two blocks that both claim to have finished the same offsets."""
    partition.book(0, 19)
    partition.book(10, 29, NOW + timedelta(minutes=1))
    assert accounts(store)["overlap"] == 10


def test_offsets_without_records_are_told_apart(store: StoreClient, partition: Partition) -> None:
    """A block that covers more offsets than it received records: transaction markers, or compaction."""
    block = partition.block(0, 24)
    partition.intend(block)
    partition.rows(partition.block(0, 19, block.fixed_at))
    partition.receipt(block, received=20, booked=16, duplicates=2, quarantined=2)
    assert accounts(store) == {"received": 20, "booked": 16, "duplicates": 2, "quarantined": 2, "no_record": 5}


def test_a_receipt_that_does_not_add_up_is_named(store: StoreClient, partition: Partition) -> None:
    """More received than accounted for: the job itself lost a record."""
    block = partition.block(0, 19)
    partition.intend(block)
    partition.rows(block)
    partition.receipt(block, received=19)
    assert accounts(store)["unbalanced"] == 1


def test_a_partition_may_begin_late(store: StoreClient, partition: Partition) -> None:
    """Offsets before the first block are told, and are no difference."""
    partition.book(40, 59)
    assert accounts(store)["before_first"] == 40
    assert accounts(store).get("difference", 0) == 0


@pytest.mark.slow
def test_what_retention_removed_is_no_loss(store: StoreClient, partition: Partition) -> None:
    """Quarantined records are kept for a shorter time than receipts: they are named, not missing."""
    apply_retention(store.client, RetentionSettings(quarantine_days=30))
    partition.book(0, 19, NOW - timedelta(days=40))
    store.command("TRUNCATE TABLE quarantine")
    found = accounts(store)
    assert found["ttl_dropped"] == 2
    assert "rows_missing" not in found


def test_copies_that_were_taken_back_are_explained(store: StoreClient, partition: Partition) -> None:
    """A block inserted twice is rows_extra until reconciliation has reversed it; then it is told, and closes."""
    partition.book(0, 19)
    rows = ledger_rows(16).schema
    charges = store.client.query_arrow(f"SELECT {', '.join(rows.names)} FROM ledger")
    partition.insert("ledger", charges.cast(rows))
    assert accounts(store)["rows_extra"] == 16
    Reconciler(store, ReconciliationSettings()).apply("test", NOW - timedelta(days=1))
    found = accounts(store)
    assert found["taken_back"] == 16
    assert "rows_extra" not in found
    assert found.get("difference", 0) == 0


FAULTS: tuple[Callable[[Partition, int], None], ...] = (
    lambda partition, first: partition.store.command(f"DELETE FROM ledger WHERE offset = {first + 3}"),
    lambda partition, first: partition.store.command(f"DELETE FROM block_receipts WHERE first_offset = {first}"),
    lambda partition, first: partition.store.command(f"DELETE FROM quarantine WHERE offset = {first + 9}"),
    lambda partition, first: partition.receipt(partition.block(first + 10, first + 29, NOW + timedelta(minutes=first))),
    lambda partition, first: partition.receipt(partition.block(first, first + 49, NOW - timedelta(minutes=first))),
    lambda partition, first: partition.intend(partition.block(first, first + 9, NOW + timedelta(hours=1))),
    lambda partition, first: partition.rows(partition.block(first + 1000, first + 1019, NOW - timedelta(hours=first))),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_an_hour_says_the_same_whatever_else_is_asked(store: StoreClient, seed: int) -> None:
    """Two partitions over many hours with faults here and there: the check since any hour, in portions of any size, has
    the rows that the view has of these hours, and the hours of one portion do not depend on those of another."""
    chance = random.Random(seed)
    partitions = [Partition(store), Partition(store)]
    for partition in partitions:
        first, hours = chance.choice((0, 40)), sorted(chance.sample(range(60), 5))
        blocks = []
        for hour in hours:
            blocks.append(partition.block(first, first + 19, NOW - timedelta(hours=60 - hour)))
            first += chance.choice((20, 20, 20, 20, 30))
        partition.book_all(*blocks)
    for _ in range(3):
        chance.choice(FAULTS)(chance.choice(partitions), chance.randrange(5) * 20)
    whole = store.rows(f"SELECT {', '.join(COLUMNS)} FROM conservation ORDER BY topic, topic_id, partition, hour")
    rows_of_view = [(*row[:3], as_utc(row[3]), *row[4:]) for row in cast(list[tuple[Any, ...]], whole)]
    this_hour = NOW.replace(minute=0)
    for since in (this_hour - timedelta(days=500), this_hour - timedelta(hours=chance.randrange(60))):
        expected = [row for row in rows_of_view if row[3] >= since]
        for size in (3, 10**6):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr("stream_jobs.conservation.portions.PORTION_BLOCKS", size)
                found = check(store, since, kafka=None).hours
            rows = [tuple(getattr(hour, name) for name in COLUMNS) for hour in found]
            assert rows == expected, (seed, since, size)


MANY: int = 300_000
SMALL_MEMORY: int = 512 * 1024 * 1024


@pytest.mark.slow
def test_many_blocks_need_little_memory(process: StoreProcess, store: StoreClient) -> None:
    """600,000 blocks of one record, of which one lacks its row: the view answers in 512 MiB, and so does the check; a
    view that joins blocks, receipts and rows in memory needs twice that."""
    many = 2 * MANY
    at = "fromUnixTimestamp64Micro(1790000000000000 + number * 1000000, 'UTC')"
    place = "'usage.events.v1', 'topic-many', 0, number, number"
    columns = "topic, topic_id, partition, first_offset, last_offset"
    for statement in (
        "INSERT INTO ledger (event_id, entry_kind, occurred_at, booked_at, kind, topic_id, partition, offset) "
        f"SELECT toString(number), 'charge', {at}, {at}, 'tokens', 'topic-many', 0, number FROM numbers({many}) "
        "WHERE number != 1234",
        f"INSERT INTO blocks ({columns}, fixed_at) SELECT {place}, {at} FROM numbers({many})",
        f"INSERT INTO block_receipts ({columns}, completed_at, received, booked) "
        f"SELECT {place}, {at}, 1, 1 FROM numbers({many})",
    ):
        store.command(statement)
    limited = StoreClient(process.settings)
    with limited:
        limited.client.set_client_setting("max_memory_usage", SMALL_MEMORY)
        sums = limited.rows("SELECT sum(received), sum(booked), sum(rows_missing), count() FROM conservation")
        assert sums == [(many, many - 1, 1, many // 3600 + 1)]
        found = check(limited, datetime(2020, 1, 1, tzinfo=UTC), kafka=None)
    assert {name: value for name, value in found.totals().items() if value} == {
        "received": many,
        "booked": many - 1,
        "difference": 1,
        "rows_missing": 1,
    }


def test_a_look_at_the_last_hours_reads_the_last_hours(process: StoreProcess, store: StoreClient) -> None:
    """A check of three hours reads a small part of what is kept of the blocks before them."""
    at = "fromUnixTimestamp64Micro(1790000000000000 + number * 1000000, 'UTC')"
    place = "'usage.events.v1', 'topic-long', 0, number, number"
    columns = "topic, topic_id, partition, first_offset, last_offset"
    for table, more, values in (
        ("blocks", "fixed_at", at),
        ("block_receipts", "completed_at, received, booked", f"{at}, 1, 1"),
    ):
        store.command(f"INSERT INTO {table} ({columns}, {more}) SELECT {place}, {values} FROM numbers({MANY})")
    begin = datetime.fromtimestamp(1790000000 + MANY - 2 * 3600, UTC).replace(minute=0, second=0)
    read: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        ask = store.client.query

        def counted(*args: Any, **named: Any) -> Any:
            answer = ask(*args, **named)
            read.append(int(answer.summary.get("read_rows", 0)))
            return answer

        patched.setattr(store.client, "query", counted)
        found = check(store, begin, kafka=None)
    assert found.totals()["received"] == 300_000 - (begin.timestamp() - 1790000000)
    assert sum(read) < 2 * MANY, read
