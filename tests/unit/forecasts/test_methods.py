"""What the job forecasts with."""

from datetime import date

import numpy as np
import pytest

from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.methods import forecast_panel

CHRISTMAS = date(2026, 12, 25)


def weekdays_only(days: int = 70) -> Panel:
    """Until the twentieth of December: half as much on weekends."""
    first = date(2026, 12, 20).toordinal() - days
    at = np.arange(first, first + days)
    noise = np.random.default_rng(5).lognormal(0, 0.05, days)
    return Panel(["a"], "day", first, (np.where((at - 1) % 7 >= 5, 50.0, 100.0) * noise)[None, :])


def known(panel: Panel, horizon: int, factor: float) -> Beforehand:
    cells = panel.values.shape[1]
    factors = np.ones((1, cells + horizon))
    factors[:, cells:] = factor
    return Beforehand(panel.step, panel.first, cells, factors, np.zeros_like(factors), ["planned: it"])


@pytest.mark.slow
def test_a_holiday_of_the_country_is_as_quiet_as_a_sunday() -> None:
    """And a day as any other where no country is given."""
    place = CHRISTMAS.toordinal() - weekdays_only().origin
    (usual,), (rests,) = (forecast_panel(weekdays_only(), 14, None, country) for country in ("", "DE"))
    assert usual.steps[place, 1] == pytest.approx(100, rel=0.1)
    assert rests.steps[place, 1] == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize("step", ["hour", "day"])
def test_what_is_known_beforehand_is_expected_and_said(step: str) -> None:
    """Of hours and of days alike."""
    days = weekdays_only(70 if step == "day" else 400)
    panel = days if step == "day" else Panel(["a"], "hour", 490_000, days.values)
    (usual,) = forecast_panel(panel, 14)
    (found,) = forecast_panel(panel, 14, known(panel, 14, 2.5))
    assert found.steps[:, 1] == pytest.approx(2.5 * usual.steps[:, 1], rel=1e-3)
    assert found.sums[-1].quantile(0.5) == pytest.approx(2.5 * usual.sums[-1].quantile(0.5), rel=0.01)
    assert found.why.endswith("planned: it")


def test_of_no_series_there_is_no_forecast() -> None:
    """Nor anything to know of them."""
    assert forecast_panel(Panel([], "day", 700_000, np.zeros((0, 30))), 14) == []
