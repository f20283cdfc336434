"""The same time on earlier days."""

import numpy as np

from stream_jobs.detection.gauge_season import Season

ONE = np.array([0])
MIDNIGHT = 20_000 * 1440


def learned(days: int, step: int = 60) -> Season:
    """Value = hour of the day, and 100 more on every seventh day."""
    season = Season(step)
    season.grow(1)
    for minute in range(0, days * 1440, step):
        value = minute % 1440 / 60 + 100.0 * (minute // 1440 % 7 == 6)
        season.learn(ONE, np.array([MIDNIGHT + minute]), np.array([value]))
    return season


def test_day_and_week() -> None:
    """The median of the same hour of earlier days, and that of a week ago: on a Sunday the latter knows better."""
    day, week = learned(13).expected(ONE, np.array([MIDNIGHT + 13 * 1440 + 12 * 60 + 30]))
    assert abs(day[0] - 12) < 0.51
    assert abs(week[0] - 112) < 0.51


def test_too_little() -> None:
    """One day is no season."""
    day, week = learned(1).expected(ONE, np.array([MIDNIGHT + 1440 + 720]))
    assert np.isnan(day[0])
    assert np.isnan(week[0])


def test_old_days_are_forgotten() -> None:
    """After a gap of weeks nothing is expected: what was kept is too old."""
    season = learned(10)
    later = np.array([MIDNIGHT + 60 * 1440])
    season.learn(ONE, later, np.array([5.0]))
    day, week = season.expected(ONE, later + 720)
    assert np.isnan(day[0])
    assert np.isnan(week[0])
