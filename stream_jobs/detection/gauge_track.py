"""How surprised each prediction of a series is, by its own past errors alone: that of a season which was not known yet
says nothing of one that is.

A TRACK is one prediction of one series: track = series * TRACKS + prediction. Its lenses are the mean of its last few
residuals (which tells how far values usually go), one value's deviate, and what deviates add up to (gauge_window.py).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.gauge_season import DAY, PREDICTIONS
from stream_jobs.detection.gauge_tail import EXPONENT, Tails

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
TRACKS: Final = 1 + PREDICTIONS
"""Of a series: by its level, and by its season."""
MEAN, ONE, WINDOWS = 0, 1, 2
"""Lenses; from WINDOWS on one of each span."""
ONE_STEP: Final = 60
"""Minutes that a value must hold for one alone to be looked at: of shorter ones, three."""
ONE_EXPONENT: Final = 3.0
WINDOWS_EXPONENT: Final = 6.0
"""Of the tail beyond what is usual: sums of many are nearer to a normal distribution than one is."""
WIDER: Final = 3.0
"""As many spans of a past say little of how far sums go: limits are as much wider as this over their number."""
INDEPENDENT: Final = 6.0
"""The part of a span in which sums are one look."""
LEAST_SPANS: Final = 8
LEAST_DAYS: Final = 8
"""Of a past, before its sums or single values are judged: a week's season must have been seen."""
LEAST_DRIFT: Final = 0.6
"""Deviates that a level is off at least, to be told by its sum: predictions are off a little for days."""
SUSPICIOUS: Final = 6.8
"""Nats from which on a figure is not learned: a sum that grows would teach that it may."""


def number_of(series: Numbers) -> Numbers:
    """Tracks of series, one after the other."""
    return np.asarray((series[:, None] * TRACKS + np.arange(TRACKS)).ravel(), np.intp)


def surprise(
    tails: Tails, tracks: Numbers, figures: Floats, drifts: Floats, spans: tuple[int, ...], step: int
) -> tuple[Floats, Floats]:
    """Of figures as [track, lens], in nats; and up to which figures are usual. `drifts`: the mean deviates of spans."""
    seen = tails.seen[tracks][:, None]
    held = np.array([1, *spans])
    exponents = np.array([EXPONENT, ONE_EXPONENT] + [WINDOWS_EXPONENT] * len(spans))
    surprises, usual = tails.surprise(tracks, figures, exponents, ONE, 1 + WIDER * held / np.maximum(seen, 1))
    if step < ONE_STEP:
        surprises[:, ONE] = 0.0
    surprises[:, WINDOWS:] += np.log(np.maximum(held[1:] / INDEPENDENT, 1.0))
    known = seen >= np.maximum(LEAST_SPANS * held, LEAST_DAYS * DAY / step)
    surprises[:, ONE:] = np.where(known, surprises[:, ONE:], 0.0)
    surprises[:, WINDOWS:] = np.where(np.abs(drifts) >= LEAST_DRIFT, surprises[:, WINDOWS:], 0.0)
    return surprises, usual
