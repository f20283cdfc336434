"""What is read of forecasts, of rows as the store gives them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import EPOCH
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.read import budget_of_row, runs_of, the_one
from tests.unit.forecasts.seen import HOUR, NOW, one

LATE = NOW + HOUR


def row(grain: str, status: str, why: str = "", due: int = 60) -> tuple[object, ...]:
    return grain, status, NOW, NOW, NOW - HOUR, NOW + timedelta(minutes=due), why


def test_without_any_run_people_hear_what_to_do() -> None:
    runs = runs_of([], NOW)
    assert (runs.hour, runs.day) == (None, None)
    assert "spendstream worker forecasts" in runs.why_not


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([row("hour", "running")], "a run began at 2026-11-30 12:00:00 UTC and is not done"),
        ([row("hour", "running"), row("hour", "failed", "the disk is full")], "the disk is full"),
        ([row("hour", "complete")], "no forecast by the day yet"),
    ],
)
def test_of_a_grain_without_a_complete_run_people_hear_why(rows: list[tuple[object, ...]], why: str) -> None:
    assert why in runs_of(rows, NOW).why_not


def test_a_forecast_is_stale_since_somebody_said_so_or_since_the_next_was_due() -> None:
    """And says why."""
    fresh = runs_of([row("hour", "complete")], NOW).hour
    assert fresh is not None
    assert (fresh.stale_since, fresh.stale_why) == (None, "")
    overdue = runs_of([row("hour", "complete", due=30)], LATE).hour
    assert overdue is not None
    assert (overdue.stale_since, overdue.stale_why) == (NOW + timedelta(minutes=30), "no run since")
    told = runs_of([row("hour", "complete", due=30), row("hour", "stale", "records wait")], LATE).hour
    assert told is not None
    assert (told.stale_since, told.stale_why) == (NOW, "records wait")


def test_a_series_is_found_whatever_the_order_of_its_values() -> None:
    """What is not there is refused with what is like it."""
    there = OfSeries("teams", ("team", "model"), ("search", "m"))
    found = [one(there), one(OfSeries("", ("team",), ("ads",)))]
    assert the_one(found, OfSeries("teams", ("model", "team"), ("m", "search"))).series == there
    with pytest.raises(ConfigError, match="there are: team=ads"):
        the_one(found, OfSeries("", ("team",), ("serch",)))


def test_a_budget_that_is_refused_has_no_figures() -> None:
    row = (
        *("b", ["x"], NOW, LATE, "EUR", Decimal("1.1"), Decimal(10), Decimal(2), None, None, None, None),
        *(None, None, None, "refused", "too young", NOW, NOW, None, "", None),
    )
    budget = budget_of_row(row)
    assert (budget.name, budget.total, budget.gone, budget.label) == ("b/x", None, (None, None, None), "refused")
    assert budget.made.run > EPOCH
