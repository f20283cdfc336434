"""Whether the year is a season of a series: where the last two years were alike."""

from typing import Final

import numpy as np

from stream_jobs.forecasting.members.model import Floats

YEAR: Final = 364  # days: whole weeks
LEAST: Final = 2 * 365
ALIKE: Final = 0.8
"""Two slow walks that have nothing to do with each other correlate by half now and then. With any two years taken for a
season, Prophet was 40 % worse 90 days ahead than without, on series that have none."""
_SMOOTH: Final = 28


def are_alike(filled: Floats) -> bool:
    """By the correlation of their four-week means, each without its straight line. `filled`: days, on the scale."""
    if len(filled) < LEAST:
        return False
    means = np.convolve(filled, np.full(_SMOOTH, 1 / _SMOOTH), "valid")
    before = means[max(0, len(means) - 2 * YEAR) : len(means) - YEAR]
    one, two = _bends(before), _bends(means[-len(before) :])
    size = float(np.sqrt((one @ one) * (two @ two)))
    return bool(size > 1e-9 * len(one) and float(one @ two) >= ALIKE * size)


def _bends(means: Floats) -> Floats:
    at = np.arange(len(means))
    return np.asarray(means - np.polyval(np.polyfit(at, means, 1), at), dtype=np.float64)
