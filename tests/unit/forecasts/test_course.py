"""The course of a budget's period."""

from dataclasses import replace
from decimal import Decimal

import pytest

from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasts.course import Course, course_of
from stream_jobs.forecasts.read import Band, BudgetAhead
from tests.unit.forecasts.seen import HOUR, MADE, NOW, hours

DAY = BudgetAhead(
    MADE, "all", (), NOW - 4 * HOUR, NOW + 6 * HOUR, Unit(), Decimal(100), Decimal(45),
    Band(Decimal(88), Decimal(100), Decimal(112)), 0.5, (None, None, None), "steady", "",
)  # fmt: skip
STARTS = [NOW - number * HOUR for number in (4, 3, 2, 1)]
USD = 10**12


def course(budget: BudgetAhead = DAY, limit: int = 90, came: int = 10) -> Course:
    """So much in each of four hours but the second, and six hours to come with 10 each."""
    spent = {start: came * USD for start in STARTS if start != STARTS[1]}
    found = course_of(budget, Decimal(limit), STARTS, spent, hours(72))
    assert found is not None
    return found


def test_what_is_spent_goes_on_as_what_will_be() -> None:
    """By the end of each hour, up to the period's end; an hour without anything adds nothing."""
    found = course()
    assert [spent for _, spent in found.came] == [10, 10, 20, 30]
    assert [at for at, _ in found.came] == [*STARTS[1:], NOW]
    assert [at for at, _ in found.ahead] == [NOW + number * HOUR for number in range(1, 7)]
    assert [band.p50 for _, band in found.ahead] == [45, 50, 60, 70, 80, 90]  # 45 are booked of it by now
    assert found.most == 30 + 72


def test_it_is_gone_in_the_hour_by_whose_end_more_is_spent() -> None:
    """By P10, P50 and P90; what just comes to the amount lasts."""
    assert course().gone == (NOW + 5 * HOUR, None, None)
    assert course(limit=60).gone == (NOW + 2 * HOUR, NOW + 3 * HOUR, NOW + 3 * HOUR)
    assert course(limit=20).gone == (NOW, NOW, NOW)


def test_a_quota_is_told_in_what_it_counts() -> None:
    """GPU seconds are forecast, GPU hours are budgeted."""
    found = course(replace(DAY, unit=Unit("gpu_hours"), spent=Decimal(0)), came=3600)
    assert [spent for _, spent in found.came] == [1, 1, 2, 3]
    assert float(found.ahead[-1][1].p50) == pytest.approx(3 + 60 / 3600)


def test_nothing_ahead_of_a_period_has_no_course() -> None:
    assert course_of(replace(DAY, period_end=NOW), Decimal(1), STARTS, {}, hours(3)) is None
    assert course_of(DAY, Decimal(1), STARTS, {}, []) is None


def test_a_period_that_begins_with_its_forecast_has_nothing_behind() -> None:
    found = course_of(replace(DAY, period_start=NOW, spent=Decimal(0)), Decimal(25), [], {}, hours(3))
    assert found is not None
    assert (found.came, found.gone[1]) == ([], NOW + 2 * HOUR)


def test_nothing_is_gone_before_it_was_forecast() -> None:
    """The hour that the forecast began with is half over."""
    made = replace(MADE, run=NOW + HOUR / 2)
    found = course(replace(DAY, made=made, spent=Decimal(30)), limit=39)
    assert found.gone == (NOW + HOUR / 2, NOW + HOUR / 2, NOW + HOUR)
    assert not found.is_gone
    assert course(limit=44).is_gone
    assert not course(limit=45).is_gone  # all of it is spent, and no more
