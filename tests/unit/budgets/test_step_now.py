"""What people are told that services do is what the guards do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream import Guard
from spendstream.guard.records import decode
from spendstream_schemas.budget_feed import ACTIONS, state_key
from stream_jobs.base.instants import EPOCH
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.units import Unit
from stream_jobs.budgets.outlook import Chance, Outlook
from stream_jobs.budgets.standing import Standing
from stream_jobs.budgets.state_text import state_record
from stream_jobs.budgets.step_now import foretold_percent, step_now
from stream_jobs.forecasting.protocol import CLEAR_BELOW
from stream_jobs.forecasts.raising import NOT_YET, next_kept
from stream_jobs.series.calendar import Period
from tests.fuzz import examples
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.producers.guard.support import config

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
MONTH = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
DAY = timedelta(days=1)
EUR = {"EUR": [{"usd": "1.1", "valid_from": "2026-01-01"}]}
PERCENTS = st.sampled_from([Decimal("0.001"), Decimal(50), Decimal(80), Decimal("99.999"), Decimal(100), Decimal(150)])
USED = st.sampled_from([0, 1, 5 * 10**12, 8 * 10**12, 10**13 - 1, 10**13, 2 * 10**13]) | st.integers(0, 2 * 10**13)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """That budgets.yaml may hold: rising, and each stricter than the one before it."""
    actions = sorted(draw(st.sets(st.sampled_from(ACTIONS), max_size=4)), key=ACTIONS.index)
    ahead = draw(st.lists(PERCENTS, min_size=len(actions), max_size=len(actions), unique=True).map(sorted))
    amounts, percents = (sorted(draw(st.lists(st.integers(1, 150), min_size=4, max_size=4, unique=True))) for _ in "ab")
    steps = []
    for number, action in enumerate(actions):
        kinds = draw(st.sampled_from(["f", "p", "a", "fp", "fa"]))
        step: dict[str, Any] = {"action": action}
        if "f" in kinds:
            step["at_forecast_percent"] = ahead[number]
        if "p" in kinds and not ("f" in kinds and percents[number] > ahead[number]):
            step["at_percent"] = percents[number]
        elif kinds != "f":
            step["at_amount"] = Decimal(amounts[number]) / 10
        steps.append(step)
    return {"steps": steps}


def outlook(raised: Sequence[Decimal], amount: Decimal, *, is_stale: bool = False) -> Outlook:
    nothing = Decimal(0)
    chances = {percent: Chance(0.9, NOW) for percent in raised} | {Decimal(7): Chance(0.99, None)}
    return Outlook(*(NOW, amount, nothing, nothing, nothing, chances), *((None, None, None), "", "", is_stale))


class Service:
    """A guard that is told what the job tells."""

    def __init__(self, one: Budget) -> None:
        self._known = budgets(one, currencies=EUR, now=NOW)
        self._budget = one
        clock = int(NOW.timestamp()) * 10**9
        self._guard = Guard(config(), connect=False, wall_ns=lambda: clock, monotonic_ns=lambda: clock)
        self._guard.apply(self._known.policy_record(one, NOW))
        self.unit = self._known.unit_of(one, MONTH.start)

    def does(self, amount: int, used: int, said: Outlook | None) -> tuple[str, bool]:
        standing = Standing(MONTH, False, amount, used, 0, 0, unit=self.unit, outlook=said)
        record = decode(state_key("one", ()).encode(), state_record(self._budget, (), standing, (), NOW))
        assert record is not None
        self._guard.apply(record)
        decision = self._guard.decide()
        return decision.action, decision.by_forecast

    def is_said_to_do(self, amount: int, used: int, said: Outlook | None) -> tuple[str, bool]:
        kept = self.unit.kept(amount)
        now = step_now(self._budget.policy, self.unit, kept, self.unit.kept(used), foretold_percent(said, kept))
        assert bool(now.why) == (now.action != "full" or now.by_forecast or bool(now.why))
        return now.action, now.by_forecast


@settings(max_examples=examples(150))
@given(
    policies(),
    st.sampled_from(["USD", "EUR"]),
    st.sampled_from([10**13, 9 * 10**12, 0, -(10**12)]),
    USED,
    st.lists(PERCENTS, max_size=3, unique=True),
    st.booleans(),
)
def test_people_are_told_what_the_guards_do(
    policy: dict[str, Any], currency: str, amount: int, used: int, raised: list[Decimal], is_stale: bool
) -> None:
    """To the last digit, whatever the amount became; more that is used or forecast never asks for less, and a forecast
    that is stale takes nothing back."""
    service = Service(budget(amount=10, currency=currency, policy=policy))
    said = outlook(raised, service.unit.kept(amount), is_stale=is_stale)
    found = service.does(amount, used, said)
    assert found == service.is_said_to_do(amount, used, said)
    assert found == service.does(amount, used, replace(said, is_stale=not is_stale))
    rank = ACTIONS.index(found[0])
    milder, stricter = outlook(raised[1:], said.amount), outlook([*raised, Decimal(120)], said.amount)
    assert ACTIONS.index(service.does(amount, used, milder)[0]) <= rank
    assert ACTIONS.index(service.does(amount, used, stricter)[0]) >= rank
    assert ACTIONS.index(service.does(amount, used + 10**12, said)[0]) >= rank
    assert service.does(amount, used, None)[1] is False


@settings(max_examples=examples(100))
@given(st.lists(st.sampled_from([0.0, 0.39, 0.4, 0.6, 0.79, 0.8, 1.0]), max_size=20))
def test_services_do_not_flap(chances: list[float]) -> None:
    """Whatever the chance does from run to run: a step comes once in a period, after two runs that are sure, and goes
    once, with the first that is sure of the opposite."""
    service = Service(budget(amount=10, policy={"steps": [{"at_forecast_percent": 100, "action": "reduced"}]}))
    kept, done = NOT_YET, []
    for number, chance in enumerate(chances):
        run = MONTH.start + (3 + number) * DAY
        kept = next_kept(kept, "day", run, "2026-11", MONTH, chance=chance, exceeded=False)
        since = None if kept.raised_since == EPOCH else kept.raised_since
        said = replace(outlook((), Decimal(10)), chances={Decimal("100.000"): Chance(chance, since)})
        done.append(service.does(10**13, 10**12, said) == ("reduced", True))
    assert sum(one != two for one, two in pairwise([False, *done])) <= 2
    for number, reduced in enumerate(done):
        before = number > 0 and done[number - 1]
        if reduced and not before:
            assert min(chances[number - 1 : number + 1]) >= 0.8
        if before and not reduced:
            assert chances[number] < CLEAR_BELOW


@pytest.mark.parametrize(
    ("amount", "used", "raised", "why"),
    [
        (11, "1", [], ""),
        (11, "1", [100], "forecast to pass 100 %"),
        (11, "5.5", [100], "from 5.00 EUR on"),
        (4, "4", [], "from 100 % on"),
        (0, "0", [], "nothing may be used"),
    ],
)
def test_people_read_why(amount: int, used: str, raised: list[int], why: str) -> None:
    """As it is stated; what is used comes before what is forecast. A forecast of another amount says nothing."""
    step = {"at_amount": 5, "at_forecast_percent": 100, "action": "cached_only"}
    kept, said = Decimal(amount), outlook([Decimal(percent) for percent in raised], Decimal(amount))
    policy = budget(policy={"steps": [step]}).policy
    now = step_now(policy, Unit("EUR", Decimal("1.1")), kept, Decimal(used), foretold_percent(said, kept))
    assert now.why == why
    assert foretold_percent(said, kept + 1) == 0
