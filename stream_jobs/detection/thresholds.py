"""How surprising is surprising: a budget of false alarms, spread over scales.

Surprise is in nats: -ln of the probability that a usual day holds such a window. A scale that looks `L` times a day
independently and may cause `b` of 1,000 series-days' false alarms needs ln(1000 L / b) nats.
"""

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from stream_jobs.detection.model import Floats
from stream_jobs.detection.scales import LOOKS, SHARE


def needed_nats(budget: float, more: float = 0.0) -> Floats:
    """[scales] nats at which a scale tells; `more`: what drops or a portfolio add. Measures share a scale's part."""
    return np.log(2 * 1000 * np.array(LOOKS) / (budget * np.array(SHARE))) + more


def portfolio_nats(series: int, weight: float = 1.0, mean_weight: float = 1.0) -> float:
    """What a series of `weight` needs more in an installation of so many: together they cause what one may cause alone.
    About 4 nats for 10,000 series would follow from a budget ten times as large; the caller scales the budget."""
    return float(np.log(max(series, 1) * mean_weight / weight))


def sigmas(nats: Floats) -> Floats:
    """The standard normal deviate whose upper tail has probability e^-nats."""
    return np.asarray(-ndtri_exp(-np.asarray(nats, dtype=float)))


def nats(deviates: Floats) -> Floats:
    """The inverse: surprise of a deviate, 0.69 at the median."""
    return np.asarray(-log_ndtr(-np.asarray(deviates, dtype=float)))
