"""Which values a series has had: how far the nearest of them is from a new one.

At most VALUES values of a series stand for all of its past. When there is no more room, of the two that are nearest to
each other one goes: the range and the gaps within it stay known, at a resolution of some thousandths.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
VALUES: Final = 256


class KnownValues:
    """Sorted values of [series, VALUES]; what is free is +inf."""

    def __init__(self) -> None:
        self.values = np.zeros((0, VALUES))
        self.filled = np.zeros(0, np.int32)

    def grow(self, more: int) -> None:
        self.values = np.concatenate([self.values, np.full((more, VALUES), np.inf)])
        self.filled = np.concatenate([self.filled, np.zeros(more, np.int32)])

    def learn(self, series: Numbers, values: Floats) -> Floats:
        """Returns how far each was from the nearest value known before, in the series' unit; 0 where nothing was."""
        place, nearest = self._place(series, values)
        self._learn(series, values, place, nearest)
        return np.where(np.isfinite(nearest), nearest, 0.0)

    def _learn(self, series: Numbers, values: Floats, place: Numbers, nearest: Floats) -> None:
        new = nearest > 0
        if not new.any():
            return
        series, values, place, nearest = series[new], values[new], place[new], nearest[new]
        full = self.filled[series] == VALUES
        if full.any():
            gaps = np.diff(self.values[series[full]], axis=1)
            tightest = np.argmin(gaps[:, :-1], axis=1)  # its upper end goes, which is never the greatest value
            worth = gaps[np.arange(len(gaps)), tightest] < nearest[full]
            self._drop(series[full][worth], tightest[worth] + 1)
            stays = np.ones(len(series), np.bool_)
            stays[np.flatnonzero(full)[~worth]] = False
            series, values = series[stays], values[stays]
            place, _ = self._place(series, values)  # what was dropped may have been below
        self._insert(series, values, place)

    def _place(self, series: Numbers, values: Floats) -> tuple[Numbers, Floats]:
        rows = self.values[series]
        place = np.asarray((rows < values[:, None]).sum(axis=1), np.intp)
        at = np.arange(len(series))
        above = np.where(place < VALUES, rows[at, np.minimum(place, VALUES - 1)] - values, np.inf)
        below = np.where(place > 0, values - rows[at, np.maximum(place - 1, 0)], np.inf)
        return place, np.minimum(above, below)

    def _drop(self, series: Numbers, place: Numbers) -> None:
        columns = np.arange(VALUES)
        source = np.minimum(columns[None, :] + (columns[None, :] >= place[:, None]), VALUES - 1)
        rows = np.take_along_axis(self.values[series], source, axis=1)
        rows[:, -1] = np.inf
        self.values[series] = rows
        self.filled[series] -= 1

    def _insert(self, series: Numbers, values: Floats, place: Numbers) -> None:
        columns = np.arange(VALUES)
        source = np.maximum(columns[None, :] - (columns[None, :] > place[:, None]), 0)
        rows = np.take_along_axis(self.values[series], source, axis=1)
        rows[np.arange(len(series)), place] = values
        self.values[series] = rows
        self.filled[series] += 1
