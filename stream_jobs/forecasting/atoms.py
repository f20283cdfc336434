"""Cheap forecasts that err in different ways, on the cube-root scale: the mean of the middle ones is hard to beat.

All of them see a window of hours that ends at the origin, one row for each series. What one cannot tell is NaN. The
list and its constants are those that did best over many series together; none is chosen by a series' own past, which
is too short to choose by.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.profiles import (
    DAY,
    WEEK,
    behind,
    days_of,
    decayed_profile,
    levels_of,
    median_profile,
    week_of,
)
from stream_jobs.forecasting.robust import decayed, mean, median, weighted_mean

Floats = npt.NDArray[np.float64]
Ahead = npt.NDArray[np.int64]
ATOMS: Final = (
    "last day",
    "median of seven days",
    "last week",
    "profile and level",
    "profile and slow level",
    "profile and level of the last day",
    "profile and levels of hours and days",
    "level of the last hours",
)
RECENT: Final = 28 * DAY
"""Hours behind which nothing has any weight in a profile or a level."""


def atoms(window: Floats, horizon: int) -> Floats:
    """`window`: (n, hours) on the cube-root scale, at least one day of hours, known or not. -> (8, n, horizon)."""
    ahead = np.arange(horizon)
    week = week_of(window)
    window = window - behind(week, window.shape[1])
    days = days_of(window)
    made = [
        days[:, -1, ahead % DAY],
        median(days[:, -7:].transpose(0, 2, 1))[:, ahead % DAY],
        _last_week(window, ahead),
        _level_and_profile(window, ahead, half_lives=(4.0, 4.0), step=0.3, keeps=0.98),
        _on_square_root(window, ahead),
        *_median_levels(window, ahead),
        _level(window, ahead),
    ]
    return np.stack(made) + week[:, ahead % WEEK]


def _last_week(window: Floats, ahead: Ahead) -> Floats:
    if window.shape[1] < WEEK:
        return np.full((len(window), len(ahead)), np.nan)
    return window[:, -WEEK:][:, ahead % WEEK]


def _level_and_profile(
    window: Floats, ahead: Ahead, half_lives: tuple[float, float], step: float, keeps: float
) -> Floats:
    """Profile, plus a level that goes from that of the last hours back to that of the last days."""
    window = window[:, -RECENT:]
    profile = decayed_profile(window, half_lives[0])
    left = window - behind(profile, window.shape[1])
    levels = levels_of(days_of(left))
    of_days = weighted_mean(levels, decayed(levels.shape[1], half_lives[1]))
    of_hours = weighted_mean(left, (1 - step) ** np.arange(window.shape[1] - 1, -1, -1))
    of_days = np.where(np.isfinite(of_days), of_days, mean(left))
    level = of_days[:, None] + (of_hours - of_days)[:, None] * keeps ** (ahead + 1)
    return profile[:, ahead % DAY] + level


def _on_square_root(window: Floats, ahead: Ahead) -> Floats:
    root = np.maximum(window, 0.0) ** 1.5
    found = _level_and_profile(root, ahead, half_lives=(8.0, 2.0), step=0.1, keeps=0.99)
    return np.asarray(np.maximum(found, 0.0) ** (2 / 3), np.float64)


def _median_levels(window: Floats, ahead: Ahead) -> list[Floats]:
    profile = median_profile(window)
    left = window[:, -3 * DAY :] - behind(profile, min(window.shape[1], 3 * DAY))
    last_day, six, three_days = (median(left[:, -hours:]) for hours in (24, 6, 72))
    course = profile[:, ahead % DAY]
    return [course + last_day[:, None], course + (six + three_days)[:, None] / 2]


def _level(window: Floats, ahead: Ahead) -> Floats:
    """Flat: from the level of the last hours back to the mean of the last day."""
    of_day = mean(window[:, -DAY:])
    of_hours = weighted_mean(window, 0.7 ** np.arange(window.shape[1] - 1, -1, -1))
    of_day = np.where(np.isfinite(of_day), of_day, of_hours)
    return np.asarray(of_day[:, None] + (of_hours - of_day)[:, None] * 0.98 ** (ahead + 1), np.float64)
