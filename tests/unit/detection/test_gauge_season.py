"""The same time on earlier days."""

import numpy as np
import pytest

from stream_jobs.detection.gauge_season import Season

ONE = np.array([0])
MIDNIGHT = 20_000 * 1440


def usual(minute: int) -> float:
    """Value = hour of the day, and 100 more on every seventh day."""
    return minute % 1440 / 60 + 100.0 * (minute // 1440 % 7 == 6)


def learned(days: int, step: int = 60, odd: range = range(0), level: float = 0.0, growth: float = 1.0) -> Season:
    """Some days' values are 500 higher, told of as findings."""
    season = Season(step)
    season.grow(1)
    for minute in range(0, days * 1440, step):
        day = minute // 1440
        value = (usual(minute) + level) * growth**day + 500.0 * (day in odd)
        season.learn(ONE, np.array([MIDNIGHT + minute]), np.array([value]), np.array([day in odd]))
    return season


def expected(season: Season, minute: int) -> np.ndarray:
    return np.asarray(season.expected(ONE, np.array([MIDNIGHT + minute]))[0])


@pytest.mark.parametrize("step", [60, 1440])
def test_day_and_week(step: int) -> None:
    """The median of the same hour of earlier days, and that of the weeks before: on a Sunday the latter knows better.
    No hour is mixed with its neighbours, and no day."""
    noon = 12 * 60 if step == 60 else 0
    day, *weeks = expected(learned(27, step), 27 * 1440 + noon)
    assert day == usual(noon)
    assert weeks == [100 + usual(noon)] * 2


def test_between_bins() -> None:
    """Within a bin it follows the slope where the neighbours agree on one."""
    season = learned(13, step=5)
    assert expected(season, 12 * 1440 + 725)[0] == pytest.approx(725 / 60, abs=0.01)


def test_an_odd_week_is_no_season() -> None:
    """What was told of the week before last is not expected a week later, nor does its level remain."""
    season = learned(27, odd=range(20, 21))
    assert expected(season, 27 * 1440 + 720).tolist() == [12.0, 112.0, 112.0]


def test_growth_is_expected() -> None:
    """As a factor: of a season that grows by a hundredth a day, the week's prediction is right to a half of one."""
    season = learned(42, level=50.0, growth=1.01)
    assert expected(season, 41 * 1440 + 720)[2] == pytest.approx(162.0 * 1.01**41, rel=0.005)


def test_too_little() -> None:
    """One day is no season."""
    assert np.isnan(expected(learned(1), 1440 + 720)).all()


def test_old_days_are_forgotten() -> None:
    """After a gap of weeks nothing is expected: what was kept is too old."""
    season = learned(10)
    later = np.array([MIDNIGHT + 90 * 1440])
    season.learn(ONE, later, np.array([5.0]), np.array([False]))
    assert np.isnan(season.expected(ONE, later + 720)).all()
