"""What a stretch held and what was to be expected of it, from the ledger and its rollups, on the real store."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow.compute as pc
import pytest

from stream_jobs.anomalies import reading
from stream_jobs.anomalies.evidence import OTHERS, Evidence
from stream_jobs.anomalies.model import EVENTS, FindingRow
from stream_jobs.anomalies.reading import Reader
from stream_jobs.series.history import Source
from stream_jobs.store.client import StoreClient, StoreQueryError
from stream_jobs.store.tables import insert
from tests.store_server import StoreProcess, ledger_rows
from tests.unit.anomalies.telling_world import HOUR, NOON, finding

UNTIL = NOON + HOUR
DAY = timedelta(days=1)


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
            store.command(f"TRUNCATE TABLE {table}")
        yield store


def spend(store: StoreClient, at: datetime, **usd: str) -> None:
    """By user, who are all of one team; a label says the user's plan."""
    rows: dict[str, Any] = {
        "user_id": list(usd),
        "effective_cost": [Decimal(amount) for amount in usd.values()],
        "list_cost": [Decimal(amount) for amount in usd.values()],
        "labels": [[("plan", "free" if user == "u1" else "paid")] for user in usd],
    }
    table = ledger_rows(len(usd), occurred_at=at + timedelta(minutes=30), booked_at=at, owner="mara", **rows)
    insert(store.client, "ledger", table, at.isoformat())


def amounts(found: Evidence, name: str, dimension: str = "user_id") -> dict[str, Decimal]:
    values, sums = found.table[dimension].to_pylist(), found.table[name].to_pylist()
    return {value: sum(one for of, one in zip(values, sums, strict=True) if of == value) for value in values}


def read(store: StoreClient, row: FindingRow | None = None, *also: str) -> Evidence:
    return Reader(store).read(row or finding("f"), UNTIL, also)


def test_before_are_the_same_hours_of_earlier_weeks_scaled_to_what_was_expected(store: StoreClient) -> None:
    """$10 were expected of all: the shares are those of the weeks, whatever their level was."""
    spend(store, NOON, u1="90", u2="20")
    spend(store, NOON - 7 * DAY, u1="1", u2="2")
    spend(store, NOON - 14 * DAY, u1="1", u3="1")
    spend(store, NOON - DAY, u1="1000")
    found = read(store)
    assert found.compared == "the same hours of earlier weeks"
    assert amounts(found, "cost_before") == {"u1": Decimal(4), "u2": Decimal(4), "u3": Decimal(2)}
    assert amounts(found, "cost_after") == {"u1": Decimal(90), "u2": Decimal(20), "u3": 0}
    assert amounts(found, "requests_after", "owner") == {"mara": Decimal(2)}


def test_it_is_scaled_by_the_series_of_the_finding_in_what_it_measures(store: StoreClient) -> None:
    """Of u1 $10 were expected, or 10 requests."""
    spend(store, NOON, u1="90", u2="20")
    spend(store, NOON - 7 * DAY, u1="5", u2="1")
    assert amounts(read(store, finding("f", {"user_id": "u1"})), "cost_before") == {"u1": Decimal(10), "u2": Decimal(2)}
    events = read(store, finding("f", {"user_id": "u1"}, measure=EVENTS))
    assert amounts(events, "requests_before") == {"u1": Decimal(10), "u2": Decimal(10)}


def test_without_weeks_it_is_days_and_without_days_what_came_before(store: StoreClient) -> None:
    """And without anything nothing: then everything is new."""
    spend(store, NOON, u1="90")
    assert amounts(read(store), "cost_before") == {"u1": 0}
    spend(store, NOON - HOUR, u1="3")
    assert read(store).compared == "what came just before"
    spend(store, NOON - DAY, u1="4")
    found = read(store)
    assert found.compared == "the same hours of earlier days"
    assert amounts(found, "cost_before") == {"u1": Decimal(10)}


def test_of_somebody_new_the_others_keep_their_past(store: StoreClient) -> None:
    """Scaled by time, for his own past says nothing."""
    spend(store, NOON, new="90", u2="20")
    spend(store, NOON - 7 * DAY, u2="18")
    spend(store, NOON - 14 * DAY, u2="22")
    found = read(store, finding("f", {"user_id": "new"}, expected=Decimal(0)))
    assert amounts(found, "cost_before") == {"new": 0, "u2": Decimal(20)}


def test_what_is_beyond_the_bound_is_one_cell_and_nothing_is_lost(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million users are not read one by one; sums stay exact."""
    users = {f"u{number}": str(number) for number in range(1, 9)}
    spend(store, NOON, **users)
    monkeypatch.setattr(reading, "MAX_CELLS", 3)
    found = read(store)
    assert amounts(found, "cost_after") == {"u8": 8, "u7": 7, "u6": 6, OTHERS: 15}
    assert pc.sum(found.table["requests_after"]).as_py() == 8


def test_where_the_ledger_takes_too_long_a_rollup_answers_without_users(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for stretches of days; a user's finding has no other source than the ledger."""
    spend(store, NOON, u1="90", u2="20")
    spend(store, NOON - 7 * DAY, u1="1", u2="2")
    monkeypatch.setattr(reading, "LEDGER", Source("no_such_table", "occurred_at", 60))
    monkeypatch.setattr(reading, "_TIMEOUTS", frozenset({60}))  # the table does not exist
    found = read(store)
    assert "user_id" not in found.dimensions
    assert amounts(found, "cost_after", "team") == {"search": Decimal(110)}
    with pytest.raises(StoreQueryError):
        read(store, finding("f", {"user_id": "u1"}))


def test_labels_are_read_where_somebody_asks_for_them(store: StoreClient) -> None:
    """A planned event about a label can be held against it."""
    spend(store, NOON, u1="90", u2="20", u3="1")
    found = read(store, None, "labels.plan")
    assert amounts(found, "cost_after", "labels.plan") == {"free": Decimal(90), "paid": Decimal(21)}


def test_the_dearest_requests_are_those_of_the_cause(store: StoreClient) -> None:
    """The dearest first, and no more than people read."""
    spend(store, NOON, u1="90", u2="20", u3="1")
    dear = Reader(store).dearest({"owner": "mara"}, NOON, UNTIL)
    assert [(one.user_id, one.cost) for one in dear] == [("u1", Decimal(90)), ("u2", Decimal(20)), ("u3", Decimal(1))]
    assert Reader(store).dearest({"user_id": "u2"}, NOON, UNTIL)[0].cost == 20
    assert Reader(store).dearest({"user_id": "x"}, NOON, UNTIL) == []
