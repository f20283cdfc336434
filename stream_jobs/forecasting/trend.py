"""How a series grows: the median slope between its weeks (Theil and Sen), which fades."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.robust import median

Floats = npt.NDArray[np.float64]
WEEK: Final = 7
LEAST_WEEKS: Final = 4
FADES: Final = 0.98  # what is left of it after a day
MOST: Final = 0.02  # a day: doubles in five weeks


def slope(values: Floats) -> Floats:
    """(series) a day, of (series, days); 0 with fewer than four weeks, shrunk by how unsure it is."""
    weeks = values.shape[1] // WEEK
    if weeks < LEAST_WEEKS:
        return np.zeros(len(values))
    level = median(values[:, values.shape[1] - weeks * WEEK :].reshape(len(values), weeks, WEEK), axis=2)
    one, two = np.triu_indices(weeks, 1)
    slopes = (level[:, two] - level[:, one]) / (WEEK * (two - one))
    found = median(slopes, axis=1)
    left = level - found[:, None] * WEEK * np.arange(weeks)
    spread = 1.48 * median(np.abs(left - median(left, axis=1)[:, None]), axis=1)
    unsure = (spread / WEEK) ** 2 * 12 / (weeks * (weeks**2 - 1))
    kept = np.maximum(0.0, 1 - unsure / np.maximum(found**2, 1e-12))
    enough = np.isfinite(level).sum(axis=1) >= LEAST_WEEKS
    return np.asarray(np.where(enough, np.clip(np.nan_to_num(found * kept), -MOST, MOST), 0.0))


def grown(slopes: Floats, horizon: int) -> Floats:
    """(series, horizon): by how much the level lies higher on each day to come."""
    return np.asarray(slopes[:, None] * np.cumsum(FADES ** np.arange(1, horizon + 1)))
