"""Bands: pooled misses, in units of what a series usually misses."""

import numpy as np
import pytest

from stream_jobs.forecasting.bands import OF_STEPS, PRIOR, WIDER, bucket_of, buckets
from stream_jobs.forecasting.hourly import Hours
from stream_jobs.forecasting.model import QUANTILES
from tests.unit.forecasting.hours import panel_of, traffic


def test_steps_are_judged_with_their_neighbours() -> None:
    assert bucket_of(9).tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 2]


def test_a_series_that_misses_twice_as_much_has_a_band_twice_as_wide() -> None:
    random = np.random.default_rng(1)
    missed = random.normal(0, 1, (60, 2, 3)) * np.array([1.0, 2.0])[None, :, None]
    targets = np.arange(60)[:, None] * 3 + np.arange(3)
    (only,) = buckets(missed, targets, np.array([10.0, 10.0]), np.array([True, True]), OF_STEPS)
    assert only.scale[1] / only.scale[0] == pytest.approx(1.7, abs=0.2)  # shrunk to each other
    assert np.quantile(only.shape[0], QUANTILES[2]) * only.scale[0] == pytest.approx(1.28, abs=0.3)


def test_before_any_forecast_came_true_a_band_is_a_stated_share_of_the_level() -> None:
    first, second = buckets(
        np.zeros((0, 1, 8)), np.zeros((0, 8), np.int64), np.array([10.0]), np.array([True]), OF_STEPS
    )
    assert first.scale[0] == pytest.approx(PRIOR * 10)
    assert second.scale[0] == pytest.approx(PRIOR * 10 * WIDER)


def test_misses_of_what_comes_in_bursts_do_not_widen_the_bands_of_others() -> None:
    random = np.random.default_rng(2)
    calm = random.normal(0, 1, (60, 30, 3))
    wild = random.standard_t(1.2, (60, 30, 3)) * 5
    targets = np.arange(60)[:, None] * 3 + np.arange(3)
    level = np.full(60, 10.0)
    together = buckets(np.concatenate([calm, wild], axis=1), targets, level, np.ones(60, np.bool_), OF_STEPS)[0]
    alone = buckets(calm, targets, level[:30], np.ones(30, np.bool_), OF_STEPS)[0]
    widths = [np.quantile(one.shape[0], 0.9) * one.scale[0] for one in (together, alone)]
    assert widths[0] == pytest.approx(widths[1], rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [24, 72])
def test_eight_in_ten_come_between_p10_and_p90(horizon: int) -> None:
    values = traffic(21, series=20, days=40, noise=0.25)
    model = Hours(panel_of(values), horizon)
    inside = []
    for column in range(21 * 24, values.shape[1] - horizon, 50):
        for row, forecast in zip(values, model.forecast(480_000 + column), strict=True):
            came = row[column : column + horizon]
            inside.append(((came >= forecast.steps[:, 0]) & (came <= forecast.steps[:, 2])).mean())
    assert 0.75 <= np.mean(inside) <= 0.87
