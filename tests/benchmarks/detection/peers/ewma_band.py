"""A control chart of exponentially weighted mean and variance (S. W. Roberts, 1959) over five-minute totals: a day of
memory, three standard deviations, and what is out of the band is learned like all else."""

from typing import Final

import numpy as np
from scipy.signal import lfilter

from stream_jobs.detection.model import Floats
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.peers.runs import findings, totals

STEP: Final = 5
SPAN: Final = 288  # points: a day
SIGMAS: Final = 3.0


def find(cost: Floats, first: int, since: int) -> list[Found]:
    values = totals(cost, STEP)
    alpha = 2 / (SPAN + 1)
    mean = _before(values, alpha)
    variance = _before((values - mean) ** 2, alpha)
    z = (values - mean) / np.sqrt(np.maximum(variance, 1e-12))
    z[:, :SPAN] = 0
    return findings(z > SIGMAS, z < -SIGMAS, STEP, first)


def _before(values: Floats, alpha: float) -> Floats:
    """The exponentially weighted mean of all that came before each point; before the first: the first itself."""
    smooth, _ = lfilter([alpha], [1, alpha - 1], values, axis=1, zi=values[:, :1] * (1 - alpha))
    return np.concatenate([values[:, :1], smooth[:, :-1]], axis=1)
