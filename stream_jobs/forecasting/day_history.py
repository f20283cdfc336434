"""What would have been forecast on days of the past, using nothing behind each, and how far off it would have been."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting import day_model
from stream_jobs.forecasting.day_model import Past
from stream_jobs.forecasting.days_off import NONE, DaysOff
from stream_jobs.forecasting.model import Told

Floats = npt.NDArray[np.float64]
KNOTS: Final = (1, 2, 3, 4, 5, 6, 7, 10, 14, 21, 28, 35, 49, 63, 91, 126, 182, 273, 400)
"""Days ahead at which errors are looked at; what lies between them is interpolated."""
LEAST_KNOWN: Final = 0.9  # of the days of a sum: else it is not known either


class Stored(NamedTuple):
    """How far off what was expected was: (origins, series, knots). NaN: not known."""

    origins: npt.NDArray[np.int64]
    stride: int  # days between origins
    knots: npt.NDArray[np.int64]
    known: Floats  # (origins, series): days that were
    held: Floats  # (origins, series): see level.py
    step_errors: Floats  # logarithms of what came over what was expected
    sum_errors: Floats


def knots_of(horizon: int) -> npt.NDArray[np.int64]:
    """Those up to the first that lies at or behind the horizon."""
    count = int(np.searchsorted(KNOTS, max(horizon, 1))) + 1
    return np.array(KNOTS[:count], np.int64)


def look_back(
    past: Past,
    origins: npt.NDArray[np.int64],
    horizon: int,
    holidays: frozenset[int] = frozenset(),
    told: Told = lambda _done, _of: None,
    keep: Callable[[int, day_model.DayFit, Floats], None] = lambda _origin, _fitted, _path: None,
    off: DaysOff = NONE,
) -> Stored:
    """`origins`: ordinals, evenly apart and rising, each with at least a day before it. `keep` is given each with its
    fit and what it expects of days up to the last knot. `off`: of the past, beside the holidays."""
    knots = knots_of(horizon)
    shape = (len(origins), len(past.values), len(knots))
    step_errors, sum_errors = np.full(shape, np.nan), np.full(shape, np.nan)
    known, held = np.zeros(shape[:2]), np.zeros(shape[:2])
    for index, origin in enumerate(origins.tolist()):
        fitted = day_model.fit(past.before(origin), holidays | off.before(origin))
        path = day_model.expected(fitted, int(knots[-1]), holidays)
        keep(origin, fitted, path)
        steps, sums = path[:, knots - 1], np.cumsum(path, axis=1)[:, knots - 1]
        came, total = _came(past.values[:, origin - past.first :], knots)
        says_nothing = fitted.asleep | (fitted.known == 0)  # of what has stopped: 0 comes after 0
        came[says_nothing], total[says_nothing] = np.nan, np.nan
        known[index], held[index] = fitted.known, fitted.level.held
        floor = fitted.floor[:, None]
        step_errors[index] = np.log((came + floor) / (steps + floor))
        sum_errors[index] = np.log((total + floor * knots) / (sums + floor * knots))
        told(index + 1, len(origins))
    stride = int(origins[1] - origins[0]) if len(origins) > 1 else 1
    return Stored(origins, stride, knots, known, held, step_errors, sum_errors)


def _came(values: Floats, knots: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(series, knots) of the days from an origin on: the day itself, and the sum up to it. A few days that are not
    known count as the others; where more are missing, or the day has not come, the sum is not known."""
    days = min(values.shape[1], int(knots[-1]))
    came, total = np.full((2, len(values), len(knots)), np.nan)
    if not days:
        return came, total
    reached = knots <= days
    at = knots[reached] - 1
    known = np.isfinite(values[:, :days])
    count = np.cumsum(known, axis=1)[:, at]
    total[:, reached] = np.cumsum(np.where(known, values[:, :days], 0.0), axis=1)[:, at]
    enough = count >= LEAST_KNOWN * (at + 1)
    total[:, reached] = np.where(enough, total[:, reached] * (at + 1) / np.maximum(count, 1), np.nan)
    came[:, reached] = values[:, at]
    return came, total
