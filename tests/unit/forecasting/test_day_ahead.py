"""Steps and sums from one day on."""

import numpy as np
import pytest

from stream_jobs.forecasting.day_outlook import DayOutlook
from tests.unit.forecasting.days import FIRST, noisy, panel


def test_sums_are_a_sequence() -> None:
    """By places, from the end, and in slices; worked out when asked."""
    ahead = DayOutlook(panel(noisy(60)), 10).ahead(FIRST + 60, 10)
    sums = ahead.sums(0)
    assert len(sums) == 10
    assert sums[-1].middle == sums[9].middle
    assert [one.middle for one in sums[8:]] == [sums[8].middle, sums[9].middle]
    assert len(ahead.sums(0, 4)) == 4
    with pytest.raises(IndexError):
        _ = sums[10]


def test_nothing_exceeds_five_times_the_largest_day() -> None:
    """However wild the past was."""
    rng = np.random.default_rng(1)
    wild = np.exp(rng.normal(0, 4, (3, 80)))
    ahead = DayOutlook(panel(*wild), 90).ahead(FIRST + 80, 90)
    for series in range(3):
        most = 5 * wild[series].max()
        assert ahead.steps(series).max() <= most
        assert all(one.quantile(0.995) <= most * (day + 1) * 1.001 for day, one in enumerate(ahead.sums(series)))
