"""How surprising is surprising: a budget of false alarms, spread over scales.

Surprise is in nats: -ln of the probability that a usual day holds such a window. A scale that looks `L` times a day
independently and may cause `b` of 1,000 series-days' false alarms needs ln(1000 L / b) nats.
"""

from typing import Final

import numpy as np

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.scales import LOOKS, SHARE

HALF_LOG_2_PI: Final = 0.9189385332046727


def needed_nats(budget: float) -> Array:
    """[scales] nats at which a scale tells. Measures share a scale's part."""
    return np.asarray(np.log(2 * 1000 * np.array(LOOKS) / (budget * np.array(SHARE))))


def sigmas(nats: Array) -> Array:
    """The standard normal deviate whose upper tail has probability e^-nats, for 3 nats and more (to 1e-3): a fixed
    point of the tail's continued fraction, phi(z) / (z + 1 / (z + 2 / (z + 3 / (z + 4 / z))))."""
    nats = np.maximum(np.asarray(nats, dtype=float), 1.5)
    z = np.sqrt(2 * nats)
    for _ in range(6):
        fraction = z + 1 / (z + 2 / (z + 3 / (z + 4 / z)))
        z = np.sqrt(np.maximum(2 * (nats - HALF_LOG_2_PI - np.log(fraction)), 0.5))
    return np.asarray(z)


def nats(deviates: Array) -> Array:
    """The inverse: surprise of a deviate, 0.69 at the median."""
    from scipy.special import log_ndtr  # here: half a second and 28 MiB, which a job needs once it judges

    return np.asarray(-log_ndtr(-np.asarray(deviates, dtype=float)))


def of_gap(gap: Array | float, tau2: Array | float) -> Array:
    """Nats of a time without a request in which `gap` are usual, of a level whose variance is `tau2`."""
    return np.asarray(np.log1p(tau2 * gap) / tau2)
