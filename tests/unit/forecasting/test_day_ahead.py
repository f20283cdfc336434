"""Steps and sums from one day on."""

import numpy as np
import pytest

from stream_jobs.forecasting.day_ahead import MOST_LEANED
from stream_jobs.forecasting.day_outlook import DayOutlook
from stream_jobs.forecasting.day_slow import SlowPaths
from stream_jobs.forecasting.members.model import MemberName
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


def test_slow_members_move_days_a_little_and_no_sums() -> None:
    """By the median of all members, and by no more than half of what days are usually off by; bands go with it."""
    outlook, origin = DayOutlook(panel(noisy(200)), 30), FIRST + 200
    usual = outlook.ahead(origin, 30)
    names: tuple[MemberName, ...] = ("ets", "prophet", "stl", "theta")
    near = outlook.ahead(origin, 30, {0: SlowPaths(origin, {name: np.full(30, 103.0) for name in names})})
    far = outlook.ahead(origin, 30, {0: SlowPaths(origin, {name: np.full(30, 1e6) for name in names})})
    assert not np.allclose(near.steps(0), usual.steps(0), rtol=1e-3)
    assert np.abs(near.steps(0)[:, 1] - 103).max() < np.abs(usual.steps(0)[:, 1] - 103).max()
    leant = np.log(far.steps(0) / usual.steps(0))
    assert leant == pytest.approx(np.repeat(leant[:, 1:2], 3, axis=1), abs=0.01)
    assert 0 < leant.max() <= MOST_LEANED * 0.5  # the usual error of a day is stated as 0.4 before any is known
    assert far.sums(0)[-1].quantiles((0.1, 0.5, 0.9)) == usual.sums(0)[-1].quantiles((0.1, 0.5, 0.9))


def test_slow_members_that_say_nothing_change_nothing() -> None:
    """All failed."""
    outlook, origin = DayOutlook(panel(noisy(200)), 30), FIRST + 200
    found = outlook.ahead(origin, 30, {0: SlowPaths(origin, {}, {"ets": "it was killed"})})
    assert found.steps(0) == pytest.approx(outlook.ahead(origin, 30).steps(0))
