"""Booking into the embedded store through its HTTP interface: once, exactly, in the ledger and every rollup."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.report.figures import Figures
from stream_jobs.store.client import StoreQueryError, store_errors
from stream_jobs.store.tables import insert
from tests.store_server import StoreProcess, ledger_rows

ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")
TOTALS = """
sum(entries), sum(events), sum(list_cost), sum(contracted_cost), sum(effective_cost), sum(input_tokens),
sum(output_tokens), sum(unpriced_events)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    yield store
    store.kill()


@pytest.fixture
def client(store: StoreProcess) -> Iterator[Client]:
    """A client on empty tables."""
    with store.connect() as client:
        for table in ("ledger", "booked_ids", *ROLLUPS):
            client.command(f"TRUNCATE TABLE {table}")
        yield client


def one(client: Client, sql: str) -> tuple[Any, ...]:
    return tuple(client.query(sql).result_rows[0])


def test_a_repeated_insert_with_the_same_token_changes_neither_ledger_nor_rollups(client: Client) -> None:
    """The token of a block is checked in the table and in every table behind it."""
    rows = ledger_rows(1000)
    insert(client, "ledger", rows, "block-a")
    before = {table: one(client, f"SELECT {TOTALS} FROM {table}") for table in ROLLUPS}
    for _ in range(3):
        insert(client, "ledger", rows, "block-a")
    assert one(client, "SELECT count(), uniqExact(event_id) FROM ledger") == (1000, 1000)
    assert one(client, "SELECT count() FROM booked_ids") == (1000,)
    assert {table: one(client, f"SELECT {TOTALS} FROM {table}") for table in ROLLUPS} == before
    assert before["cost_1m"][:6] == (1000, 1000, *[Decimal("2.6")] * 3, 1_000_000)


def test_another_token_books_again(client: Client) -> None:
    """It is the token that decides, not the content: two equal requests by two events both count."""
    insert(client, "ledger", ledger_rows(10), "block-b")
    insert(client, "ledger", ledger_rows(10), "block-c")
    assert one(client, "SELECT count() FROM ledger") == (20,)
    assert one(client, "SELECT sum(events) FROM cost_1h") == (20,)


def test_two_blocks_with_equal_rollup_rows_both_count(client: Client) -> None:
    """Different blocks can sum to identical rollup rows; those must not be taken for repetitions."""
    for number in range(5):
        insert(client, "ledger", ledger_rows(7, first=7 * number), f"equal-{number}")
    assert [one(client, f"SELECT sum(events) FROM {table}") for table in ROLLUPS] == [(35,)] * 4


def test_a_redo_heals_an_insert_that_was_cut_between_ledger_and_rollup(client: Client) -> None:
    """When a rollup could not be fed, the redo of the block feeds it and doubles nothing else."""
    rows = ledger_rows(50, team="cut")
    client.command("RENAME TABLE cost_1h TO cost_1h_away")
    try:
        with pytest.raises((StoreQueryError, StoreUnavailableError)):
            insert(client, "ledger", rows, "cut-block")
    finally:
        client.command("RENAME TABLE cost_1h_away TO cost_1h")
    insert(client, "ledger", rows, "cut-block")
    insert(client, "ledger", rows, "cut-block")
    assert one(client, "SELECT count() FROM ledger") == (50,)
    assert one(client, "SELECT count() FROM booked_ids") == (50,)
    assert [one(client, f"SELECT sum(events) FROM {table}") for table in ROLLUPS] == [(50,)] * 4


def test_a_failure_while_a_rollup_is_written_is_reported_and_healed(client: Client) -> None:
    """The insert dies inside the last view, after its rows were read: booking hears of it, and the redo settles it."""
    rows = ledger_rows(30, team="dies")
    client.command("ALTER TABLE cost_1d ADD CONSTRAINT IF NOT EXISTS broken CHECK team != 'dies'")
    try:
        with pytest.raises(StoreQueryError, match="broken"):
            insert(client, "ledger", rows, "dying-block")
    finally:
        client.command("ALTER TABLE cost_1d DROP CONSTRAINT broken")
    for _ in range(2):
        insert(client, "ledger", rows, "dying-block")
    assert one(client, "SELECT count(), uniqExact(event_id) FROM ledger") == (30, 30)
    assert one(client, "SELECT count() FROM booked_ids") == (30,)
    assert [one(client, f"SELECT sum(events) FROM {table}") for table in ROLLUPS] == [(30,)] * 4


def test_a_block_of_late_events_is_one_part_of_the_ledger(client: Client) -> None:
    """Events of ten years ago and of today in one block make one part, so the insert is all or nothing."""
    rows = ledger_rows(80, occurred_at=[datetime(2020 + n % 7, 1 + n % 12, 3, tzinfo=UTC) for n in range(80)])
    insert(client, "ledger", rows, "late")
    parts = one(
        client, "SELECT count() FROM system.parts WHERE active AND database = 'spendstream' AND table = 'ledger'"
    )
    assert parts == (1,)
    assert one(client, "SELECT sum(events) FROM cost_1d") == (80,)


def test_money_comes_back_to_the_last_digit(client: Client) -> None:
    """Decimals travel as Arrow decimals: no float on the way, up to 26 digits before the point."""
    amounts = [Decimal("0.000000000001"), Decimal("-12345678901234567890123456.123456789012"), Decimal("0.1")]
    insert(client, "ledger", ledger_rows(3, list_cost=amounts, line_unit_price=[[Decimal("1E-18")]] * 3), "money")
    rows = client.query("SELECT list_cost FROM ledger ORDER BY event_id").result_rows
    assert [row[0] for row in rows] == amounts
    arrow = client.query_arrow("SELECT list_cost FROM ledger ORDER BY event_id")
    assert arrow.column("list_cost").to_pylist() == amounts
    with localcontext(prec=50):
        assert one(client, "SELECT sum(list_cost) FROM cost_1d") == (sum(amounts),)
    assert one(client, "SELECT any(line_unit_price[1]) FROM ledger") == (Decimal("1E-18"),)


def test_unpriced_usage_is_null_and_counted(client: Client) -> None:
    """An unknown price is NULL in the ledger and a number of events in the rollups, never a silent 0."""
    rows = ledger_rows(
        4,
        entry_kind=["charge", "charge", "charge", "retraction"],
        list_cost=[None, None, Decimal(2), None],
        contracted_cost=[None, None, Decimal(2), None],
        effective_cost=[None, None, Decimal(2), None],
        unpriced_reason=["unknown_model", "unknown_model", "", "unknown_model"],
    )
    insert(client, "ledger", rows, "unpriced")
    assert one(client, "SELECT countIf(list_cost IS NULL), countIf(list_cost = 0) FROM ledger") == (3, 0)
    for table in ROLLUPS:
        totals = one(client, f"SELECT sum(events), sum(unpriced_events), sum(effective_cost) FROM {table}")
        assert totals == (2, 1, Decimal(2))


def test_what_was_priced_since_is_no_example_of_unpriced_usage(client: Client) -> None:
    """Of what has no price now, the device, the reason, an example and when it was seen first: for analysts and in the
    report."""
    first, later = datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
    accelerators = ["Z99", "Z99", "Z99", "A100"]
    reasons = ["unknown_accelerator", "unknown_accelerator", "no_price_for_condition", "unknown_accelerator"]
    rows = ledger_rows(
        4,
        event_id=["priced", "priced", "left", "other"],
        entry_kind=["charge", "adjustment", "charge", "charge"],
        occurred_at=[first, first, later, later],
        kind="compute",
        model="",
        list_cost=None,
        contracted_cost=None,
        effective_cost=None,
        accelerator=accelerators,
        unpriced_reason=reasons,
        unpriced_detail=[f"{one} of {two}" for one, two in zip(reasons, accelerators, strict=True)],
    )
    for name, signs in (("events", [1, -1, 1, 1]), ("unpriced", [1, -1, 1, 1])):
        rows = rows.append_column(name, pa.array(signs, pa.int8()))
    insert(client, "ledger", rows, "priced since")
    asked = "accelerator, unpriced_reason, example, unpriced_events, first_seen"
    assert client.query(f"SELECT {asked} FROM unpriced_usage ORDER BY accelerator", tz_mode="aware").result_rows == [
        ("A100", "unknown_accelerator", "unknown_accelerator of A100", 1, later),
        ("Z99", "no_price_for_condition", "no_price_for_condition of Z99", 1, later),
    ]
    figures = Figures(client)
    figures.period = {"start": first, "end": later + timedelta(days=1)}
    assert [row[1:] for row in figures.rows("unpriced", rows=9)] == [
        ("A100", 1, "unknown_accelerator", "unknown_accelerator of A100"),
        ("Z99", 1, "no_price_for_condition", "no_price_for_condition of Z99"),
    ]


def test_absent_meters_stay_absent(client: Client) -> None:
    """A meter the event did not report is NULL, one it reported as zero is 0."""
    insert(client, "ledger", ledger_rows(2, cache_read_tokens=[0, None]), "absent")
    rows = client.query("SELECT cache_read_tokens FROM ledger ORDER BY event_id").result_rows
    assert rows == [(0,), (None,)]


def test_rows_that_break_the_table_are_refused_whole(client: Client) -> None:
    """A value outside of the table's types refuses the insert; nothing of it is booked."""
    with pytest.raises(StoreQueryError):
        insert(client, "ledger", ledger_rows(3, entry_kind=["charge", "gift", "charge"]), "broken")
    assert one(client, "SELECT count() FROM ledger") == (0,)


def test_a_store_that_is_away_is_an_error_to_retry(tmp_path: Path) -> None:
    """A dead store is told apart from a wrong statement."""
    store = StoreProcess.made(tmp_path / "store")
    with store.connect() as client:
        store.kill()
        with pytest.raises(StoreUnavailableError):
            insert(client, "ledger", ledger_rows(1), "away")
        with pytest.raises(StoreUnavailableError), store_errors(store.url):
            client.query("SELECT 1")
