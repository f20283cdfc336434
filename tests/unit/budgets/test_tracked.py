"""One budget: what it keeps in memory, what is carried over, how fast it burns, and when it counts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.budgets.tracked import Tracked, burn_span
from stream_jobs.series.calendar import Period
from stream_jobs.series.facts import Facts
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.series.memory_ledger import Entry, MemoryLedger, rows_of, usd

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def tracked(ledger: MemoryLedger, now: datetime = NOON, shared: dict[str, Any] | None = None, **more: Any) -> Tracked:
    one = budget(**more)
    found = Tracked(one, budgets(one, **shared or {}))
    found.load(ledger, ledger.vector(), now)
    return found


def current(one: Tracked) -> Period:
    assert one.current is not None
    return one.current


def days(*amounts: int, last: datetime = NOON) -> Iterator[Entry]:
    """So many USD on consecutive days, the last of them on the day of `last`."""
    for number, amount in enumerate(amounts, 1 - len(amounts)):
        yield Entry(last + number * DAY, usd(amount))


def booked(*entries: Entry) -> MemoryLedger:
    ledger = MemoryLedger(NOON)
    ledger.book(NOON, *entries)
    return ledger


# -- memory


def test_a_long_period_before_this_one_is_not_read() -> None:
    """Half a year after the last one ended nothing of it is needed; right after, late events still come for it."""
    ledger = booked()
    assert len(tracked(ledger, period="year").counters.cells) == 1
    assert len(tracked(ledger, datetime(2026, 1, 2, tzinfo=UTC), period="year").counters.cells) == 2
    assert len(tracked(ledger, period="hour").counters.cells) == 2


def test_after_a_long_sleep_everything_in_between_is_there() -> None:
    """A process that was stopped over several periods loads them all with one question, and forgets none that runs."""
    ledger = booked(*days(10, 20, 30, 40, 50, last=NOON + 4 * DAY))
    one = tracked(ledger, period="day", amount=100, carry_over={"unused": True, "since": "2026-11-26"})
    vector, asked = ledger.vector(), ledger.asked + 1
    assert one.advance(ledger, vector, NOON + 4 * DAY) == (True, {()})
    assert ledger.asked == asked + 1, "its cells, and those of its burn rate"
    assert one.standing(current(one), (), NOON + 4 * DAY).amount == usd(5 * 100 - 10 - 20 - 30 - 40)
    monthly = tracked(ledger, datetime(2026, 11, 30, 12, tzinfo=UTC), period="month")
    now = datetime(2026, 12, 5, tzinfo=UTC)
    monthly.advance(ledger, ledger.vector(), now)
    monthly.forget_old(now)
    assert monthly.counters.cells == [int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * 10**6]


def test_a_question_that_fails_changes_nothing() -> None:
    """Corrections are asked for twice, for the periods and for the burn rate: either may fail, and what was different
    is still found by the next try."""
    ledger = booked(*days(10))
    one = tracked(ledger, period="day")
    ledger.correct(NOON, Entry(NOON, usd(-3)))
    vector = ledger.vector()
    for answers in (0, 1):
        ledger.down_after = answers
        with pytest.raises(StoreUnavailableError):
            one.correct(ledger, vector)
    assert {values for _, values in one.correct(ledger, vector)} == {()}
    assert one.standing(current(one), (), NOON).spent == usd(7)


# -- carrying over


def carried(amounts: Sequence[int], amount: int, unused: bool, overspend: bool, most: int | None) -> int:
    """What all but the last period leave, by the letter: each passes on what is left, within bounds."""
    left = 0
    for spent in amounts[:-1]:
        left = amount + left - spent
        left = max(left, 0) if not overspend else left
        left = min(left, 0) if not unused else left
        if most is not None:
            left = min(max(left, -most), most)
    return left


@pytest.mark.slow
@settings(max_examples=100)
@given(
    st.lists(st.integers(0, 250), min_size=1, max_size=8),
    st.tuples(st.booleans(), st.booleans()).filter(any),
    st.none() | st.integers(1, 150),
)
def test_what_is_carried_is_what_each_period_leaves(
    amounts: list[int], kinds: tuple[bool, bool], most: int | None
) -> None:
    """Unused, overspent or both, with or without a bound, from the day on which it begins: as by plain recomputation,
    loaded at once or followed day after day."""
    unused, overspend = kinds
    first = NOON - (len(amounts) - 1) * DAY
    carry: dict[str, Any] = {"unused": unused, "overspend": overspend, "since": first.date()}
    carry |= {} if most is None else {"max": most}
    before = Entry(first - DAY, usd(999))  # before it begins
    ledger = booked(before, *days(*amounts))
    wanted = usd(100 + carried(amounts, 100, unused, overspend, most))
    one = tracked(ledger, period="day", amount=100, carry_over=carry)
    assert one.standing(current(one), (), NOON).amount == wanted
    followed = tracked(MemoryLedger(NOON), first, period="day", amount=100, carry_over=carry)
    for number, amount in enumerate(amounts):
        now = first + number * DAY
        followed.advance(MemoryLedger(NOON), {}, now)
        followed.standing(current(followed), (), now)  # what it remembers must not get stale
        followed.add(Facts(rows_of([Entry(now, usd(amount))])))
    assert followed.standing(current(followed), (), NOON).amount == wanted


def test_a_late_event_changes_what_was_carried() -> None:
    """Of its own values only; what is without a price is carried at its upper bound."""
    ledger = booked(Entry(NOON - DAY, usd(10), facts={"team": "a"}), Entry(NOON - DAY, usd(10), facts={"team": "b"}))
    one = tracked(ledger, period="day", amount=100, per=["team"], carry_over={"unused": True, "since": "2026-11-25"})
    period = current(one)
    assert one.standing(period, ("a",), NOON).amount == usd(190)
    late = [Entry(NOON - DAY, usd(5), facts={"team": "a"}), Entry(NOON - DAY, 0, 2, facts={"team": "a"})]
    one.add(Facts(rows_of(late)))
    assert one.standing(period, ("a",), NOON).amount == usd(190 - 5 - 2)
    assert one.standing(period, ("b",), NOON).amount == usd(190)


def test_carrying_over_that_begins_before_its_calendar_begins_with_it() -> None:
    """All listed periods count, not only the last one."""
    shared = {"calendars": {"c": ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"]}}
    ledger = booked(*days(1, 1, 10, 20, 30, 40))
    more: dict[str, Any] = {"period": {"calendar": "c"}, "amount": 100, "carry_over": {"unused": True}}
    for since, wanted in (("2026-01-01", 100 + 240), ("2026-11-25", 100 + 70), ("2026-12-24", 100)):
        more["carry_over"]["since"] = since
        one = tracked(ledger, shared=shared, **more)
        assert one.standing(current(one), (), NOON).amount == usd(wanted), since


def test_a_new_period_names_everybody_who_carries_something_into_it() -> None:
    """Their amount is another than the plain one, also before they spend anything."""
    ledger = booked(Entry(NOON, usd(150), facts={"team": "a"}))
    one = tracked(ledger, period="day", amount=100, per=["team"], carry_over={"overspend": True, "since": "2026-11-26"})
    assert one.advance(ledger, ledger.vector(), NOON + DAY) == (True, {("a",)})
    assert one.standing(current(one), ("a",), NOON + DAY).amount == usd(50)


# -- burning


@pytest.mark.parametrize(
    ("period", "length"),
    [("hour", HOUR), ("day", DAY), ("month", 30 * DAY), ("year", 365 * DAY), ({"rolling": "2h"}, 2 * HOUR)],
)
def test_the_burn_rate_is_that_of_lately(period: Any, length: timedelta) -> None:
    """Steady spending of USD 6 an hour burns USD 6 an hour, whatever was spent before, to within one step of the
    counters; usage without a price burns at its upper bound."""
    now = datetime(2026, 11, 26, 12, 34, 56, tzinfo=UTC)
    span = burn_span(length)
    steady = [Entry(now - timedelta(minutes=10 * n + 1), usd(1)) for n in range(span // timedelta(minutes=10))]
    ledger = booked(Entry(now - span - 2 * HOUR, usd(10_000)), *steady)
    one = tracked(ledger, now, period=period, amount=1000)
    burn = one.standing(current(one), (), now).burn
    assert burn is not None
    assert usd(5) <= burn <= usd(7)
    one.advance(ledger, ledger.vector(), now)
    assert one.standing(current(one), (), now).burn == burn
    held = tracked(booked(*[Entry(entry.at, 0, 1) for entry in steady]), now, period=period)
    assert held.standing(current(held), (), now).burn == burn


def test_early_in_a_period_lately_is_what_has_passed_of_it() -> None:
    """Yesterday's spending does not burn today's amount."""
    now = datetime(2026, 11, 26, 0, 20, tzinfo=UTC)
    ledger = booked(Entry(now - HOUR, usd(500)), Entry(now - timedelta(minutes=5), usd(2)))
    one = tracked(ledger, now, period="day", amount=1000)
    assert one.standing(current(one), (), now).burn == usd(6)


def test_a_budget_per_value_burns_at_the_mean_of_its_period() -> None:
    """The minutes of a hundred thousand users are not kept."""
    one = tracked(booked(Entry(NOON, usd(24), facts={"team": "a"})), period="day", per=["team"])
    assert one.standing(current(one), ("a",), NOON).burn == usd(2)


# -- when it counts


def test_it_counts_from_its_first_date_on_and_not_from_its_last_on() -> None:
    """Whatever the periods are: also when both dates lie within one, and by the budget's own midnight. What came late
    for a period that ended while it counted still does."""
    one = tracked(
        MemoryLedger(NOON), period="year", valid_from="2026-03-01", valid_to="2026-06-01", timezone="Asia/Kolkata"
    )
    year = current(one)
    kolkata = timedelta(hours=5, minutes=30)
    first, end = datetime(2026, 3, 1, tzinfo=UTC) - kolkata, datetime(2026, 6, 1, tzinfo=UTC) - kolkata
    instants = (first - timedelta(seconds=1), first, end - timedelta(seconds=1), end, NOON)
    assert [one.counts_in(year, now) for now in instants] == [False, True, True, False, False]
    days = tracked(MemoryLedger(NOON), period="day", valid_to=date(2026, 11, 26))
    assert days.counts_in(Period(NOON - 36 * HOUR, NOON - 12 * HOUR), NOON)
    assert not days.counts_in(current(days), NOON)


def test_coming_into_force_is_noticed_once() -> None:
    """Everything it has counted by then is looked at."""
    one = tracked(MemoryLedger(NOON), period="month", valid_from="2026-11-27")
    found = [one.comes_into_force(NOON + number * 12 * HOUR) for number in range(4)]
    assert found == [False, True, False, False]
