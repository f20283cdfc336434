"""Thousands of series, a day at a time."""

import numpy as np
import pytest

from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE
from tests.benchmarks.detection.many_series import COST, MEDIAN_RATE, ManySeries


def test_a_day_has_the_rates_of_its_series() -> None:
    """Half of the series see less than the median rate; requests and costs follow from the rates."""
    source = ManySeries(2_000, 5)
    events, cost, squares = source.day(FIRST_MINUTE)
    assert events.shape == cost.shape == squares.shape == (DAY, 2_000)
    assert np.median(source.rates) == pytest.approx(MEDIAN_RATE, rel=0.15)
    assert events.sum() == pytest.approx(source.rates.sum() * DAY, rel=0.05)
    assert cost.sum() / events.sum() == pytest.approx(COST, rel=0.03)
    assert np.all(squares <= cost**2 * (1 + 1e-6) + 1e-9)


def test_hours_are_sums_of_days() -> None:
    """[series, hours], from the same random numbers."""
    by_hour = ManySeries(50, 5).hours(FIRST_MINUTE, 30)
    source = ManySeries(50, 5)
    days = [source.day(FIRST_MINUTE), source.day(FIRST_MINUTE + DAY)]
    for part in range(3):
        assert by_hour[part].shape == (50, 30)
        assert by_hour[part][:, :24].sum() == pytest.approx(days[0][part].sum())
        assert by_hour[part][:, 24] == pytest.approx(days[1][part][:60].sum(axis=0))
