"""Forecasts of days, of whatever series there may be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.forecasting.daily import forecast_days
from stream_jobs.forecasting.model import Forecast, Panel
from tests.unit.forecasting.days import FIRST, noisy, ordinal, panel


def check(forecast: Forecast, horizon: int) -> None:
    """No figure is sick."""
    assert forecast.refused == (len(forecast.steps) == 0 and not len(forecast.sums) and forecast.method == "none")
    if forecast.refused:
        assert forecast.why
        return
    assert forecast.steps.shape == (horizon, 3)
    assert len(forecast.sums) == horizon
    assert np.isfinite(forecast.steps).all()
    assert (forecast.steps >= 0).all()
    assert (np.diff(forecast.steps, axis=1) >= 0).all()
    for one in forecast.sums:
        found = one.quantile(np.array([0.005, 0.1, 0.5, 0.9, 0.995]))
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        assert (np.diff(found) >= 0).all()
        assert 0 <= one.chance_above(1.0) <= 1


CELLS = st.one_of(st.floats(-1e6, 1e12), st.sampled_from([0.0, 0.0, np.nan, np.nan, 1e-12, 1e15]))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=40, max_size=40), min_size=1, max_size=3), st.integers(0, 40), st.data())
def test_no_figure_is_sick(series: list[list[float]], days: int, data: st.DataObject) -> None:
    """Whatever days there were, of whatever number: finite, not negative, in order, or a reason."""
    horizon = data.draw(st.sampled_from([0, 1, 5, 31]))
    values = np.array(series)[:, :days]
    for forecast in forecast_days(Panel([str(name) for name in range(len(values))], "day", FIRST, values), horizon):
        check(forecast, horizon)


@pytest.mark.parametrize("horizon", [0, 1, 90, 400])
def test_horizons(horizon: int) -> None:
    """From nothing to more than a year."""
    check(forecast_days(panel(noisy(60)), horizon)[0], horizon)


def test_the_last_day_of_a_leap_february() -> None:
    """The 29th is forecast from the 28th, and the month after."""
    first = ordinal("2027-12-01")
    days = ordinal("2028-02-29") - first
    forecast = forecast_days(panel(noisy(days), first=first), 32)[0]
    check(forecast, 32)
    assert abs(forecast.steps[0, 1] - 100) < 15


@pytest.mark.parametrize(
    ("days", "label", "why"),
    [
        (0, "refused", "no day"),
        (1, "cold start", "1 day is known"),
        (3, "provisional", "3 days are known"),
        (14, "steady", ""),
    ],
)
def test_labels_by_age(days: int, label: str, why: str) -> None:
    """From the first day on an answer, labelled."""
    forecast = forecast_days(panel(noisy(days)), 7)[0]
    assert forecast.label == label
    assert why in forecast.why
    check(forecast, 7)


def test_bands_narrow_with_age() -> None:
    """One day knows little."""
    widths = []
    for days in (1, 3, 7, 30):
        low, _, high = forecast_days(panel(noisy(days)), 20)[0].steps[0]
        widths.append(np.log(high / low))
    assert (np.diff(widths) < 0).all()
    assert widths[0] > 1.5


def test_what_has_stopped_is_nothing_and_may_come_back() -> None:
    """P10 and P50 are 0; P90 is what its peers' returns make it."""
    values = noisy(90)
    values[-3:] = 0
    forecast = forecast_days(panel(values), 60)[0]
    assert forecast.label == "dead"
    assert "last used on 2027-03-31" in forecast.why
    assert (forecast.steps[:, :2] == 0).all()
    assert forecast.sums[-1].quantile(0.9) > 0
    never = forecast_days(panel(np.zeros(30)), 5)[0]
    assert never.label == "dead"
    assert "never" in never.why
    assert (never.steps == 0).all()


def test_a_feed_that_is_late_is_no_series_that_stopped() -> None:
    """Days at the end that are not known: the forecast is as large as before, and says so."""
    values = noisy(90)
    values[-3:] = np.nan
    forecast = forecast_days(panel(values), 10)[0]
    assert forecast.label == "steady"
    assert "nothing is known after 2027-03-31" in forecast.why
    assert abs(forecast.steps[:, 1].mean() - 100) < 10
    values[-40:] = np.nan
    assert forecast_days(panel(values), 10)[0].refused


def test_a_spike_of_yesterday_widens() -> None:
    """Nobody knows whether it stays: the band is wider, its middle is not moved."""
    values = noisy(90)
    calm = forecast_days(panel(values), 20)[0].sums[-1]
    values[-1] *= 10
    found = forecast_days(panel(values), 20)[0].sums[-1]
    assert abs(found.quantile(0.5) / calm.quantile(0.5) - 1) < 0.1
    assert found.quantile(0.9) > 1.15 * calm.quantile(0.9)
    assert found.quantile(0.9) < 3 * calm.quantile(0.9)


def test_a_panel_without_anything() -> None:
    """No series, or no days."""
    assert forecast_days(Panel([], "day", FIRST, np.zeros((0, 5))), 3) == []
    assert [one.refused for one in forecast_days(Panel(["a", "b"], "day", FIRST, np.zeros((2, 0))), 3)] == [True, True]
