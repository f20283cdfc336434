"""What the budgets job keeps in the real ClickHouse: crossings that it knows again, standings, and causes."""

import json
import os
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from spendstream.cli import main
from stream_jobs.base.instants import unix_micros
from stream_jobs.base.json_values import json_values
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.budget_terms.control import Definitions
from stream_jobs.budgets.book import KEEP_NOTIFIED, BudgetBook, Notified, Place, StandingUpdate
from stream_jobs.budgets.causes import causes
from stream_jobs.budgets.history import BudgetHistory
from stream_jobs.budgets.standing import WINDOW_KEY, Standing, ThresholdKey
from stream_jobs.budgets.status import crossings, firsts, past_periods, standings, told_standings
from stream_jobs.series.calendar import Period
from stream_jobs.series.sums import MAX_CELLS, LedgerSums
from stream_jobs.store.client import StoreClient
from tests.integration.budget_world import World, budgets, entry
from tests.store_server import StoreProcess

pytestmark = pytest.mark.slow

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TABLES = ("ledger", "adjustment_chunks", "budget_definitions", "budget_crossings", "budget_periods")


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        for table in TABLES:
            store.command(f"TRUNCATE TABLE {table}")
        yield store


@pytest.fixture
def world(store: StoreClient) -> World:
    return World(store, uuid4().hex, store.now())


def key(kind: Any, percent: str) -> ThresholdKey:
    return ThresholdKey(kind, Decimal(percent))


ONE = budgets({"id": "one", "name": "One", "amount": 10, "period": "day", "per": ["team", "model"]})
VALUES = ("a/b'\"\\", "ß")


def change(at: datetime, *, up: Any = (), down: Any = (), late: bool = False, **more: Any) -> StandingUpdate:
    """Of the day that holds the instant `day` (default: `at`)."""
    start = more.get("day", at).replace(hour=0, minute=0, second=0, microsecond=0)
    rolling = more.get("rolling", False)
    period = Period(at - HOUR, at) if rolling else Period(start, start + DAY)
    spent = 123456789012345678901234
    standing = Standing(period, rolling, 10 * PICO_PER_USD, spent, 3, 3 * PICO_PER_USD, 5, 7, start + HOUR)
    place = Place("one", WINDOW_KEY if rolling else f"{start:%Y-%m-%d}", more.get("values", VALUES))
    (budget,) = ONE
    return StandingUpdate(
        budget, place, standing, tuple(up), tuple(down), dict.fromkeys(more.get("crossed", up), at), at, late
    )


# -- many values


def test_a_budget_of_many_users_hides_no_other_and_no_period(
    store: StoreClient, process: StoreProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    """100,000 users of fourteen days, all over their budget, beside a company that is not: list, show and history are
    complete; and what people read takes less than two seconds of the command's and the store's time, whatever else the
    machine does meanwhile."""
    now = store.now()
    for budget_id, values, days, spent in (("company", 1, 3, "1"), ("users", 100_000, 14, "2 + number / 100000")):
        document = {"id": budget_id, "name": budget_id, "amount": 2, "period": "day"}
        document |= {"per": ["user_id"]} if values > 1 else {}
        store.command(
            f"INSERT INTO budget_definitions VALUES ('{budget_id}', '{now - 30 * DAY:%Y-%m-%d %H:%M:%S}', '', 'file', "
            f"false, '', '', '{json.dumps(document)}')"
        )
        of = "['user-' || toString(number)]" if values > 1 else "[]"
        for day in range(days):
            store.command(
                "INSERT INTO budget_periods (budget_id, period_start, vals, period_key, period_end, updated_at, name, "
                f"amount, spent) SELECT '{budget_id}', toStartOfDay(now64(6, 'UTC')) - toIntervalDay({day}) AS begin, "
                f"{of}, toString(toDate(begin)), begin + toIntervalDay(1), now64(6, 'UTC'), '{budget_id}', 2, "
                f"toDecimal128({spent}, 12) FROM numbers({values})"
            )
    address = ["--url", process.url]

    def worked_s() -> float:
        user, system = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def run(*arguments: str, within_s: float = 2) -> str:
        begin_s = worked_s()
        assert main(["budgets", *arguments, *address]) == 0
        shown = capfd.readouterr().out
        assert worked_s() - begin_s < within_s, arguments
        return shown

    found = {row["id"]: row for row in map(json.loads, run("list", "--json").splitlines())}
    assert (found["company"]["values"], found["company"]["standing"]["spent"]) == (1, "1")
    assert (found["users"]["values"], found["users"]["standing"]["vals"]) == (100_000, ["user-99999"])
    assert firsts(store).keys() == {"company", "users"}
    text = run("list")
    assert "user-99999 and 99,999 more" in text
    assert "50.0 %" in text
    shown = run("show", "users")
    assert "and 99,990 more; all with --json" in shown
    assert shown.count("user-99999 and 99,999 more") == 12
    everything = json.loads(run("show", "users", "--json", within_s=4))  # 33 MB
    assert len(everything["standings"]) == 100_000
    assert len(past_periods(store, "company")) == 3
    # However long the history is, what stands now is found without reading it.
    plan = "\n".join(str(line) for (line,) in store.rows("EXPLAIN indexes = 1 SELECT * FROM budget_status"))
    assert "period_end_range" in plan


# -- crossings


def test_what_was_crossed_is_known_again(store: StoreClient) -> None:
    """Each threshold with its last direction, of values with any characters; what fell since is not crossed, a forecast
    that was told stays told unless a correction took it back. What fell just before anything was last recorded may have
    been told to nobody."""
    history, now = BudgetHistory(store), store.now()
    a80, a99, f100, f120 = key("actual", "80"), key("actual", "99.5"), key("forecast", "100"), key("forecast", "120")
    history.record_crossings([change(now, up=[a80, a99, f100, f120])])
    history.record_crossings([change(now + HOUR / 60, down=[a99, f100]), change(now + HOUR / 60, up=[a80], values=())])
    history.record_crossings([change(now + HOUR / 30, down=[f120], late=True)])
    day = change(now).standing.period
    other = {Place("one", change(now).place.period_key, ()): Notified(day, {a80: now + HOUR / 60})}
    for recorded, fell in ((None, {a99, f100, f120}), (now + HOUR / 5, {f120}), (now + HOUR, set())):
        if recorded is not None:
            history.record_standings([change(recorded, day=now)])
        own = {change(now).place: Notified(day, {a80: now}, {f100: Decimal(10)}, fell, {f100: now})}
        assert history.notified(now) == other | own


def test_periods_that_are_long_over_are_forgotten_and_windows_never(store: StoreClient) -> None:
    """A window that crossed weeks ago may still be above."""
    history, now = BudgetHistory(store), store.now()
    a80 = key("actual", "80")
    old = now - KEEP_NOTIFIED - 2 * DAY
    history.record_crossings([change(old, up=[a80]), change(old, up=[a80], rolling=True), change(now - DAY, up=[a80])])
    assert {(place.period_key, *notified.crossed) for place, notified in history.notified(now).items()} == {
        (WINDOW_KEY, a80),
        (f"{now - DAY:%Y-%m-%d}", a80),
    }


def test_recording_twice_changes_nothing(store: StoreClient) -> None:
    """An answer got lost; also where the rows are of a hundred and more months."""
    history, now = BudgetHistory(store), store.now()
    changes = [change(now - 31 * DAY * months, up=[key("actual", "80")]) for months in range(20)]
    for _ in range(2):
        history.record_crossings(changes)
        history.record_standings(changes)
    assert store.rows("SELECT count(), countIf(direction = 'up') FROM budget_crossings") == [(20, 20)]
    assert store.rows("SELECT count() FROM budget_periods") == [(20,)]
    history.record_crossings([])


def test_a_restarted_book_tells_nothing_again(world: World) -> None:
    """Periods, values and windows, through the real tables; what is new is told."""
    which = budgets(
        {"id": "month", "name": "Month", "amount": 10, "period": "month", "thresholds": [50, "99.5"]},
        {"id": "team", "name": "Team", "amount": 5, "period": "hour", "per": ["team"], "thresholds": [100]},
        {"id": "window", "name": "Window", "amount": 5, "period": {"rolling": "24h"}, "thresholds": [100]},
    )
    history, sums, now = BudgetHistory(world.store), LedgerSums(world.store), world.now
    row = entry(random.Random(1), now, team="search", effective_cost=Decimal(9), unpriced=0)
    world.block(0, [row | {"unpriced_reason": ""}])

    def actual(changes: list[StandingUpdate]) -> set[tuple[str, Decimal]]:
        return {(change.budget.id, key.percent) for change in changes for key in change.crossed if key.kind == "actual"}

    def book() -> list[StandingUpdate]:
        changes = BudgetBook(which, sums, history.notified(now), sums.vector(), now).evaluate(now)
        history.record_crossings([change for change in changes if change.up or change.down])
        return changes

    first = actual(book())
    assert first == {("month", Decimal(50)), ("team", Decimal(100)), ("window", Decimal(100))}
    again = book()
    assert [change.up for change in again] == [()] * len(again)
    assert {
        (change.budget.id, key.percent) for change in again for key in change.crossed if key.kind == "actual"
    } == first
    world.block(0, [row | {"unpriced_reason": "", "effective_cost": Decimal(1)}])
    assert [key.percent for change in book() for key in change.up if key.kind == "actual"] == [Decimal("99.5")]


# -- what people read


def test_standings_and_crossings_are_read_as_they_were_written(store: StoreClient) -> None:
    """To the last digit; the newest first."""
    history, now = BudgetHistory(store), store.now()
    define(store, ONE)
    a80 = key("actual", "80")
    history.record_standings([change(now, crossed=[a80]), change(now - DAY)])
    history.record_standings([change(now + HOUR / 3600, crossed=[a80])])
    (found,) = standings(store, "one", 9)
    assert (found.vals, found.spent, found.held) == (VALUES, Decimal("123456789012.345678901234"), Decimal(3))
    assert (found.unpriced_events, found.burn_per_hour) == (3, Decimal("0.000000000005"))
    assert (found.thresholds, found.updated_at) == ((Decimal(80),), now + HOUR / 3600)
    told, first = told_standings(store, "one")
    assert (told, first) == ([json_values(dict(zip(found._fields[1:], found[1:], strict=True)))], found)
    assert told_standings(store, "other") == ([], None)
    assert [item.period_key for item in past_periods(store, "one")] == [f"{now:%Y-%m-%d}", f"{now - DAY:%Y-%m-%d}"]
    history.record_crossings([change(now, up=[a80]), change(now + HOUR / 60, down=[a80], late=True)])
    read = crossings(store, now - DAY, now + DAY, "one")
    assert [(row["direction"], row["late"], row["at"]) for row in read] == [
        ("down", True, now + HOUR / 60),
        ("up", False, now),
    ]
    assert crossings(store, now - DAY, now + DAY, "other") == []


def define(
    store: StoreClient, which: Any, *, removed: bool = False, note: str = "", at: str = "now64(6, 'UTC')"
) -> None:
    for one in which:
        store.command(
            f"INSERT INTO budget_definitions VALUES ('{one.id}', {at}, '{uuid4().hex}', 'control', {removed}, 'me', "
            f"'{note}', '')"
        )


def test_only_what_counts_now_has_a_status(store: StoreClient) -> None:
    """The current period under the latest definition: not the next one, not what it said before it was changed. A
    change that was refused changes nothing."""
    history, now = BudgetHistory(store), store.now()
    define(store, ONE)
    now = store.now()
    history.record_standings([change(now), change(now, day=now + DAY), change(now, day=now - DAY)])
    assert [item.period_key for item in standings(store, "one", 9)] == [f"{now:%Y-%m-%d}"]
    define(store, ONE, removed=True, note="refused: there is no such budget")
    assert len(standings(store, "one", 9)) == 1
    define(store, ONE)
    assert standings(store, "one", 9) == []
    history.record_standings([change(store.now())])
    assert len(standings(store, "one", 9)) == 1
    define(store, ONE, removed=True)
    assert standings(store, "one", 9) == []


# -- the ledger's sums


def test_more_cells_than_one_question_can_name(world: World) -> None:
    """An hour's budget that has carried over for years: asked for in parts, and each hour is in one of them."""
    now = world.now.replace(minute=0, second=0, microsecond=0)
    rng = random.Random(1)
    hours = (1, MAX_CELLS - 1, MAX_CELLS, MAX_CELLS + 1, 3 * MAX_CELLS)
    world.block(0, [entry(rng, now - n * HOUR, effective_cost=Decimal(n), unpriced=0) for n in hours])
    hourly = budgets({"id": "h", "name": "H", "amount": 1, "period": "hour"})
    (budget,) = hourly
    cells = [(unix_micros(now - n * HOUR), unix_micros(now - (n - 1) * HOUR)) for n in range(3 * MAX_CELLS + 10)]
    sums = LedgerSums(world.store)
    found = sums.sums(hourly.series_of(budget), cells, sums.vector()).blocks
    assert {start: by_values[()].amount for start, by_values in found.items()} == {
        unix_micros(now - n * HOUR): n * PICO_PER_USD for n in hours
    }


def test_a_posted_correction_is_noticed(world: World) -> None:
    """Also when retention took as many rows as came."""
    sums = LedgerSums(world.store)
    before = sums.corrections()
    assert sums.corrections() == before
    row = entry(random.Random(1), world.now, effective_cost=Decimal(1), unpriced=0)
    world.correct("run-1", [row])
    after = sums.corrections()
    assert after != before
    world.store.command("TRUNCATE TABLE adjustment_chunks")
    world.correct("run-2", [row])
    assert sums.corrections() != after


# -- causes


def spend(rng: Any, at: datetime, amount: int, **facts: str) -> dict[str, Any]:
    names = {"team": "", "user_id": "", "model": "", **facts}
    return entry(rng, at, effective_cost=Decimal(amount), unpriced=0, unpriced_reason="", **names)


def why(
    world: World, which: Any, values: tuple[str, ...] = (), now: datetime | None = None, unpriced: int = 0
) -> tuple[str, ...]:
    (budget,) = which
    now = now or world.now
    period = which.calendar_of(budget).period_at(world.now)
    assert period is not None
    return causes(world.store, budget, values, Standing(period, False, 10, 20, unpriced, 0), now)


MONTHLY = budgets({"id": "m", "name": "M", "amount": 10, "period": "year", "scope": {"team": "search"}})


def test_the_cause_is_who_spends_much_more_than_a_moment_ago(world: World) -> None:
    """The rise counts, not the habit; what everybody shares says little; others' spending says nothing."""
    rng, now = random.Random(1), world.now
    lately, earlier = now - timedelta(minutes=5), now - timedelta(minutes=20)
    world.block(
        0,
        [
            spend(rng, lately, 60, team="search", user_id="bob", model="gpt-4o"),
            spend(rng, lately, 40, team="search", user_id="ann", model="gpt-4o"),
            spend(rng, earlier, 39, team="search", user_id="ann", model="gpt-4o"),
            spend(rng, lately, 999, team="ads", user_id="eve", model="gpt-4o"),
        ],
    )
    assert why(world, MONTHLY) == (
        "user_id bob: $60.00 in the last 15 minutes, 60.0 % of all; $0 in as much time before",
        "model gpt-4o: $100.00 in the last 15 minutes, all of it; $39.00 in as much time before",
    )
    assert why(world, MONTHLY, unpriced=3) == (
        "user_id bob: $60.00 in the last 15 minutes, 60.0 % of all that has a price; $0 in as much time before",
        "model gpt-4o: $100.00 in the last 15 minutes, all that has a price; $39.00 in as much time before",
    ), "what is held for others is nobody's yet"


def test_when_nothing_was_spent_just_now_the_period_is_looked_at(world: World) -> None:
    """A late event, or a forecast after a quiet hour."""
    rng, now = random.Random(1), world.now
    world.block(0, [spend(rng, now - 2 * HOUR, 30, team="search", user_id=f"u{n}") for n in range(2)])
    world.block(0, [spend(rng, now - 2 * HOUR, 90, team="search", user_id="bob")])
    year_began = (now - 2 * HOUR).year == now.year
    assert why(world, MONTHLY) == (("user_id bob: $90.00 in the period, 60.0 % of all",) if year_began else ())
    assert why(world, budgets({"id": "n", "name": "N", "amount": 1, "period": "year", "scope": {"team": "x"}})) == ()


def test_causes_are_of_the_values_that_crossed(world: World) -> None:
    """And never name what the alert is about already."""
    rng, now = random.Random(1), world.now
    world.block(
        0,
        [
            spend(rng, now - timedelta(seconds=1), amount, team="search", user_id=user, model=model)
            for user, model, amount in (("bob", "a", 50), ("bob", "b", 10), ("ann", "c", 90))
        ],
    )
    which = budgets({"id": "u", "name": "U", "amount": 1, "period": "year", "per": ["user_id", "team"]})
    found = why(world, which, ("bob", "search"))
    assert found == ("model a: $50.00 in the last 15 minutes, 83.3 % of all; $0 in as much time before",)


def test_definitions_are_needed_by_nobody_else(store: StoreClient) -> None:
    """Without a folder there is no file, and no row is written."""
    assert len(Definitions(store, None).load(store.now())) == 0
    assert store.rows("SELECT count() FROM budget_definitions") == [(0,)]
