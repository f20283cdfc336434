"""A credit counts in one period, however a budget's periods are cut by then."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.budget_terms.credits import CreditRow, Credits
from stream_jobs.series import calendar
from stream_jobs.series.calendar import Calendar, Period
from tests.unit.budget_terms.build import NOW, budget, budgets

ZONES = ("UTC", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles", "Europe/Berlin")
SOME = Decimal(7)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def week(zone: ZoneInfo) -> Calendar:
    return calendar.weeks(zone)


def sunday_week(zone: ZoneInfo) -> Calendar:
    return calendar.weeks(zone, 6)


CALENDARS: tuple[Callable[[ZoneInfo], Calendar], ...] = (
    *(calendar.hours, calendar.days, week, sunday_week, calendar.months, calendar.quarters, calendar.years),
)
CUTS = st.builds(lambda make, zone: make(ZoneInfo(zone)), st.sampled_from(CALENDARS), st.sampled_from(ZONES))
INSTANTS = st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
"""With leap days, and turns of clocks in both directions."""


def credited(of: Calendar, at: datetime, amount: Decimal = SOME) -> CreditRow:
    period = of.period_at(at)
    assert period is not None
    return CreditRow("one", at, "id", of.period_key(period), period.start, (), amount, "x", "")


def counting(row: CreditRow, of: Calendar) -> list[Period]:
    """The periods of a calendar, some days around, in which it counts whole."""
    bounds = of.boundaries(row.period_start - timedelta(days=10), row.period_start + timedelta(days=10))
    sums = Credits([row])
    found = [(period, sums.of("one", of, period, ())) for period in map(Period._make, pairwise(bounds))]
    assert {amount for _, amount in found} <= {SOME, 0}
    return [period for period, amount in found if amount]


@settings(max_examples=150)
@given(CUTS, CUTS, INSTANTS)
def test_a_credit_counts_in_one_period_of_any_calendar(before: Calendar, after: Calendar, at: datetime) -> None:
    """It neither vanishes with a calendar nor counts twice; of the same one it is the period that was credited."""
    row = credited(before, at)
    assert counting(row, before) == [before.period_at(at)]
    (period,) = counting(row, after)
    assert Credits([row]).values_in("one", after, period) == {()}


@settings(max_examples=100)
@given(st.sampled_from([calendar.days, week, calendar.months]), *[st.sampled_from(ZONES)] * 2, INSTANTS)
def test_what_has_a_date_has_it_in_every_zone(
    make: Callable[[ZoneInfo], Calendar], before: str, after: str, at: datetime
) -> None:
    """`--period 2026-11-26` is that day, wherever the budget is."""
    old, new = make(ZoneInfo(before)), make(ZoneInfo(after))
    row = credited(old, at)
    (period,) = counting(row, new)
    assert new.period_key(period) == row.period_key


@settings(max_examples=100)
@given(
    st.sampled_from([(calendar.hours, calendar.hours), (week, sunday_week), (sunday_week, week)]),
    *[st.sampled_from(ZONES)] * 2,
    INSTANTS,
)
def test_hours_and_weeks_count_where_most_of_them_lies(
    makes: tuple[Callable[[ZoneInfo], Calendar], Callable[[ZoneInfo], Calendar]], before: str, after: str, at: datetime
) -> None:
    """The key of an hour has an offset, and that of a week its first day: a zone or a first day changes it."""
    old, new = makes[0](ZoneInfo(before)), makes[1](ZoneInfo(after))
    meant = old.period_at(at)
    assert meant is not None
    (period,) = counting(credited(old, at), new)
    common = min(period.end, meant.end) - max(period.start, meant.start)
    assert common * 2 >= meant.end - meant.start - timedelta(hours=1)  # a week in which a clock turns


@pytest.mark.parametrize(
    ("period", "shared", "later"),
    [
        ("hour", {"timezone": "UTC"}, {"timezone": "Asia/Tokyo"}),
        ("week", {"week_starts_on": "monday"}, {"week_starts_on": "sunday"}),
        ("week", {"week_starts_on": "sunday"}, {"week_starts_on": "monday", "timezone": "Asia/Tokyo"}),
    ],
)
def test_the_present_period_keeps_its_credit(period: str, shared: dict[str, Any], later: dict[str, Any]) -> None:
    """Of a budget that is in force, in the middle of a week."""
    one = budget(period=period)
    first = budgets(one, **shared)
    rows = [credited(first.calendar_of(one), NOW), credited(first.calendar_of(one), NOW, Decimal(-2))]
    for found in (first, budgets(one, **later)):
        found = found.with_credits(Credits(rows))  # noqa: PLW2901 - the same, credited
        now = found.calendar_of(one).period_at(NOW)
        assert now is not None
        assert found.credit_pico(one, now, ()) == 5 * 10**12
