"""A repeated block is counted once in every table that a materialized view feeds: also after a crash in the middle.

The same check is turned on stores that were broken on purpose: it must see it.
"""

import random
import threading
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.store.client import StoreClient, StoreQueryError
from stream_jobs.store.tables import insert
from tests.store_server import StoreProcess, ledger_rows

pytestmark = pytest.mark.slow

ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")
SPREAD = 977  # rows of a block belong to so many customers: several rows per rollup key, several keys
_names = count()


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


class Books:
    """Blocks under a project of their own, and what they are worth in whole numbers."""

    def __init__(self) -> None:
        self.project = f"project-{next(_names)}"
        self._rows = 0
        self._cents = 0

    def block(self, rows: int) -> tuple[pa.Table, str]:
        """A new block that counts, with its token."""
        first = self._rows
        cents = [(first + number) % 7 + 1 for number in range(rows)]
        table = ledger_rows(
            rows,
            first=first,
            event_id=[f"{self.project}-{first + number}" for number in range(rows)],
            project=self.project,
            customer=[f"customer-{number % SPREAD}" for number in range(rows)],
            list_cost=[Decimal(cent) / 100 for cent in cents],
            input_tokens=10,
        )
        self._rows += rows
        self._cents += sum(cents)
        return table, f"{self.project}:{first}"

    def wrong(self, store: StoreClient) -> list[str]:
        """The tables whose sums are not exactly what was booked."""
        worth = (self._rows, Decimal(self._cents) / 100, 10 * self._rows)
        found = {
            table: store.rows(
                f"SELECT sum(events), sum(list_cost), sum(input_tokens) FROM {table} WHERE project = '{self.project}'"
            )
            for table in ("ledger", *ROLLUPS)
        }
        ids = f"SELECT count() FROM booked_ids WHERE startsWith(event_id, '{self.project}-')"
        wrong = [table for table, rows in found.items() if rows != [worth]]
        return wrong + (["booked_ids"] if store.rows(ids) != [(self._rows,)] else [])


def views_on_ledger(store: StoreClient) -> list[str]:
    """Every materialized view that an insert into the ledger feeds."""
    rows = store.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView' "
        "AND position(concat(create_table_query, ' '), ' FROM spendstream.ledger ') > 0 ORDER BY name"
    )
    return [str(row[0]) for row in rows]


def test_a_repeated_block_is_counted_once_everywhere(store: StoreClient) -> None:
    """At once, after other blocks, and after the parts were merged: the token decides in the tables behind the views
    too."""
    books = Books()
    first, second = books.block(2_000), books.block(3)
    for block in (first, first, second, first, second):
        insert(store.client, "ledger", *block)
    assert books.wrong(store) == []
    for table in ("ledger", "booked_ids", *ROLLUPS):
        store.command(f"OPTIMIZE TABLE {table} FINAL")
    for block in (second, first):
        insert(store.client, "ledger", *block)
    assert books.wrong(store) == []


def test_blocks_that_look_the_same_are_both_counted(store: StoreClient) -> None:
    """Only the token makes a block a repetition: rows that sum up to the same rollup rows as another block's count."""
    books = Books()
    for _ in range(3):
        insert(store.client, "ledger", *books.block(7))
    assert books.wrong(store) == []


def test_every_view_can_be_left_out_by_a_crash_and_is_completed_by_the_redo(store: StoreClient) -> None:
    """Ledger in, one of the rollups not: repeating the block completes this one and changes no other."""
    views = views_on_ledger(store)
    assert {f"{rollup}_feed" for rollup in ROLLUPS} <= set(views)
    for view in views:
        books = Books()
        block = books.block(500)
        store.command(f"DETACH TABLE {view}")
        try:
            insert(store.client, "ledger", *block)
        finally:
            store.command(f"ATTACH TABLE {view}")
        for _ in range(2):
            insert(store.client, "ledger", *block)
            assert books.wrong(store) == [], view


def test_a_store_killed_in_the_middle_of_inserts_counts_each_block_once(tmp_path: Path) -> None:
    """kill -9 at random instants of an insert of 10,000 rows; repeating the blocks on the store that comes back makes
    it exact, whatever part of a block had reached which table."""
    rng = random.Random(20261121)
    process = StoreProcess.made(tmp_path / "store")
    books = Books()
    blocks = []
    try:
        for _ in range(3):
            blocks.append(books.block(10_000))
            killer = threading.Timer(rng.uniform(0.02, 0.3), process.kill)
            with StoreClient(process.settings) as store:
                killer.start()
                try:
                    insert(store.client, "ledger", *blocks[-1])
                except (StoreUnavailableError, StoreQueryError):
                    pass  # whether it is in: that is what nobody knows
                finally:
                    killer.join()
            process = StoreProcess(process.folder, port=process.port).wait_ready()
            with StoreClient(process.settings) as store:
                for block in blocks:
                    insert(store.client, "ledger", *block)
                assert books.wrong(store) == []
    finally:
        process.kill()


# --- the check itself ----------------------------------------------------------------------------------------------


def test_the_check_sees_a_block_that_is_not_deduplicated(store: StoreClient) -> None:
    """The same rows under another token are counted twice, in every table."""
    books = Books()
    rows, token = books.block(100)
    insert(store.client, "ledger", rows, token)
    insert(store.client, "ledger", rows, f"{token} again")
    assert books.wrong(store) == ["ledger", *ROLLUPS, "booked_ids"]


@pytest.mark.parametrize("rollup", ROLLUPS)
def test_the_check_sees_a_view_that_counts_a_repeated_block_twice(store: StoreClient, rollup: str) -> None:
    """A rollup that remembers no tokens is fed a second time by the repetition that the ledger drops."""
    books = Books()
    block = books.block(100)
    window = str(
        store.rows(
            "SELECT extract(create_table_query, 'non_replicated_deduplication_window = (\\\\d+)') FROM system.tables "
            f"WHERE database = currentDatabase() AND name = '{rollup}'"
        )[0][0]
    )
    assert int(window) > 1000
    store.command(f"ALTER TABLE {rollup} MODIFY SETTING non_replicated_deduplication_window = 0")
    try:
        insert(store.client, "ledger", *block)
        assert books.wrong(store) == []
        insert(store.client, "ledger", *block)
        assert books.wrong(store) == [rollup]
    finally:
        store.command(f"ALTER TABLE {rollup} MODIFY SETTING non_replicated_deduplication_window = {window}")


@pytest.mark.parametrize("rollup", ROLLUPS)
def test_the_check_sees_a_view_that_misses_a_block(store: StoreClient, rollup: str) -> None:
    """What a crash left out and nobody repeats is missing in this rollup, and only there."""
    books = Books()
    store.command(f"DETACH TABLE {rollup}_feed")
    try:
        insert(store.client, "ledger", *books.block(100))
    finally:
        store.command(f"ATTACH TABLE {rollup}_feed")
    assert books.wrong(store) == [rollup]
