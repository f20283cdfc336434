"""Misses are of forecasts that knew nothing of what they are compared with, nor of anything later."""

import numpy as np
import pytest

from stream_jobs.forecasting.backtest import misses
from stream_jobs.forecasting.paths import SCALE, Paths
from tests.unit.forecasting.hours import traffic


def test_each_miss_is_what_came_less_what_was_said() -> None:
    values = traffic(2, series=2, days=10)
    paths = Paths(values, 24)
    missed = misses(paths, values, 200)
    row = missed.targets[:, 0].tolist().index(150)
    said = paths.at(150)
    assert missed.of_steps[row] == pytest.approx(np.cbrt(values[:, 150:174]) - said)
    sums, expected = np.cumsum(values[:, 150:174], axis=1), np.cumsum(SCALE.back(said), axis=1)
    assert missed.of_sums[row] == pytest.approx(np.cbrt(sums) - np.cbrt(expected))


def test_nothing_from_the_origin_on_is_looked_at() -> None:
    values = traffic(2, series=2, days=10)
    missed = misses(Paths(values, 72), values, 200)
    assert np.isnan(missed.of_steps.transpose(0, 2, 1)[missed.targets >= 200]).all()
    assert np.isfinite(missed.of_steps.transpose(0, 2, 1)[missed.targets < 200]).all()


def test_an_hour_that_is_not_known_leaves_no_miss() -> None:
    values = traffic(2, series=1, days=10)
    values[0, 180] = np.nan
    missed = misses(Paths(values, 24), values, 200)
    assert np.isnan(missed.of_steps.transpose(0, 2, 1)[missed.targets == 180]).all()


def test_a_day_of_history_has_none() -> None:
    assert len(misses(Paths(np.ones((1, 24)), 24), np.ones((1, 24)), 24).of_steps) == 0
