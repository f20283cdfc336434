"""Days to come as seen from days of the past."""

import numpy as np
import pytest

from stream_jobs.forecasting.day_outlook import DayOutlook
from stream_jobs.forecasting.model import Panel
from tests.unit.forecasting.days import FIRST, noisy, panel

pytestmark = pytest.mark.slow


def test_what_is_said_of_a_day_is_the_same_when_more_is_known() -> None:
    """By a panel that ends there, and by one that goes on wildly: to the last digit."""
    calm = np.stack([noisy(150, seed=seed) for seed in range(3)])
    wild = np.concatenate([calm, 50 * calm[:, :60]], axis=1)
    at = range(FIRST + 60, FIRST + 151)
    for origin in (FIRST + 100, FIRST + 150):
        one, other = (DayOutlook(panel(*values), 30, asked=at).ahead(origin, 30) for values in (calm, wild))
        for series in range(3):
            assert np.array_equal(one.steps(series), other.steps(series))
            assert one.sums(series)[-1].quantile(0.9) == other.sums(series)[-1].quantile(0.9)


def test_bands_cover() -> None:
    """Eight of ten sums lie between P10 and P90, give or take what 900 sums can tell."""
    values = np.stack([noisy(300, seed=seed, noise=0.1 + 0.02 * seed, weekend=0.5) for seed in range(10)])
    outlook = DayOutlook(panel(*values), 20, asked=range(FIRST + 100, FIRST + 280))
    inside = []
    for day in range(100, 280, 2):
        ahead = outlook.ahead(FIRST + day, 20)
        for series in range(10):
            low, high = (ahead.sum_of(series, 20).quantile(probability) for probability in (0.1, 0.9))
            inside.append(low <= values[series, day : day + 20].sum() <= high)
    assert 0.7 < np.mean(inside) < 0.9


@pytest.mark.parametrize("horizon", [-1, 401])
def test_a_horizon_out_of_reach(horizon: int) -> None:
    with pytest.raises(ValueError, match="0 to 400"):
        DayOutlook(panel([1.0]), horizon)
    with pytest.raises(ValueError, match="hours"):
        DayOutlook(Panel(["a"], "hour", FIRST, np.ones((1, 3))), 3)
