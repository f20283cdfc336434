"""What budgets count is what the real ledger holds, whatever comes in whatever order, and through restarts."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from stream_jobs.base.money import usd_from_pico
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budgets.book import BudgetBook
from stream_jobs.series.check import differences, snapshot
from stream_jobs.series.delta import Delta, split
from stream_jobs.series.sums import LedgerSums
from stream_jobs.store.client import StoreClient
from tests.integration.budget_world import World, budgets, entry, taken_back
from tests.store_server import StoreProcess

BUDGETS = budgets(
    {"id": "all", "name": "All", "amount": 10_000, "period": "month"},
    {"id": "search", "name": "Search", "amount": 500, "period": "day", "scope": {"team": "search"}},
    {"id": "each-user", "name": "Each user", "amount": 50, "period": "hour", "per": ["user_id"]},
    {
        "id": "window",
        "name": "Window",
        "amount": 100,
        "period": {"rolling": "2h"},
        "scope": {"model": {"glob": "gpt*"}},
    },
    {
        "id": "not-ads",
        "name": "All but ads",
        "amount": 100,
        "period": "day",
        "timezone": "Asia/Kolkata",
        "scope": {"team": {"none_of": ["ads"]}, "user_id": {"missing": False}},
        "per": ["team", "user_id"],
    },
    {
        "id": "carry",
        "name": "Carries over",
        "amount": 100,
        "period": "day",
        "carry_over": {"unused": True, "overspend": True, "since": "2026-11-01"},
    },
)


@pytest.fixture
def world(process: StoreProcess) -> Iterator[World]:
    """A month of its own in the module's store."""
    with StoreClient(process.settings) as store:
        for table in ("ledger", "adjustment_chunks"):
            store.command(f"TRUNCATE TABLE {table}")
        yield World(store, uuid4().hex, store.now())


def new_book(world: World, now: datetime, which: Budgets = BUDGETS) -> BudgetBook:
    sums = LedgerSums(world.store)
    return BudgetBook(which, sums, {}, sums.vector(), now)


def assert_equal_to_the_ledger(book: BudgetBook, world: World, now: datetime) -> None:
    """By plain addition of the rows, and by the job's own check."""
    for tracked in book.tracked:
        budget, period = tracked.budget, tracked.current
        assert period is not None
        for values in tracked.counters.values_in(period) | ({()} if not budget.per else set()):
            standing = tracked.standing(period, values, now)
            wanted = plain_total(world, budget.id, period.start, period.end, dict(zip(budget.per, values, strict=True)))
            stands = usd_from_pico(standing.spent), standing.unpriced, usd_from_pico(standing.held)
            assert stands == wanted, (budget.id, values)
        assert differences(snapshot(tracked.counters, book.follower.vector), LedgerSums(world.store)) == []


def plain_total(
    world: World, budget: str, start: datetime, end: datetime, facts: dict[str, str]
) -> tuple[Decimal, int, Decimal]:
    kept: Callable[[dict[str, Any]], bool] = {
        "all": lambda row: True,
        "search": lambda row: row["team"] == "search",
        "each-user": lambda row: True,
        "window": lambda row: row["model"].startswith("gpt"),
        "not-ads": lambda row: row["team"] != "ads" and row["user_id"] != "",
        "carry": lambda row: True,
    }[budget]
    some = World(world.store, "", world.now, [row for row in world.rows if kept(row)])
    return some.total(start, end, **facts)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_counters_equal_the_ledger_through_everything(world: World, seed: int) -> None:
    """Charges, late ones, retractions, corrections; deltas that come twice, late, in parts, or never because the job
    was restarted; and time that goes on."""
    rng = random.Random(seed)
    now, checking = world.now, LedgerSums(world.store)
    book = new_book(world, now)
    waiting: dict[int, list[Delta]] = {0: [], 1: []}  # sent, in the order of their partition, and not read yet
    seen: list[Delta] = []
    for step in range(25):
        world.now = now
        kind = rng.random()
        if kind < 0.55:
            ages = [rng.choice([0, 0, 0, 10, 100, 3_000, 90_000, 400_000]) for _ in range(rng.randrange(1, 6))]
            rows = [entry(rng, now - timedelta(seconds=age + rng.randrange(60))) for age in ages]
            partition = rng.randrange(2)
            waiting[partition] += split(world.block(partition, rows), rng.choice([1, 2, 4000]))
        elif kind < 0.65 and world.rows:
            partition = rng.randrange(2)
            waiting[partition] += split(world.block(partition, [taken_back(rng.choice(world.rows))]), 4000)
        elif kind < 0.75:
            at = now - timedelta(seconds=rng.choice([5, 5_000, 100_000]))
            cost = Decimal(rng.randrange(-(10**13), 10**13)).scaleb(-12)
            fixed: dict[str, Any] = {"entry_kind": "adjustment", "effective_cost": cost, "events": 0, "unpriced": 0}
            world.correct(f"run-{seed}-{step}", [entry(rng, at, **fixed, unpriced_reason="")])
        elif kind < 0.82:
            for one in book.tracked:  # what it counted wrong would be forgotten now
                assert differences(snapshot(one.counters, book.follower.vector), checking) == [], (step, one.budget.id)
            book = new_book(world, now)  # a restart: what waits is still read again
        elif kind < 0.9:
            now += timedelta(seconds=rng.choice([1, 61, 3_700]))
        taken: list[Delta] = []
        for partition in (0, 1):
            number = rng.randrange(len(waiting[partition]) + 1)
            taken += waiting[partition][:number]
            del waiting[partition][:number]
        seen += taken
        book.apply([*taken, *rng.sample(seen, min(len(seen), rng.randrange(3)))], now)
        book.correct(now)
        book.advance(now)
        book.evaluate(now)
        # One budget a step, by turns: a difference stays until the ledger is read anew.
        tracked = list(book.tracked)[step % len(BUDGETS)]
        assert differences(snapshot(tracked.counters, book.follower.vector), checking) == [], (step, tracked.budget.id)
    book.apply([*waiting[0], *waiting[1]], now)
    book.correct(now)
    book.advance(now)
    assert_equal_to_the_ledger(book, world, now)
    assert_equal_to_the_ledger(new_book(world, now), world, now)


def test_the_check_finds_what_is_missing(world: World) -> None:
    """A delta that was lost on the way, as if it had never been: the next one of its partition hides it from the
    vector, and the comparison with the ledger finds the very difference."""
    now = world.now
    book = new_book(world, now)
    rng = random.Random(1)
    world.block(0, [entry(rng, now, team="search", effective_cost=Decimal("1.5"), unpriced=0)])
    book.apply([world.block(0, [entry(rng, now, team="search", effective_cost=Decimal(2), unpriced=0)])], now)
    tracked = book.tracked_by("search")
    assert tracked is not None
    ((found,),) = [differences(snapshot(tracked.counters, book.follower.vector), LedgerSums(world.store))]
    assert (found.amount, found.unpriced) == (-1_500_000_000_000, 0)
    book.reload("search", now)
    tracked = book.tracked_by("search")
    assert tracked is not None
    assert differences(snapshot(tracked.counters, book.follower.vector), LedgerSums(world.store)) == []
