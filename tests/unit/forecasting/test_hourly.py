"""Forecasts of hours: what each length and kind of history is told, and that no answer is a sick one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.forecasting.hourly import MOST, Hours, forecast_hours
from stream_jobs.forecasting.model import Forecast, Panel
from stream_jobs.forecasting.paths import FARTHEST
from tests.unit.forecasting.hours import panel_of, traffic


def one(values: Sequence[float] | np.ndarray, horizon: int = 24) -> Forecast:
    return forecast_hours(panel_of(np.array([values], np.float64)), horizon)[0]


@pytest.mark.parametrize(
    ("hours", "label"),
    [(1, "cold start"), (30, "cold start"), (72, "provisional"), (335, "provisional"), (336, "steady")],
)
def test_a_label_says_how_long_the_history_is(hours: int, label: str) -> None:
    assert one(traffic(1, series=1)[0, :hours]).label == label


def test_one_point_is_a_level_with_a_wide_band() -> None:
    found = one([40.0])
    low, middle, high = found.steps[0]
    assert middle == pytest.approx(40)
    assert low < 20
    assert high > 70
    assert "1 hours of history" in found.why


def test_nothing_known_is_refused_in_words() -> None:
    assert "nothing is known" in one([np.nan] * 50).why
    assert one([]).refused
    lost = one([5.0] * 100 + [np.nan] * 200)
    assert lost.refused
    assert "last 8 days" in lost.why


def test_a_gap_up_to_the_origin_is_no_zero() -> None:
    found = one(np.r_[np.full(400, 9.0), np.full(30, np.nan)])
    assert found.steps[:, 1] == pytest.approx(9.0)
    assert "nothing is known of the last 30 hours" in found.why


def test_a_dead_tail_is_told_to_be_dead() -> None:
    found = one(np.r_[np.full(400, 9.0), np.zeros(60)])
    assert found.label == "dead"
    assert not found.steps[:, 1].any()
    assert found.sums[-1].quantile(0.5) == 0


def test_what_is_used_now_and_then_is_told_by_sums() -> None:
    values = np.zeros(600)
    values[::37] = 100.0
    found = one(values, 72)
    assert found.label == "intermittent"
    assert found.sums[-1].quantile(0.5) == pytest.approx(200, rel=0.1)


def test_credits_do_not_make_a_forecast_negative() -> None:
    values = traffic(1, series=1)[0]
    values[::5] *= -1
    assert (one(values).steps >= 0).all()


def test_after_a_level_shift_of_yesterday_the_forecast_moves() -> None:
    values = traffic(5, series=1, weekend=1.0)[0]
    before = one(values[:-24]).steps[:, 1].sum()
    values[-24:] *= 3
    after = one(values)
    assert after.steps[:, 1].sum() > 1.5 * before
    assert after.steps[:, 2].max() <= FARTHEST * values.max()


@pytest.mark.parametrize("horizon", [0, 1, 90])
def test_horizons(horizon: int) -> None:
    found = one(traffic(1, series=1)[0], horizon)
    assert found.steps.shape == (horizon, 3)
    assert len(found.sums) == horizon


def test_a_sum_of_medians_is_not_the_median_of_the_sum() -> None:
    values = np.random.default_rng(3).lognormal(3, 1.2, (12, 500))
    found = forecast_hours(panel_of(values), 72)
    sums = np.array([one.sums[-1].quantile(0.5) for one in found])
    assert (sums > 1.3 * np.array([one.steps[:, 1].sum() for one in found])).all()
    assert sums.mean() == pytest.approx(72 * values.mean(), rel=0.2)


@pytest.mark.parametrize("seed", range(6))
def test_a_sum_of_one_step_is_that_step(seed: int) -> None:
    """The same P50, and P10 and P90 as near as two ways to interpolate; and it never falls along the quantiles. Also
    of what grows, is bursty or has credits."""
    random = np.random.default_rng(seed)
    values = np.concatenate(
        [traffic(seed, series=4), random.lognormal(3, 1.5, (4, 504)), np.exp(np.linspace(0, 3, 504))[None, :]]
    )
    values[5, ::9] *= -1
    values[6, 100:160] = np.nan
    probabilities = np.linspace(0.01, 0.99, 50)
    for found in forecast_hours(panel_of(values), 24):
        low, middle, high = found.steps[0]
        one = found.sums[0]
        assert one.quantile(0.5) == pytest.approx(middle, rel=1e-9)
        assert (one.quantile(0.1), one.quantile(0.9)) == pytest.approx((low, high), rel=0.1, abs=0.02 * high)
        assert (np.diff(one.quantile(probabilities)) >= 0).all()
        assert found.sums[1].quantile(0.9) >= one.quantile(0.5)


def test_the_same_from_any_origin_whatever_comes_later() -> None:
    values = traffic(9, series=7)
    values[2, :450] = np.nan
    other = values.copy()
    other[:, 400:] = 1e9
    for mine, theirs in zip(
        Hours(panel_of(values), 48).forecast(480_400), Hours(panel_of(other), 48).forecast(480_400), strict=True
    ):
        assert mine.label == theirs.label
        assert np.array_equal(mine.steps, theirs.steps)


def test_an_origin_outside_of_the_panel_is_refused() -> None:
    model = Hours(panel_of(np.ones((1, 10))), 3)
    for origin in (479_999, 480_011):
        with pytest.raises(ValueError, match="not within the panel"):
            model.forecast(origin)


def test_days_are_refused() -> None:
    with pytest.raises(ValueError, match="panel of hours"):
        forecast_hours(Panel(["a"], "day", 0, np.ones((1, 3))), 3)
    with pytest.raises(ValueError, match="-1"):
        forecast_hours(panel_of(np.ones((1, 3))), -1)


AMOUNTS = st.one_of(
    st.just(0.0), st.just(np.nan), st.floats(0, 1e3), st.floats(-100, 0), st.sampled_from([1e-9, 1e12, 1e300])
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(AMOUNTS, min_size=1, max_size=8), min_size=1, max_size=7),
    st.integers(1, 400),
    st.sampled_from([0, 1, 30, 200]),
)
def test_no_answer_is_sick(patterns: list[list[float]], hours: int, horizon: int) -> None:
    """Finite, not negative, rising quantiles, nothing beyond five times the greatest hour; or a refusal in words."""
    values = np.array([np.resize(pattern, hours) for pattern in patterns])
    for row, found in zip(values, forecast_hours(panel_of(values), horizon), strict=True):
        if found.refused:
            assert found.why
            continue
        most = FARTHEST * float(np.nanmax(np.clip(row, 0, MOST)))
        assert found.steps.shape == (horizon, 3)
        assert np.isfinite(found.steps).all()
        assert (found.steps >= 0).all()
        assert (np.diff(found.steps, axis=1) >= 0).all()
        assert (found.steps <= most * 1.0001).all()
        for step, added in enumerate(found.sums):
            quantiles = added.quantiles((0.01, 0.1, 0.5, 0.9, 0.99))
            assert np.isfinite(quantiles).all()
            assert quantiles[0] >= 0
            assert list(quantiles) == sorted(quantiles)
            assert quantiles[-1] <= most * (step + 1) * 1.0001
