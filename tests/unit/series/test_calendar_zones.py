"""Periods in every zone there is, against clocks that are looked at minute by minute."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.series import calendar
from stream_jobs.series.calendar import Calendar, Period
from tests.fuzz import examples

ZONES = sorted(available_timezones())
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2060, 12, 31, tzinfo=UTC)
MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(weeks=1)
AROUND = 4 * HOUR
KINDS: dict[str, Callable[[ZoneInfo], Calendar]] = {
    "hour": calendar.hours,
    "day": calendar.days,
    "week": calendar.weeks,
    "week from Sunday": lambda zone: calendar.weeks(zone, 6),
    "month": calendar.months,
    "quarter": calendar.quarters,
    "fiscal quarter": lambda zone: calendar.quarters(zone, 4, 6),
    "year": calendar.years,
    "fiscal year": lambda zone: calendar.years(zone, 10),
}
BEGINS: dict[str, Callable[[date], bool]] = {
    "day": lambda day: True,
    "week": lambda day: day.weekday() == 0,
    "week from Sunday": lambda day: day.weekday() == 6,
    "month": lambda day: day.day == 1,
    "quarter": lambda day: day.day == 1 and day.month in (1, 4, 7, 10),
    "fiscal quarter": lambda day: day.day == 6 and day.month in (1, 4, 7, 10),
    "year": lambda day: (day.month, day.day) == (1, 1),
    "fiscal year": lambda day: (day.month, day.day) == (10, 1),
}


@cache
def shifts(name: str, year: int) -> list[datetime]:
    """The instants of a year at which the zone's offset changes, found without the code under test."""
    zone = ZoneInfo(name)
    found = []
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        before, after = at, at + WEEK
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            while after - before > MINUTE:
                middle = before + (after - before) // (2 * MINUTE) * MINUTE
                same = middle.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset()
                before, after = (middle, after) if same else (before, middle)
            found.append(after)
        at += WEEK
    return found


def all_shifts() -> Iterator[tuple[str, datetime]]:
    """Each distinct shift of any zone once: zones that shift alike at that moment are the same there."""
    seen = set()
    for name in ZONES:
        zone = ZoneInfo(name)
        for year in range(FIRST.year, LAST.year + 1):
            for shift in shifts(name, year):
                sides = (shift, shift.astimezone(zone).utcoffset(), (shift - MINUTE).astimezone(zone).utcoffset())
                if sides not in seen:
                    seen.add(sides)
                    yield name, shift


@pytest.mark.slow
def test_hours_and_days_around_every_shift_of_every_zone() -> None:
    """Minute by minute: an hour begins when the shown hour or the offset changes, a day with its first minute."""
    checked = 0
    for name, shift in all_shifts():
        checked += 1
        check_minutes(ZoneInfo(name), shift - AROUND, shift + AROUND)
    assert checked > 500


def check_minutes(zone: ZoneInfo, since: datetime, until: datetime) -> None:
    hours, days = [], []
    local = (since - MINUTE).astimezone(zone)
    shown, latest = (local.hour, local.utcoffset()), local.date()
    at = since
    while at < until:
        local = at.astimezone(zone)
        if (local.hour, local.utcoffset()) != shown:
            hours.append(at)
            shown = (local.hour, local.utcoffset())
        if local.date() > latest:
            days.append(at)
            latest = local.date()
        at += MINUTE
    for found, expected in ((calendar.hours(zone), hours), (calendar.days(zone), days)):
        boundaries = [bound for bound in found.boundaries(since, until) if since <= bound < until]
        assert boundaries == expected, f"{zone.key} {since} to {until}"


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant; half of them near a shift, where there is one."""
    name = draw(st.sampled_from(ZONES))
    year = draw(st.integers(FIRST.year, LAST.year))
    known = shifts(name, year)
    near = draw(st.booleans())
    if known and near:
        minutes, micros = draw(st.integers(-1500, 1500)), draw(st.integers(-1, 1))
        shift: datetime = draw(st.sampled_from(known))
        return name, shift + minutes * MINUTE + timedelta(microseconds=micros)
    instant = draw(st.datetimes(datetime(year, 1, 1), datetime(year, 12, 31, 23, 59), timezones=st.just(UTC)))  # noqa: DTZ001
    return name, instant


@settings(max_examples=examples(600))
@given(moments(), st.sampled_from(sorted(KINDS)))
def test_periods_tile_time(moment: tuple[str, datetime], kind: str) -> None:
    """In exactly one period, which is next to its neighbours, begins on a whole minute and has a key of its own."""
    name, instant = moment
    found = KINDS[kind](ZoneInfo(name))
    period = need(found.period_at(instant))
    before, after = need(found.previous(period)), need(found.next(period))
    assert period.start <= instant < period.end
    assert before.end == period.start
    assert period.end == after.start
    for one in (before, period, after):
        assert found.period_at(one.start) == found.period_at(one.end - timedelta(microseconds=1)) == one
        assert one.start.second == one.start.microsecond == 0
        assert one.start.tzinfo is one.end.tzinfo is UTC
    assert len({found.period_key(one) for one in (before, period, after)}) == 3
    boundaries = found.boundaries(before.start, after.end)
    assert boundaries == [before.start, period.start, after.start, after.end]
    assert boundaries[bisect_right(boundaries, instant) - 1] == period.start


@settings(max_examples=examples(400))
@given(moments(), st.sampled_from(sorted(BEGINS)))
def test_periods_begin_where_the_local_clock_first_shows_their_date(moment: tuple[str, datetime], kind: str) -> None:
    """Against the dates themselves: the first is one that begins a period, and no other within is."""
    name, instant = moment
    zone = ZoneInfo(name)
    begins = BEGINS[kind]
    period = need(KINDS[kind](zone).period_at(instant))
    first, end = shown(zone, period.start), shown(zone, period.end)
    assert shown(zone, period.start - MINUTE) < first
    assert shown(zone, period.end - MINUTE) < end
    assert begins(first)
    assert begins(end)
    day = first + timedelta(days=1)
    while day < end:
        assert not begins(day)
        day += timedelta(days=1)


@settings(max_examples=60)
@given(moments())
def test_a_moment_minute_by_minute(moment: tuple[str, datetime]) -> None:
    """The check around shifts, wherever else."""
    name, instant = moment
    since = instant.replace(second=0, microsecond=0) - AROUND
    check_minutes(ZoneInfo(name), since, since + 2 * AROUND)


def test_the_keys_of_a_year_are_distinct() -> None:
    """Hours too, in a zone whose clock is put back by half an hour."""
    zone = ZoneInfo("Australia/Lord_Howe")
    for kind in ("hour", "day", "week", "month"):
        found: Calendar = KINDS[kind](zone)
        bounds = found.boundaries(FIRST, FIRST + 54 * WEEK)
        keys = {found.period_key(need(found.period_at(bound))) for bound in bounds}
        assert len(keys) == len(bounds)


def shown(zone: ZoneInfo, instant: datetime) -> date:
    return instant.astimezone(zone).date()


def need(period: Period | None) -> Period:
    assert period is not None
    return period
