"""A path is made from what lies before its origin alone, and goes nowhere the series never was."""

import numpy as np
import pytest

from stream_jobs.forecasting.paths import FARTHEST, SCALE, Paths
from tests.unit.forecasting.hours import traffic


def test_what_comes_later_changes_nothing() -> None:
    values = traffic(1)
    other = values.copy()
    other[:, 300:] = 7e6
    assert np.array_equal(Paths(values, 48).at(300), Paths(other, 48).at(300))


def test_nothing_is_expected_beyond_five_times_the_greatest_hour() -> None:
    values = np.zeros((1, 200))
    values[0, -1] = 1e6
    assert SCALE.back(Paths(values, 72).at(200)).max() <= FARTHEST * 1e6


def test_one_hour_of_history_is_repeated() -> None:
    values = np.full((1, 1), 40.0)
    assert SCALE.back(Paths(values, 3).at(1))[0] == pytest.approx([40, 40, 40])


def test_hours_that_no_day_knows_are_filled_with_the_level() -> None:
    values = np.tile(np.where(np.arange(24) < 6, np.nan, 8.0), 5)[None, :]
    assert SCALE.back(Paths(values, 24).at(120))[0] == pytest.approx(8.0)


def test_it_beats_repeating_yesterday_and_repeating_the_week() -> None:
    values = traffic(11, series=8, days=35, noise=0.3)
    paths = Paths(values, 72)
    ours = yesterday = week = 0.0
    for origin in range(22 * 24, 32 * 24, 26):
        came = values[:, origin : origin + 72]
        ours += np.abs(SCALE.back(paths.at(origin)) - came).mean(axis=1)
        yesterday += np.abs(np.tile(values[:, origin - 24 : origin], 3) - came).mean(axis=1)
        week += np.abs(values[:, origin - 168 : origin - 96] - came).mean(axis=1)
    assert np.exp(np.log(ours / yesterday).mean()) < 0.8
    assert np.exp(np.log(ours / week).mean()) < 0.95
