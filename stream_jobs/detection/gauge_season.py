"""What a value at this time of the day was: on each of the last days, and one and two weeks ago.

Kept are the means of up to BINS stretches of each of the last DAYS days, so that one odd day moves no median, and a
level that lasted for a week is the usual one.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
Minutes = npt.NDArray[np.int64]
DAY: Final = 1440
DAYS: Final = 14
BINS: Final = 96
_NEVER: Final = -(10**9)


class Season:
    """Means of [series, day, bin]; NaN where there was no value."""

    def __init__(self, step: int) -> None:
        self.bins = max(1, min(BINS, DAY // step))
        self.step = step
        self.means = np.full((0, DAYS, self.bins), np.nan)
        self.sums = np.zeros(0)
        self.counts = np.zeros(0)
        self.bin_of = np.full(0, _NEVER, np.int64)  # the running bin, counted since 1970

    def grow(self, more: int) -> None:
        self.means = np.concatenate([self.means, np.full((more, DAYS, self.bins), np.nan)])
        self.sums = np.concatenate([self.sums, np.zeros(more)])
        self.counts = np.concatenate([self.counts, np.zeros(more)])
        self.bin_of = np.concatenate([self.bin_of, np.full(more, _NEVER, np.int64)])

    def expected(self, series: Numbers, at: Minutes) -> tuple[Floats, Floats]:
        """At instants (minutes since 1970): the median of the same time on earlier days, and the mean of one and two
        weeks ago. NaN where there is too little."""
        position = at * self.bins / DAY - 0.5
        low = np.floor(position).astype(np.int64)
        share = position - low
        days = np.arange(1, DAYS)
        first = self._at(series, low[:, None] - days * self.bins)
        second = self._at(series, low[:, None] + 1 - days * self.bins)
        both = np.where(
            np.isnan(first),
            second,
            np.where(np.isnan(second), first, first * (1 - share[:, None]) + second * share[:, None]),
        )
        return _median(both), both[:, 6]

    def _at(self, series: Numbers, bins: npt.NDArray[np.int64]) -> Floats:
        """Means of bins counted since 1970, [series, n]."""
        kept = self.means[series[:, None], bins // self.bins % DAYS, bins % self.bins]
        day = self.bin_of[series][:, None] // self.bins
        held = (bins // self.bins > day - DAYS) & (bins <= self.bin_of[series][:, None])
        return np.where(held, kept, np.nan)

    def learn(self, series: Numbers, at: Minutes, values: Floats) -> None:
        now = (at * self.bins / DAY).astype(np.int64)
        before = self.bin_of[series]
        moved = now != before
        if moved.any():
            self._turn(series[moved], before[moved], now[moved])
        self.bin_of[series] = now
        self.sums[series] += values
        self.counts[series] += 1

    def _turn(self, series: Numbers, before: npt.NDArray[np.int64], now: npt.NDArray[np.int64]) -> None:
        """The running bin is done: keep its mean, and forget the days that passed."""
        done = self.counts[series] > 0
        finished, bins = series[done], before[done]
        means = self.sums[finished] / self.counts[finished]
        self.means[finished, bins // self.bins % DAYS, bins % self.bins] = means
        self.sums[series] = 0
        self.counts[series] = 0
        for number, first, last in zip(
            series.tolist(), (before // self.bins).tolist(), (now // self.bins).tolist(), strict=True
        ):
            for day in range(max(first + 1, last - DAYS + 1), last + 1):
                self.means[number, day % DAYS] = np.nan


def _median(rows: Floats) -> Floats:
    """Along the last axis, without what is NaN; NaN where fewer than two are left."""
    ordered = np.sort(rows, axis=1)  # NaN last
    there = np.isfinite(rows).sum(axis=1)
    at = np.arange(len(rows))
    low, high = np.maximum((there - 1) // 2, 0), np.minimum(there // 2, rows.shape[1] - 1)
    return np.where(there >= 2, (ordered[at, low] + ordered[at, high]) / 2, np.nan)
