"""What is declared of hours."""

import numpy as np
import pytest

from stream_jobs.forecasting.declared import Declared, nothing
from stream_jobs.forecasting.declared_hours import forecast_declared_hours
from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasting.model import Panel

HORIZON, FIRST, PAST = 48, 490_000, 21 * 24


def panel(*, seed: int = 3, past: int = PAST) -> Panel:
    """Two that are used always, one that is used now and then, one that has stopped."""
    rng = np.random.default_rng(seed)
    usual = 100 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(past) / 24)) * rng.lognormal(0, 0.2, (4, past))
    usual[2] *= rng.random(past) < 0.1
    usual[3, -200:] = 0
    return Panel(["a", "b", "rare", "stopped"], "hour", FIRST, usual)


def declared(factors: np.ndarray, amounts: np.ndarray | None = None) -> Declared:
    """Of all series alike."""
    given = np.tile(factors, (4, 1))
    return Declared(FIRST, given, np.zeros_like(given) if amounts is None else np.tile(amounts, (4, 1)))


def test_where_nothing_is_declared_it_is_the_forecast_of_hours() -> None:
    """To the last digit."""
    for one, two in zip(
        forecast_declared_hours(panel(), HORIZON, nothing(4, FIRST)), forecast_hours(panel(), HORIZON), strict=True
    ):
        assert np.array_equal(one.steps, two.steps)
        assert [total.quantile(0.9) for total in one.sums] == [total.quantile(0.9) for total in two.sums]


def test_a_launch_of_the_past_is_no_habit_and_one_to_come_is_expected() -> None:
    """Tripled for two days, last week and tomorrow: all but tomorrow is as if there had been none."""
    plain, factors = panel(), np.ones(PAST + HORIZON)
    factors[PAST - 100 : PAST - 52] = factors[PAST : PAST + 24] = 3
    moved = Panel(plain.names, "hour", FIRST, plain.values * factors[:PAST])
    usual = forecast_hours(plain, HORIZON)
    for one, two in zip(forecast_declared_hours(moved, HORIZON, declared(factors)), usual, strict=True):
        assert one.steps == pytest.approx(two.steps * factors[PAST:, None])
        assert one.sums[23].quantile(0.9) == pytest.approx(3 * two.sums[23].quantile(0.9))
        assert one.sums[-1].quantile(0.5) <= 3 * two.sums[-1].quantile(0.5)
        assert one.label == two.label


def test_a_purchase_is_sure_and_as_large_as_it_is() -> None:
    """In its hour and in every sum from it on, in each quantile alike; its like in the past teaches nothing."""
    plain, amounts = panel(), np.zeros(PAST + HORIZON)
    amounts[PAST - 30], amounts[PAST + 5] = 5000, 700
    bought = Panel(plain.names, "hour", FIRST, plain.values + amounts[:PAST])
    bought.values[2:, PAST - 30] = plain.values[2:, PAST - 30]  # of these nobody bought anything then
    usual = forecast_hours(plain, HORIZON)
    found = forecast_declared_hours(bought, HORIZON, declared(np.ones(PAST + HORIZON), amounts))
    for one, two in list(zip(found, usual, strict=True))[:2]:
        assert one.steps == pytest.approx(two.steps + amounts[PAST:, None])
        assert one.sums[4].quantile(0.9) == pytest.approx(two.sums[4].quantile(0.9))
        assert one.sums[5].quantile(0.1) == pytest.approx(two.sums[5].quantile(0.1) + 700)


def test_no_factor_makes_anything_sick() -> None:
    """From a thousandth to a thousand times: rising quantiles, finite, not negative; bounded before the factor."""
    for factor in (1e-3, 1.0, 1e3):
        factors = np.ones(PAST + HORIZON)
        factors[PAST:] = factor
        most = 5 * factor * panel().values.max(axis=1)
        for one, largest in zip(forecast_declared_hours(panel(), HORIZON, declared(factors)), most, strict=True):
            assert np.isfinite(one.steps).all()
            assert (np.diff(one.steps, axis=1) >= 0).all()
            assert (one.steps >= 0).all()
            assert (one.steps <= largest * (1 + 1e-9)).all()
            totals = np.array([total.quantiles((0.1, 0.5, 0.9)) for total in one.sums])
            assert (np.diff(totals, axis=1) >= 0).all()
            assert np.isfinite(totals).all()


def test_what_is_refused_stays_refused() -> None:
    """And says why."""
    unknown = Panel(["a"], "hour", FIRST, np.full((1, 300), np.nan))
    (found,) = forecast_declared_hours(unknown, HORIZON, Declared(FIRST, np.full((1, 400), 2.0), np.zeros((1, 400))))
    assert found.refused
    assert found.why
