"""Series that are used now and then: no hour can be forecast, and sums can, by the sums that there were."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RARE: Final = 0.25
"""Used in less than this share of the cells that are known."""
ENOUGH: Final = 8
"""Series of one tenant tell how often sums go beyond those that there were."""
FARTHEST: Final = 5.0
"""As many times, at most, is P90 moved."""
BACK: Final = 7
"""Back-tests of each series; they lie half the sums' length apart."""


def is_intermittent(values: Floats) -> bool:
    """`values`: (cells,)."""
    known = values[np.isfinite(values)]
    return bool(len(known)) and 0 < float((known > 0).mean()) < RARE


def seen_sums(values: Floats, steps: int, points: int, farther: float = 1.0) -> tuple[Floats, Floats]:
    """(points, steps): what single cells were, and what as many cells in a row added up to; rising along the first
    axis, evenly spaced in probability. P90 of a sum, and what lies beyond, is `farther` times that; nothing up to the
    median is moved."""
    known = _known(values)
    probabilities = (np.arange(points) + 0.5) / points
    single = np.repeat(np.quantile(known, probabilities)[:, None], steps, axis=1)
    sums = np.zeros((points, steps))
    for step in range(steps):
        sums[:, step] = np.quantile(_sums(known, step + 1), probabilities)
    moved = farther ** np.clip((probabilities - 0.5) / 0.4, 0, 1)
    return single, np.asarray(sums * moved[:, None], np.float64)


def farther_than_seen(series: Sequence[Floats], steps: int) -> float:
    """What P90 of the sums of so many cells must be multiplied by to hold, by what forecasts from earlier origins
    missed by: use that comes now and then changes, and few sums have been seen. 1 where there is too little to tell."""
    if len(series) < ENOUGH or not steps:
        return 1.0
    shares = [share for values in series for share in _exceeded(_known(values), steps)]
    return float(np.clip(np.quantile(shares, 0.9), 1, FARTHEST)) if len(shares) >= ENOUGH else 1.0


def _exceeded(known: Floats, steps: int) -> list[float]:
    apart = max(steps // 2, 1)
    found = []
    for back in range(BACK):
        origin = len(known) - steps - back * apart
        if origin < max(2 * steps, 2):
            break
        said = float(np.quantile(_sums(known[:origin], steps), 0.9))
        came = float(known[origin : origin + steps].sum())
        found.append(came / said if said > 0 else 1.0 + FARTHEST * (came > 0))
    return found


def _known(values: Floats) -> Floats:
    return np.asarray(np.maximum(values[np.isfinite(values)], 0.0), np.float64)


def _sums(known: Floats, length: int) -> Floats:
    """Of so many cells in a row. Longer than half of what is known: that half's, in proportion."""
    taken = min(length, max(len(known) // 2, 1))
    added = np.concatenate([[0.0], np.cumsum(known)])
    return np.asarray((added[taken:] - added[:-taken]) * (length / taken), np.float64)
