"""A Gaussian over a sliding window, as NAB's detector of that name: the past 6,400 values of five minutes, looked at
anew every 100; a finding is what a double can no longer tell from certain, which is that detector's published threshold
(its score, one minus the tail's probability, is 1.0)."""

from typing import Final

import numpy as np
from scipy.stats import norm

from stream_jobs.detection.model import Floats
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.peers.runs import findings, totals

STEP: Final = 5
WINDOW: Final = 6_400
EVERY: Final = 100


def find(cost: Floats, first: int, since: int) -> list[Found]:
    values = totals(cost, STEP)
    above, below = (np.zeros(values.shape, dtype=bool) for _ in range(2))
    sums, squares = (np.pad(np.cumsum(part, axis=1), ((0, 0), (1, 0))) for part in (values, values**2))
    for begin in range(EVERY, values.shape[1], EVERY):
        since = max(0, begin - WINDOW)
        mean = (sums[:, begin] - sums[:, since]) / (begin - since)
        variance = (squares[:, begin] - squares[:, since]) / (begin - since) - mean**2
        z = (values[:, begin : begin + EVERY] - mean[:, None]) / np.sqrt(np.maximum(variance, 1e-12))[:, None]
        certain = 1 - norm.sf(np.abs(z)) >= 1.0
        above[:, begin : begin + EVERY] = certain & (z > 0)
        below[:, begin : begin + EVERY] = certain & (z < 0)
    return findings(above, below, STEP, first)
