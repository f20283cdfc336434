"""What a series adds up to: cells of periods and of windows, loaded, counted on, corrected and forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stream_jobs.base.instants import unix_micros
from stream_jobs.series.calendar import Period
from stream_jobs.series.counters import Counters, Loaded
from stream_jobs.series.facts import Facts, Sums
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.series.memory_ledger import Entry, rows_of

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def counters(**more: Any) -> Counters:
    one = budget(**more)
    return Counters(budgets(one).series_of(one))


def facts(*entries: tuple[datetime, int]) -> Facts:
    return Facts(rows_of([Entry(at, pico, facts={"team": "a"}) for at, pico in entries]))


def period(start: datetime, length: timedelta) -> Period:
    return Period(start, start + length)


def test_rows_count_for_the_period_that_holds_their_minute() -> None:
    """The last minute of a day and the first of the next are in different cells; local midnight decides."""
    days = counters(period="day", timezone="Asia/Kolkata")
    midnight = datetime(2026, 11, 25, 18, 30, tzinfo=UTC)
    days.load([unix_micros(midnight - DAY), unix_micros(midnight)], Loaded())
    touched = days.add(facts((midnight - timedelta(seconds=1), 1), (midnight, 20), (midnight + 23 * HOUR, 300)))
    assert touched.changed == {(unix_micros(midnight - DAY), ()), (unix_micros(midnight), ())}
    assert touched.missing == set()
    assert days.total(period(midnight - DAY, DAY), ()) == Sums(1)
    assert days.total(period(midnight, DAY), ()) == Sums(320)


def test_rows_of_cells_that_are_not_loaded_change_nothing_and_are_named() -> None:
    """Whoever loads the cell afterwards reads them from the ledger."""
    days = counters(period="day")
    days.load([unix_micros(NOON - 12 * HOUR)], Loaded())
    touched = days.add(facts((NOON, 1), (NOON - 3 * DAY, 5)))
    assert touched.missing == {unix_micros(NOON - 12 * HOUR - 3 * DAY)}
    assert days.total(period(NOON - 12 * HOUR - 3 * DAY, DAY), ()) == Sums()
    days.load(touched.missing, Loaded({min(touched.missing): {(): Sums(5)}}))
    assert days.total(period(NOON - 12 * HOUR - 3 * DAY, DAY), ()) == Sums(5)


@pytest.mark.parametrize("when", [{"period": {"rolling": "1h"}}, {"period": "hour"}])
def test_an_event_of_decades_ago_costs_no_more_than_one_of_today(when: dict[str, Any]) -> None:
    """Services' clocks say anything: only cells that hold something are looked at, not all in between. What is before
    1970 is nobody's."""
    some = counters(**when)
    old = datetime(1971, 3, 4, 5, 6, tzinfo=UTC)
    touched = some.add(facts((datetime(1955, 1, 1, tzinfo=UTC), 7), (old, 1), (NOON, 2)))
    length = 60 if some.rolling else 3600
    starts = {unix_micros(old) // 10**6 // length * length, unix_micros(NOON) // 10**6}
    assert touched.missing == {start * 10**6 for start in starts}


def test_outside_of_a_list_of_dates_nothing_counts() -> None:
    """A calendar that begins later and ends earlier than what comes."""
    one = budget(period={"calendar": "c"})
    some = Counters(budgets(one, calendars={"c": ["2026-11-10", "2026-11-20", "2026-12-01"]}).series_of(one))
    touched = some.add(facts((NOON - 30 * DAY, 1), (NOON, 2), (NOON + 30 * DAY, 4), (NOON - 10 * DAY, 8)))
    assert touched.missing == {unix_micros(datetime(2026, 11, day, tzinfo=UTC)) for day in (10, 20)}


def test_a_window_holds_the_sum_of_its_steps_and_loses_what_leaves() -> None:
    """The values that lose something are named; an emptied one is nobody any more."""
    window = counters(period={"rolling": "2h"}, per=["team"])
    whole = window.calendar.period_at(NOON)
    assert whole is not None
    cells = window.cells_of(whole)
    assert len(cells) == 120
    window.load(cells, Loaded({cells[0]: {("a",): Sums(5), ("b",): Sums(3)}}, {cells[1]: {("a",): Sums(-1)}}))
    window.add(facts((NOON, 10)))
    assert window.total(whole, ("a",)) == Sums(14)
    assert window.values_in(whole) == {("a",), ("b",)}
    assert window.forget(whole.start + timedelta(minutes=1)) == {("a",), ("b",)}
    assert window.total(whole, ("a",)) == Sums(9)
    assert window.values_in(whole) == {("a",)}
    assert window.forget(whole.start + timedelta(minutes=2)) == {("a",)}
    assert window.total(whole, ("a",)) == Sums(10)


def test_only_periods_that_are_over_are_forgotten() -> None:
    """A month that began long ago is still the current one."""
    months = counters(period="month")
    october, november = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    months.load([unix_micros(october), unix_micros(november)], Loaded({unix_micros(november): {(): Sums(5)}}))
    assert months.forget(NOON) == set()
    assert months.cells == [unix_micros(november)]
    assert months.total(Period(november, datetime(2026, 12, 1, tzinfo=UTC)), ()) == Sums(5)


def test_corrections_replace_what_corrections_said_before() -> None:
    """They are sums, not differences; what is no longer there is taken back, and blocks stay."""
    days = counters(period="day", per=["team"])
    today, yesterday = unix_micros(NOON - 12 * HOUR), unix_micros(NOON - 36 * HOUR)
    days.load([yesterday, today], Loaded({today: {("a",): Sums(10)}}, {yesterday: {("a",): Sums(1)}}))
    assert days.correct({yesterday: {("a",): Sums(1)}, today: {("a",): Sums(-4)}}) == {(today, ("a",))}
    assert days.total(period(NOON - 12 * HOUR, DAY), ("a",)) == Sums(6)
    assert days.correct({today: {("a",): Sums(-4), ("b",): Sums(2)}}) == {(yesterday, ("a",)), (today, ("b",))}
    assert days.values_in(period(NOON - 12 * HOUR, DAY)) == {("a",), ("b",)}
    assert days.total_since(NOON - 12 * HOUR, ("a",)) == Sums(6)


def test_the_copy_for_the_check_does_not_go_on_counting() -> None:
    """It is compared in another thread, with what was booked by then."""
    days = counters(period="day")
    today = unix_micros(NOON - 12 * HOUR)
    days.load([today], Loaded({today: {(): Sums(1)}}))
    copy = days.copy_of_blocks()
    days.add(facts((NOON, 10)))
    assert copy == {today: {(): Sums(1)}}
