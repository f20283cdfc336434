"""The dearest requests of a report, against a plain addition of everything that was booked."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from stream_jobs.report.data import ZERO, Request
from stream_jobs.report.figures import Figures
from stream_jobs.report.requests import dearest
from stream_jobs.store.client import StoreClient
from tests.integration.test_operations_rollup import book
from tests.store_server import StoreProcess

pytestmark = pytest.mark.slow

DAY: Final = datetime(2026, 11, 10, tzinfo=UTC)
EVENTS: Final = 120
NASTY: Final = "a 'b\" \\c\n{ids:Array(String)} "


def charge(rng: random.Random, event_id: str) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "revision": 0,
        "entry_kind": "charge",
        "occurred_at": DAY + timedelta(microseconds=rng.randrange(3 * 86_400 * 10**6)),
        "kind": rng.choice(["tokens", "tokens", "compute"]),
        "team": rng.choice(["a", "b"]),
        "effective_cost": rng.choice(
            [None, ZERO, Decimal(rng.randrange(1, 9)), Decimal(rng.randrange(1, 10**13)).scaleb(-12)]
        ),
        "events": 1,
        "unpriced": 0,
        "unallocated": [],
    }


def history(rng: random.Random, event_id: str) -> list[dict[str, Any]]:
    """The entries of an event: mostly its charge alone."""
    first = charge(rng, event_id)
    cost = first["effective_cost"]
    back = first | {"entry_kind": "retraction", "events": -1, "effective_cost": None if cost is None else -cost}
    dearer = first | {"effective_cost": (cost or ZERO) + Decimal(rng.randrange(5))}
    follows = {
        "nothing": [],
        "copy": [dict(first)],
        "dearer copy": [dearer],
        "back": [back],
        "cost": [first | {"entry_kind": "adjustment", "events": 0, "effective_cost": Decimal(rng.randrange(-9, 9))}],
        "moved": [back | {"entry_kind": "adjustment"}, dearer | {"entry_kind": "adjustment", "team": "moved"}],
        "revised": [back, dearer | {"revision": 1}],
        "revised elsewhere": [back, dearer | {"revision": 1, "occurred_at": DAY + timedelta(hours=rng.randrange(72))}],
    }
    return [first, *follows[rng.choice(["nothing"] * 4 + list(follows))]]


def book_only(store: StoreClient, rows: list[dict[str, Any]]) -> None:
    """One after the other, into a ledger that holds nothing else."""
    for table in ("ledger", "booked_ids"):
        store.command(f"TRUNCATE TABLE {table}")
    for number, row in enumerate(rows):
        row["booked_at"] = DAY + timedelta(days=9, seconds=number)
    book(store, rows)


@pytest.fixture(scope="module", params=range(4))
def booked(request: pytest.FixtureRequest, process: StoreProcess) -> list[dict[str, Any]]:
    rng = random.Random(request.param)
    rows = [row for number in range(EVENTS) for row in history(rng, f"{NASTY if number % 7 == 0 else 'e'}{number}")]
    with StoreClient(process.settings) as store:
        book_only(store, rows)
    return rows


def added_up(rows: Sequence[dict[str, Any]], start: datetime, end: datetime, kind: bool) -> list[tuple[Any, ...]]:
    """(cost, id, team) of the events that some entry in [start, end) counts, the dearest first."""
    inside = [row for row in rows if start <= row["occurred_at"] < end]
    counted = {
        (row["event_id"], row["occurred_at"])
        for row in inside
        if row["events"] > 0 and (row["kind"] == "tokens") == kind
    }
    events: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in inside:
        if (row["event_id"], row["occurred_at"]) in counted:
            events[row["event_id"]].append(row)
    found = []
    for event_id, entries in events.items():
        cost = sum((row["effective_cost"] or ZERO for row in entries), ZERO)
        last = max((row for row in entries if row["events"] > 0), key=lambda row: row["booked_at"])
        if cost > 0:
            found.append((-cost, event_id, last["team"]))
    return sorted(found)


def told(requests: Sequence[Request]) -> list[tuple[Any, ...]]:
    return [(-request.cost, request.event_id, request.team) for request in requests]


def test_they_are_the_sums_of_their_entries(process: StoreProcess, booked: list[dict[str, Any]]) -> None:
    """Copies, corrections, moves, later revisions; in any period, as many as asked for."""
    rng = random.Random(7)
    with StoreClient(process.settings) as store:
        figures = Figures(store.client)
        for most in (1, 6, 15, EVENTS):
            first, last = sorted(rng.sample(range(72 * 60), 2)) if most < EVENTS else (0, 72 * 60)
            start, end = DAY + timedelta(minutes=first), DAY + timedelta(minutes=last)
            figures.period = {"start": start, "end": end}
            calls, jobs = dearest(figures, model_calls=most, others=most)
            for found, kind in ((calls, True), (jobs, False)):
                assert told(found) == added_up(booked, start, end, kind)[:most]


@pytest.mark.parametrize("seed", range(3))
def test_corrections_change_the_order(process: StoreProcess, seed: int) -> None:
    """Many events of like cost, some of which cost far more since, or nothing: whichever are the dearest now are told,
    however few of the largest charges are looked at."""
    rng = random.Random(seed)
    rows = []
    for number in range(EVENTS):
        first = charge(rng, f"e{number}") | {"effective_cost": Decimal(rng.choice([0, 1, 1, 1, 2, 3]))}
        rows.append(first)
        change = Decimal(rng.choice([0, 0, -1, 2, 5 if seed else 0])) * (first["effective_cost"] if seed else 1)
        if change:
            rows.append(first | {"entry_kind": "adjustment", "events": 0, "effective_cost": change})
        if rng.random() < 0.2:
            whole = first["effective_cost"] + change
            for sign, team in ((-1, first["team"]), (1, "moved")):
                moved = {"entry_kind": "adjustment", "events": sign, "effective_cost": sign * whole, "team": team}
                rows.append(first | moved)
    with StoreClient(process.settings) as store:
        book_only(store, rows)
        figures = Figures(store.client)
        figures.period = {"start": DAY, "end": DAY + timedelta(days=3)}
        for depth in (6, 12, EVENTS):
            shown = dearest(figures, model_calls=6, others=6, depth=depth)
            for found, kind in zip(shown, (True, False), strict=True):
                wanted = added_up(rows, DAY, DAY + timedelta(days=3), kind)[:6]
                assert [request.cost for request in found] == [-cost for cost, _, _ in wanted]
