"""How much two sums of costs differ by chance, as the table itself tells.

The variance of after - before of a row is taken as (phi + sigma2 * m) * m, where m = before + after: phi is the money
of one request and how requests differ, sigma2 how much levels move by themselves. Both come from medians over blocks of
rows of about the same size, so that a cause, which is in few of the blocks or in all of them alike, does not count.
"""

from typing import Final

import numpy as np

from stream_jobs.explain.model import Floats

_BLOCKS: Final = 24  # of each size
_SIZES: Final = 8
_TO_SIGMA: Final = 1.4826  # of a normal distribution, from the median of deviations
_LEAST_SIGMA2: Final = 0.0004  # nothing repeats to better than 2 %
_MOST_SIGMA2: Final = 0.5


def dispersion(before: Floats, after: Floats, requests: float) -> tuple[float, float]:
    """phi in USD and sigma2, of rows in no particular order; `requests` are those of all rows before and after."""
    size = before + after
    order = np.lexsort((after, before, size))
    order = order[size[order] > 0]
    floor = float(size.sum()) / max(requests, 1.0) / 2
    if len(order) < 4:
        return max(floor, 1e-12), _LEAST_SIGMA2
    sizes = np.array_split(order, int(np.clip(len(order) // (2 * _BLOCKS), 1, _SIZES)))
    points = [_point(before[rows], after[rows]) for rows in sizes]
    means, spreads = np.array([point[0] for point in points]), np.array([point[1] for point in points])
    phi, sigma2 = _line(means, spreads)
    return max(phi, floor, 1e-12), float(np.clip(sigma2, _LEAST_SIGMA2, _MOST_SIGMA2))


def _point(before: Floats, after: Floats) -> tuple[float, float]:
    """Of rows of about one size: sum m^2 / sum m, and the variance of a block per its m."""
    blocks = np.arange(len(before)) % min(_BLOCKS, len(before))
    was, now = np.bincount(blocks, before), np.bincount(blocks, after)
    size = was + now
    scaled = (now - was) / np.sqrt(size)
    drift = np.median((now - was) / size)  # common to all of them: no noise
    spread = _TO_SIGMA * float(np.median(np.abs(scaled - drift * np.sqrt(size))))
    all_rows = before + after
    return float(np.square(all_rows).sum() / all_rows.sum()), spread**2


def _line(means: Floats, spreads: Floats) -> tuple[float, float]:
    """phi + sigma2 * m through the points, both at least 0, each point as good as another in proportion."""
    weight = 1 / np.maximum(spreads, float(spreads.max()) * 1e-3 + 1e-30)
    left = np.stack([weight, means * weight], axis=1)
    right = spreads * weight
    best: tuple[float, float, float] | None = None
    for chosen in ([0, 1], [0], [1]):
        found, *_ = np.linalg.lstsq(left[:, chosen], right, rcond=None)
        if (found < 0).any():
            continue
        fit = [0.0, 0.0]
        for index, value in zip(chosen, found.tolist(), strict=True):
            fit[index] = value
        error = float(np.square(left @ np.array(fit) - right).sum())
        if best is None or error < best[0] - 1e-12:
            best = (error, fit[0], fit[1])
    return (best[1], best[2]) if best else (float(spreads.max()), 0.0)
