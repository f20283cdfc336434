"""A band around the same hour of the week before: three standard deviations of that forecast's errors of four weeks."""

from typing import Final

import numpy as np

from stream_jobs.detection.model import Floats
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.peers.runs import findings, totals

STEP: Final = 60
PERIOD: Final = 168
MEMORY: Final = 4 * PERIOD
SIGMAS: Final = 3.0


def find(cost: Floats, first: int, since: int) -> list[Found]:
    values = totals(cost, STEP)
    errors = np.zeros_like(values)
    errors[:, PERIOD:] = values[:, PERIOD:] - values[:, :-PERIOD]
    squares = np.pad(np.cumsum(errors**2, axis=1), ((0, 0), (1, 0)))
    hours = np.arange(values.shape[1])
    begins = np.minimum(np.maximum(PERIOD, hours - MEMORY), hours)
    variance = (squares[:, hours] - squares[:, begins]) / np.maximum(hours - begins, 1)
    z = np.where(hours - begins >= PERIOD, errors / np.sqrt(np.maximum(variance, 1e-12)), 0.0)
    return findings(z > SIGMAS, z < -SIGMAS, STEP, first)
