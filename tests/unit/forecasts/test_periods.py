"""What a budget's period will come to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.instants import EPOCH
from stream_jobs.forecasting.model import Forecast, refusal
from stream_jobs.forecasting.scales import Root
from stream_jobs.forecasting.uncertain import Uncertain
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.lease import leased
from stream_jobs.forecasts.periods import NOT_STATED, Outlook, Spent, grain_of
from stream_jobs.series import calendar
from stream_jobs.store.tables import arrow_table
from tests.unit.budget_terms.build import budget, budgets

NOW = datetime(2026, 11, 11, 9, 30, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
USD = 10**12


def said(days: int = 90, a_day: float = 10.0, spread: float = 0.1) -> Forecast:
    """So much a day."""
    shape = np.linspace(-1.0, 1.0, 101)
    sums = [
        Uncertain((a_day * (day + 1)) ** (1 / 3), spread * (a_day * (day + 1)) ** (1 / 3), shape, Root())
        for day in range(days)
    ]
    steps = np.tile([a_day / 2, a_day, a_day * 2], (days, 1))
    return Forecast("s", steps, sums, "m", (), "steady")


def row(
    spent: Spent,
    forecast: Forecast,
    values: tuple[str, ...] = (),
    known: datetime = NOW,
    stated: Decimal | None = None,
    **changes: Any,
) -> dict[str, Any]:
    found = budgets(budget("b", **{"amount": 300, "period": "month", "timezone": "UTC", "scope": {}, **changes}))
    (one,) = found
    period = found.calendar_of(one).period_at(NOW)
    assert period is not None
    grid = Grid("day", found.zone_of(one))
    lease = leased(NOW, grid, known, limit_s=600, slack_s=900)
    made = Outlook(found, one, period, grid, grid.cell_at(known), lease).row(values, spent, forecast, {}, stated)
    assert arrow_table("budget_forecasts", [made]).num_rows == 1
    return made


def test_a_period_comes_to_what_is_spent_and_what_its_days_to_come_add() -> None:
    """Ten days at 10 USD, twenty to come, the present one with them."""
    found = row(Spent(100 * USD, 104 * USD), said())
    assert found["p50"] == pytest.approx(Decimal(300), rel=Decimal("1e-6"))
    assert found["p10"] < found["p50"] < found["p90"]
    assert (found["amount"], found["spent"]) == (Decimal(300), Decimal(104))
    assert found["thresholds"] == [Decimal(100)]
    assert found["probabilities"][0] == pytest.approx(0.5, abs=0.01)
    assert found["breach_p90"] is None
    assert found["breach_p50"] in (None, datetime(2026, 11, 30, tzinfo=UTC))
    assert found["breach_p10"] < datetime(2026, 11, 30, tzinfo=UTC)
    assert found["raised_since"] == [EPOCH]


def test_what_is_spent_already_is_exceeded_now() -> None:
    """And no period comes to less than that, whatever was forecast."""
    found = row(Spent(100 * USD, 500 * USD), said(a_day=0.001))
    assert found["p10"] == found["p90"] == Decimal(500)
    assert found["probabilities"] == [1.0]
    assert found["breach_p90"] == NOW


def test_amounts_are_in_the_budgets_unit_and_credits_are_part_of_them() -> None:
    """GPU seconds are forecast, GPU hours are budgeted."""
    found = row(Spent(3600 * USD * 10, 3600 * USD * 10), said(a_day=3600.0), amount=40, measure="gpu_hours")
    assert (found["unit"], found["amount"], found["spent"]) == ("gpu_hours", Decimal(40), Decimal(10))
    assert found["p50"] == pytest.approx(Decimal(30), rel=Decimal("1e-6"))


def test_what_was_carried_over_is_part_of_the_amount_as_the_budgets_job_states_it() -> None:
    """And of the chances; where it has stated none, that is said, beside another reason too. Less than nothing, too."""
    carries: dict[str, Any] = {"carry_over": {"unused": True, "overspend": True, "since": "2026-01-01"}}
    spent = Spent(100 * USD, 104 * USD)
    found = row(spent, said(), stated=Decimal("450.000000000001"), **carries)
    assert (found["amount"], found["why"]) == (Decimal("450.000000000001"), "")
    assert found["probabilities"][0] < row(spent, said(), **carries)["probabilities"][0]
    assert row(spent, said(), **carries)["why"] == NOT_STATED
    assert row(spent, replace(said(), why="young"), **carries)["why"] == f"young; {NOT_STATED}"
    assert row(spent, said(), stated=Decimal(-20), **carries)["probabilities"] == [1.0]


def test_thresholds_stand_in_rising_order_with_their_chances() -> None:
    """Amounts as their share of the budget's."""
    thresholds = {"forecast": [80, 100, {"at_amount": 600}]}
    found = row(Spent(100 * USD, 100 * USD), said(), thresholds=thresholds)
    assert found["thresholds"] == [Decimal(80), Decimal(100), Decimal(200)]
    assert found["probabilities"] == sorted(found["probabilities"], reverse=True)


def test_what_services_ask_about_is_forecast_without_an_alert() -> None:
    """Beside what people are told of; the same percent once."""
    steps = [{"at_forecast_percent": 100, "action": "reduced"}, {"at_forecast_percent": "120.5", "action": "refuse"}]
    whens: list[tuple[list[int], list[str]]] = [([], ["100", "120.5"]), ([80, 100], ["80", "100", "120.5"])]
    for told, expected in whens:
        found = row(Spent(100 * USD, 100 * USD), said(), thresholds={"forecast": told}, policy={"steps": steps})
        assert found["thresholds"] == [Decimal(percent) for percent in expected]
        assert len(found["states"]) == len(found["raised_since"]) == len(expected)


@pytest.mark.parametrize(
    ("forecast", "known", "why"),
    [
        (refusal("s", "too young"), NOW, "too young"),
        (said(5), NOW, "its period ends in 20 days, and 5 are forecast"),
        (said(), NOW - timedelta(days=20), "the ledger is known until 2026-10-22 09:30 UTC, before the period began"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_reason(forecast: Forecast, known: datetime, why: str) -> None:
    """What is spent is said all the same."""
    found = row(Spent(USD, USD), forecast, known=known)
    assert (found["label"], found["why"], found["p50"], found["thresholds"]) == ("refused", why, None, [])
    assert found["spent"] == 1


@given(st.integers(-(10**24), 10**24), st.floats(0, 1e6), st.integers(0, 10**6))
def test_no_figure_is_none(spent: int, a_day: float, amount: int) -> None:
    """Credits, nothing at all, a budget of nothing."""
    found = row(Spent(spent, spent), said(a_day=a_day), amount=amount)
    assert found["p10"] <= found["p50"] <= found["p90"]
    assert found["spent"] <= found["p10"]
    assert all(0 <= chance <= 1 for chance in found["probabilities"])
    dates = [found[name] for name in ("breach_p10", "breach_p50", "breach_p90") if found[name] is not None]
    assert dates == sorted(dates)
    assert all(NOW <= date < found["period_end"] for date in dates), "what is to happen today has not at midnight"


def test_a_day_is_added_up_of_hours_and_a_week_of_days() -> None:
    """The day with an hour more, too."""
    berlin = ZoneInfo("Europe/Berlin")
    autumn = datetime(2026, 10, 25, 12, tzinfo=UTC)
    for cells, grain in ((calendar.hours, "hour"), (calendar.days, "hour"), (calendar.months, "day")):
        period = cells(berlin).period_at(autumn)
        assert period is not None
        assert grain_of(period) == grain
