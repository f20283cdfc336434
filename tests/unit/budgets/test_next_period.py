"""Services know what the next period begins with before it begins."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from spendstream import Attribution, Guard
from spendstream.guard.records import decode
from stream_jobs.budget_terms.credits import CreditRow, Credits
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budgets.book import BudgetBook
from stream_jobs.budgets.feed import BudgetFeed
from stream_jobs.budgets.next_period import NextPeriod
from tests.unit.budget_terms.build import NOW, budget, budgets
from tests.unit.budgets.memory_producer import MemoryProducer
from tests.unit.producers.guard.support import Clocks, new_guard
from tests.unit.series.memory_ledger import Entry, MemoryLedger, usd

EUR: dict[str, Any] = {"EUR": [{"usd": "1.25", "valid_from": "2025-01-01"}, {"usd": "1.5", "valid_from": "2026-11-27"}]}
TURN = datetime(2026, 11, 27, tzinfo=UTC)


def credited(which: Budgets, at: datetime, value: str, amount: int) -> Budgets:
    (one,) = which
    calendar = which.calendar_of(one)
    period = calendar.period_at(at)
    assert period is not None
    row = CreditRow("one", NOW, value, calendar.period_key(period), period.start, (value,), Decimal(amount), "x", "")
    return which.with_credits(Credits([row]))


@pytest.mark.parametrize(
    ("fields", "shared", "wanted"),
    [
        ({}, {}, {"own": 7, "credited": 13, "x": None}),
        ({"measure": "requests"}, {}, {"own": 7, "credited": 13, "x": None}),
        ({"currency": "EUR"}, {"currencies": EUR}, {"own": Decimal("10.5"), "credited": Decimal("19.5"), "x": 15}),
        ({"valid_to": "2026-11-27"}, {}, {"own": None, "credited": None, "x": None}),
    ],
)
def test_it_is_said_where_the_policy_says_something_else(
    fields: dict[str, Any], shared: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """An amount of a value's own, a credit of then, and the rate of then; nothing where no period follows."""
    one = budget(period="day", per=["team"], amounts={"own": 7}, **fields)
    which = credited(budgets(one, **shared), TURN, "credited", 3)
    current = which.calendar_of(one).period_at(NOW)
    assert current is not None
    after = NextPeriod(which, one, current)
    for value, amount in wanted.items():
        assert after.kept((value,)) == (None if amount is None else int(amount * 10**12)), value


def fed(guard: Guard, producer: MemoryProducer, feed: BudgetFeed) -> None:
    feed.flush()
    for _, key, value in producer.taken():
        record = decode(key, value)
        if record is not None:
            guard.apply(record)


def test_at_the_turn_of_a_period_no_value_has_the_amount_of_all() -> None:
    """Nothing, for most, so a second of it is a second of refusals: one with an amount of its own, one that is credited
    then, one whose credit ends. Until the job says more, and afterwards."""
    one = budget(
        period="day",
        per=["team"],
        amount=0,
        amounts={"own": 7},
        policy={"steps": [{"at_percent": 100, "action": "refuse"}]},
    )
    plain = budgets(one)
    which = credited(plain, TURN, "then", 3)
    before = TURN - timedelta(seconds=1)
    ledger, producer, clocks = MemoryLedger(before), MemoryProducer(), Clocks()
    feed, book = BudgetFeed(producer), BudgetBook(plain, ledger, {}, {}, before)
    book.use(which, before)
    clocks.now = before
    guard = new_guard(clocks)
    book.apply([ledger.book(before, Entry(before, usd(5), facts={"team": "own"}))], before)
    feed.policies(which, before)
    feed.states(book.evaluate(before), before)
    feed.beat(before)
    fed(guard, producer, feed)

    def amounts() -> dict[str, tuple[Any, ...]]:
        decisions = {team: guard.decide(Attribution(team=team)) for team in ("own", "then", "x")}
        return {team: (one.action, one.amount_usd, one.used_usd) for team, one in decisions.items()}

    assert amounts() == {"own": ("full", 7, 5), "then": ("refuse", 0, 0), "x": ("refuse", 0, 0)}
    clocks.now = TURN
    turned = {"own": ("full", 7, 0), "then": ("full", 3, 0), "x": ("refuse", 0, 0)}
    assert amounts() == turned
    book.advance(TURN)
    feed.states(book.evaluate(TURN), TURN)
    feed.forget_over(TURN)
    fed(guard, producer, feed)
    assert amounts() == turned
