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
STILL: Final = 0.9
"""The share of values that are the same, from which on a series hardly ever moves."""
LEAST_MOVE: Final = 0.01
"""Of the level: less is no move of a series that hardly ever makes one, and so has no noise to be measured by."""
_WEEK: Final = 7 * 1440
_LEAST_WINDOW: Final = 384
"""Values that the window spans at least: a week of hours is too few to know a spread by."""


class Level:
    """Of each series a sample of its past; medians are made anew when that changes."""

    def __init__(self, step: int) -> None:
        self.stride = max(1, max(_WEEK // step, _LEAST_WINDOW) // SAMPLES) | 1  # odd: not the same hours every day
        self.samples = np.zeros((0, SAMPLES))
        self.seen = np.zeros(0, np.int64)
        self.sampled = np.zeros(0, np.int64)
        self.due = np.zeros(0, np.int64)  # what `seen` is when the next sample is taken
        self.centre = np.zeros(0)
        self.scale = np.zeros(0)  # the mean distance from the centre
        self.still = np.zeros(0)  # 1: it hardly ever moves

    def grow(self, more: int) -> None:
        self.samples = np.concatenate([self.samples, np.full((more, SAMPLES), np.nan)])
        for name in ("seen", "sampled", "due", "centre", "scale", "still"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros(more, old.dtype)]))

    def snapped(self, series: Numbers, values: Floats) -> Floats:
        """`values`, where those are the level that are next to it in a series that hardly ever moves."""
        centre = self.centre[series]
        near = (self.still[series] > 0) & (np.abs(values - centre) < LEAST_MOVE * np.abs(centre))
        return np.where(near, centre, values)

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
        self.still[series] = (rows == centre[:, None]).sum(axis=1) >= STILL * held
