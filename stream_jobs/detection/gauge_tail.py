"""How surprising a figure is, by the same series' own past figures: it has no unit, and no shape is assumed of them.

Of each series and lens a histogram of logarithms (three bins an octave) is kept. A figure above the 99.5 % quantile of
the past is as surprising as a tail with the exponent EXPONENT makes it; the past forgets by halves.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
BINS: Final = 72
PER_OCTAVE: Final = 3
_ABOVE: Final = 8 * PER_OCTAVE
"""Bins above a lens's first figure: there is room for figures 256 times as large, and then the bins are moved."""
TAIL: Final = 0.005
"""The share of figures that is tail."""
EXPONENT: Final = 4.0
"""Of the tail beyond that: the chance of a figure twice as large is a sixteenth. Chosen by hand on the
series of the benchmarks (NAB, Microsoft), where exponents that each series learned for itself were no better."""
SCALE: Final = 2
"""Figures that are not 0, of a past that hardly ever was anything else: of fewer, more is news at once."""
LEAST: Final = 50
"""Figures that a tail is known by: of fewer, the rank alone counts."""
_SURE: Final = -float(np.log(TAIL))
"""Nats of a figure at the tail's beginning, from ranks alone."""
_OCTAVE: Final = float(np.log(2))
_FULL: Final = 20_000
"""Figures that a histogram holds before each counts half."""


class Tails:
    """Histograms of [series, lens]."""

    def __init__(self, lenses: int) -> None:
        self.counts = np.zeros((0, lenses, BINS), np.float32)
        self.lowest = np.full((0, lenses), np.nan)  # the logarithm that bin 0 begins at; NaN: nothing was seen
        self.seen = np.zeros(0, np.int64)

    def grow(self, more: int) -> None:
        lenses = self.lowest.shape[1]
        self.counts = np.concatenate([self.counts, np.zeros((more, lenses, BINS), np.float32)])
        self.lowest = np.concatenate([self.lowest, np.full((more, lenses), np.nan)])
        self.seen = np.concatenate([self.seen, np.zeros(more, np.int64)])

    def surprise(
        self,
        series: Numbers,
        figures: Floats,
        exponents: Floats | float = EXPONENT,
        chain: int = 99,
        wider: Floats | float = 1.0,
    ) -> tuple[Floats, Floats]:
        """In nats, of figures ≥ 0 as [series, lens]; and the figures that TAIL of the past exceeds. The surprise is 0
        where the figure is NaN and as long as nothing is known; the other then NaN. From the lens `chain` on tails
        begin where that of the lens before does at least, and `wider` times as far out: few figures of a long window
        are independent, and it is no narrower than a short one."""
        counts = self.counts[series]
        above = counts[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]  # of each bin: it and those above
        seen = above[:, :, 0].astype(np.float64)
        tail = _quantile(counts, above, TAIL)
        lowest = self.lowest[series]
        if chain < lowest.shape[1]:
            begins = np.maximum.accumulate(np.fmax((lowest + tail)[:, chain:], -np.inf), axis=1)
            tail[:, chain:] = begins + PER_OCTAVE * np.log2(wider) - lowest[:, chain:]
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.log2(figures) * PER_OCTAVE - lowest
        place = np.fmin(np.fmax(at, 0.0), BINS - 1).astype(np.intp)  # 0 for NaN
        larger = above[(*_cells(place.shape), place)]
        rank = np.log((seen + 1) / (larger + 1))
        with np.errstate(invalid="ignore"):
            further = np.where(seen >= LEAST, np.maximum(at - tail, 0.0), 0.0)
            beyond = np.minimum(rank, _SURE) + further * (np.asarray(exponents) / PER_OCTAVE * _OCTAVE)
            still = np.isnan(lowest) & (figures > 0)  # the first move of what never moved
            surprise = np.where(still, np.log(seen + 1), np.where(at > tail, beyond, np.minimum(rank, _SURE)))
        return np.where(figures > 0, surprise, 0.0), np.exp2((lowest + tail) / PER_OCTAVE)

    def learn(self, series: Numbers, figures: Floats) -> None:
        """Add figures ≥ 0, [series, lens]; NaN is none."""
        with np.errstate(divide="ignore"):
            at = np.log2(figures) * PER_OCTAVE
        lowest = self.lowest[series]
        fresh = np.isnan(lowest) & (figures > 0)
        lowest = np.where(fresh, at - (BINS - _ABOVE), lowest)
        self.lowest[series] = lowest
        with np.errstate(invalid="ignore"):
            place = np.floor(np.fmax(at - lowest, -1.0)).astype(np.intp)  # the lowest, for NaN
        for row, lens in np.argwhere(place >= BINS):
            self._move(int(series[row]), int(lens), int(place[row, lens]) - BINS + _ABOVE)
            place[row, lens] = BINS - _ABOVE
        rows, lenses = np.nonzero(~np.isnan(figures))
        self.counts[series[rows], lenses, np.maximum(place[rows, lenses], 0)] += 1
        self.seen[series] += 1
        full = series[self.seen[series] >= _FULL]
        self.counts[full] /= 2
        self.seen[full] //= 2

    def _move(self, series: int, lens: int, by: int) -> None:
        """Make room above: what falls out below counts in the lowest bin."""
        counts = self.counts[series, lens]
        kept = np.zeros_like(counts)
        if by < BINS:
            kept[: BINS - by] = counts[by:]
        kept[0] += counts[:by].sum()
        self.counts[series, lens] = kept
        self.lowest[series, lens] += by


def _quantile(counts: npt.NDArray[np.float32], above: npt.NDArray[np.float32], share: float) -> Floats:
    """Where the upper `share` of the figures begins, in bins from the lowest, interpolated within the bin."""
    wanted = above[:, :, :1] * share
    bin_of = np.maximum((above >= wanted).sum(axis=2) - 1, 0)
    here = (*_cells(bin_of.shape), bin_of)
    over = above[here] - wanted[:, :, 0]
    begins = np.asarray(bin_of + (over / np.maximum(counts[here], 1)).clip(0, 1), np.float64)
    # hardly ever anything but 0 (counts in the lowest bin): what is more has no other scale than the least that was
    least = np.argmax(counts[:, :, 1:] > 0, axis=2) + 1
    scarce = (bin_of == 0) & (above[:, :, 1] >= SCALE)
    return np.where(scarce, least + 1.0, begins)


def _cells(shape: tuple[int, ...]) -> tuple[Numbers, Numbers]:
    """The first two indices of an array whose third is of this shape."""
    return np.arange(shape[0])[:, None], np.arange(shape[1])
