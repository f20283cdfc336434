"""95 % confidence intervals of what samples estimate."""

import math
from collections.abc import Sequence
from typing import Final

from scipy.stats import binom, chi2

Interval = tuple[float, float]
Z: Final = 1.959964


def wilson(hits: int, trials: int) -> Interval:
    """Of a share (E. B. Wilson, 1927). Without trials: anything."""
    if not trials:
        return 0.0, 1.0
    share, z2 = hits / trials, Z * Z / trials
    middle = (share + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def poisson(count: int, exposure: float) -> Interval:
    """Of a rate: exact (F. Garwood, 1936). Without exposure: anything."""
    if not exposure:
        return 0.0, math.inf
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low / exposure, float(chi2.ppf(0.975, 2 * count + 2)) / 2 / exposure


def of_median(values: Sequence[float]) -> Interval:
    """From order statistics: whatever the distribution. Without values: anything."""
    if not values:
        return 0.0, math.inf
    ordered = sorted(values)
    rank = int(binom.ppf(0.025, len(ordered), 0.5))  # so many at least lie below the median with 97.5 %
    return ordered[max(0, rank - 1)], ordered[min(len(ordered) - 1, len(ordered) - rank)]
