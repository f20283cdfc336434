"""Days by the hours of a first one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.daily import forecast_days
from stream_jobs.forecasting.first_day import forecast_first_day
from stream_jobs.forecasting.model import Floats, Forecast
from tests.unit.forecasting.days import panel


def said(count: int, *, each: float = 10.0, left: float | None = None, days: int = 30) -> Forecast:
    """So many hours from midnight on, and what they say."""
    return forecast_first_day("s", np.full(count, each), [24.0 - count if left is None else left, *[24.0] * (days - 1)])


def factor(forecast: Forecast, known: float, day: int) -> float:
    """By how much P90 lies above P50, of what is to come."""
    _, middle, high = forecast.sums[day].quantiles((0.1, 0.5, 0.9))
    return float((high - known) / (middle - known))


@pytest.mark.parametrize(
    ("count", "why"), [(0, "no whole hour of it is"), (1, "1 whole hour is"), (2, "2 whole hours are")]
)
def test_a_point_or_two_say_nothing_of_days(count: int, why: str) -> None:
    """With what it takes."""
    found = said(count)
    assert found.refused
    assert found.why == f"{why} known yet: it takes 3 to say anything of days"


@pytest.mark.parametrize("count", [3, 23])
def test_hours_are_a_level_and_what_came_is_sure(count: int) -> None:
    """The first step is all of the present day; the label says how little that is."""
    found = said(count)
    assert (found.label, found.method) == ("cold start", "mean of hours")
    assert found.why == f"{count} hours are known and no whole day: by their mean, with a wide band"
    assert found.steps[:, 1] == pytest.approx(240)
    assert [one.quantile(0.5) for one in found.sums] == pytest.approx([240.0 * (day + 1) for day in range(30)])
    assert found.sums[0].quantile(0.01) >= 10 * count
    assert found.sums[0].chance_above(10 * count - 1) == 1.0


def test_a_band_narrows_as_hours_come() -> None:
    """It is never narrower than with a whole day known."""
    (one_day,) = forecast_days(panel([240.0]), 30)
    wide = [factor(said(count), 10 * count, 29) for count in (3, 6, 12, 23)]
    assert wide == sorted(wide, reverse=True)
    assert wide[-1] > factor(one_day, 0, 29)
    assert wide[0] > wide[-1] + 0.5


def test_a_day_that_is_over_but_for_the_next_to_come_is_known() -> None:
    """Of a day with 25 hours one is left after 24; of one with 23 none after 23, and then its sum is what came."""
    autumn = forecast_first_day("s", np.full(24, 10.0), [1.0, 24.0])
    assert autumn.sums[0].quantile(0.5) == pytest.approx(250)
    spring = forecast_first_day("s", np.full(23, 10.0), [0.0, 24.0])
    assert spring.sums[0].quantiles((0.1, 0.5, 0.9)) == pytest.approx((230, 230, 230))
    assert spring.sums[1].quantile(0.5) == pytest.approx(470)


def test_what_is_not_known_is_no_hour() -> None:
    """Neither are the hours before something began."""
    hours = np.concatenate([np.full(9, np.nan), [10.0, 10.0, np.nan, 10.0]])
    assert forecast_first_day("s", hours, [11.0]).sums[0].quantile(0.5) == pytest.approx(30 + 110)


@given(
    st.lists(st.one_of(st.just(float("nan")), st.floats(-1e12, 1e12)), max_size=25).map(np.array),
    st.floats(0, 25),
    st.integers(0, 400),
)
def test_nothing_is_sick(hours: Floats, rest: float, days: int) -> None:
    """Credits, gaps, nothing at all: rising, finite, no more than five times the greatest hour all the time."""
    found = forecast_first_day("s", hours.astype(float), [rest, *[24.0] * days][:days])
    if found.refused:
        return
    assert np.isfinite(found.steps).all()
    assert (found.steps >= 0).all()
    assert (np.diff(found.steps, axis=1) >= 0).all()
    came, most = float(np.nansum(hours)), max(float(np.nanmax(hours)), 0.0)
    for day in {0, days // 2, days - 1} & set(range(days)):
        low, middle, high = found.sums[day].quantiles((0.1, 0.5, 0.9))
        assert low <= middle <= high <= came + 5 * most * (rest + 24 * day) + 1e-6 * (1 + most)
