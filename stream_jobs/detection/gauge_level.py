"""The usual level of a series and how far values are from it, by a sample of its past: robust, and soon at a new level.

The sample is thinned as the past grows: first every value, at last SAMPLES values of the last week or so. More than
half of a window at another level makes that the usual one.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
SAMPLES: Final = 128
RECENT: Final = 3
_WEEK: Final = 7 * 1440
_LEAST_WINDOW: Final = 384
"""Values that the window spans at least: a week of hours is too few to know a spread by."""


class Level:
    """Of each series its last RECENT values and a sample of its past; medians are made anew when that changes."""

    def __init__(self, step: int) -> None:
        self.stride = max(1, max(_WEEK // step, _LEAST_WINDOW) // SAMPLES) | 1  # odd: not the same hours every day
        self.samples = np.zeros((0, SAMPLES))
        self.recent = np.zeros((0, RECENT))
        self.seen = np.zeros(0, np.int64)
        self.sampled = np.zeros(0, np.int64)
        self.due = np.zeros(0, np.int64)  # what `seen` is when the next sample is taken
        self.centre = np.zeros(0)
        self.scale = np.zeros(0)  # the mean distance from the centre

    def grow(self, more: int) -> None:
        self.samples = np.concatenate([self.samples, np.full((more, SAMPLES), np.nan)])
        self.recent = np.concatenate([self.recent, np.full((more, RECENT), np.nan)])
        for name in ("seen", "sampled", "due", "centre", "scale"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros(more, old.dtype)]))

    def push(self, series: Numbers, values: Floats) -> Floats:
        """Take new values; returns the means of the last RECENT, the new ones included."""
        self.recent[series] = np.concatenate([self.recent[series][:, 1:], values[:, None]], axis=1)
        last = self.recent[series]
        there = np.isfinite(last)
        return np.asarray(np.where(there, last, 0.0).sum(axis=1) / there.sum(axis=1))

    def learn(self, series: Numbers, values: Floats) -> None:
        taken = self.seen[series] >= self.due[series]
        self.seen[series] += 1
        series, values = series[taken], values[taken]
        if not len(series):
            return
        self.samples[series, self.sampled[series] % SAMPLES] = values
        self.sampled[series] += 1
        stride = np.clip(self.seen[series] // SAMPLES, 1, self.stride)
        self.due[series] = self.seen[series] - 1 + stride
        rows = self.samples[series]
        held = np.minimum(self.sampled[series], SAMPLES)
        ordered = np.sort(rows, axis=1)
        at = np.arange(len(series))
        centre = (ordered[at, (held - 1) // 2] + ordered[at, np.where(held % 2, held - 1, held) // 2]) / 2
        self.centre[series] = centre
        self.scale[series] = np.nansum(np.abs(rows - centre[:, None]), axis=1) / held
