"""The last and the first days of months: billing runs, closings, month-end jobs, where months agree on them."""

from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.robust import median

Floats = npt.NDArray[np.float64]
Ordinals = npt.NDArray[np.int64]
EDGE: Final = 3  # days on either side of a month's end
AROUND: Final = 7  # days before and behind them that say where the level lies
MONTHS: Final = 12  # that are looked at
LEAST_MONTHS: Final = 2  # that must know a day
SURE: Final = 2.0  # variances of a day's effect below which it is none


@lru_cache(maxsize=4096)
def first_of_month(ordinal: int) -> int:
    """The ordinal of the first day of the month that holds a day."""
    return date.fromordinal(ordinal).replace(day=1).toordinal()


def places(ordinals: Ordinals) -> npt.NDArray[np.int64]:
    """0 to 5 for the third last day of a month up to its third; -1 for the others."""
    return np.fromiter(map(_place, ordinals.tolist()), np.int64, len(ordinals))


@lru_cache(maxsize=16384)
def _place(ordinal: int) -> int:
    since = ordinal - first_of_month(ordinal)
    until = first_of_month(ordinal + EDGE) - ordinal  # positive near the end alone
    return EDGE + since if since < EDGE else EDGE - until if until > 0 else -1


def effects(values: Floats, first: int) -> Floats:
    """(series, 6): of `values` (series, days) without their weekdays, what the days of an edge lie above the days
    around it. Medians over months; 0 where they do not agree."""
    days = values.shape[1]
    edges = _edges(first, first + days)
    series = len(values)
    if len(edges) < LEAST_MONTHS:
        return np.zeros((series, 2 * EDGE))
    offsets = np.arange(-EDGE - AROUND, EDGE + AROUND)
    cells = np.array(edges)[:, None] - first + offsets
    inside = (cells >= 0) & (cells < days)
    found = np.where(inside, values[:, np.clip(cells, 0, days - 1)], np.nan)  # (series, months, offsets)
    at_edge = found[:, :, AROUND : AROUND + 2 * EDGE]
    around = np.concatenate([found[:, :, :AROUND], found[:, :, AROUND + 2 * EDGE :]], axis=2)
    above = at_edge - median(around, axis=2)[..., None]
    count = np.isfinite(above).sum(axis=1)
    middle = median(above, axis=1)
    return _agreed(above, np.nan_to_num(middle), count)


def _agreed(above: Floats, middle: Floats, count: npt.NDArray[np.int64]) -> Floats:
    """Shrunk by how far months lie apart; as far as those of the series' six days do, for few months know it."""
    apart = np.abs(above - middle[:, None, :])
    series = median(apart.reshape(len(above), -1), axis=1)
    spread = 1.48 * np.nan_to_num(series, nan=1.0)[:, None] * np.sqrt(np.maximum(count, 1) / np.maximum(count - 1, 0.5))
    unsure = 1.57 * spread**2 / np.maximum(count, 1)
    kept = np.maximum(0.0, 1 - SURE * unsure / np.maximum(middle**2, 1e-12))
    return np.asarray(np.where(count >= LEAST_MONTHS, middle * kept, 0.0))


def _edges(first: int, behind: int) -> list[int]:
    """First days of months, of the last year, around which days are known. Rising."""
    edges: list[int] = []
    day = first_of_month(behind + EDGE)
    while day > first and len(edges) < MONTHS:
        if day - EDGE < behind:
            edges.append(day)
        day = first_of_month(day - 1)
    return edges[::-1]
