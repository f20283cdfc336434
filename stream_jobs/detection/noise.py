"""How far from usual: deviates that are about standard normal when nothing is wrong.

A window that usually holds E (money or requests) holds C. Two noises: of counting, as of a = E / phi requests, where
phi is the money of one request (sum of squares / sum; 1 for requests), and of the level, lognormal with tau², which
each window learns.

Requests, and cost below what is usual: the signed root of the deviance of Poisson counts k = C / phi whose level is
lognormal,

    min over l of (l - m)² / 2 tau² + k ln(k / (a e^l)) - k + a e^l,  m = -tau² / 2

Cost above what is usual has the longer tail of the costs of single requests: (ln(C / E) + v / 2) / sqrt(v) with
v = ln(1 + 1 / a) + tau².
"""

from typing import Final

import numpy as np

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.scales import COST

TAU2_LEAST: Final = 0.004
TAU2_MOST: Final = 4.0
NEWTON_STEPS: Final = 3
LITTLE: Final = 1e-6


def deviates(
    actual: Array, usual: Array, phi: Array, tau2: Array, tau2_up: Array | None = None
) -> tuple[Array, Array, Array]:
    """[measures, windows, series] each: the deviates, the variance of the logarithm and the counting part of it.
    `phi` is [measures, 1, series]; `tau2` includes that the baseline is not sure; `tau2_up` is the same of what is
    above the usual, where that is another."""
    a = np.maximum(usual / phi, LITTLE)
    k = np.maximum(actual / phi, LITTLE)
    counting = np.log1p(1 / a)
    ratio = np.log(k / a)
    if tau2_up is not None:
        tau2 = np.where(ratio > 0, tau2_up, tau2)
    variance = counting + tau2
    z = _of_counts(a, k, ratio, tau2)
    over = (ratio[COST] + variance[COST] / 2) / np.sqrt(variance[COST])
    np.copyto(z[COST], over, where=ratio[COST] > 0)
    return z, variance, counting


def _of_counts(a: Array, k: Array, ratio: Array, tau2: Array) -> Array:
    """Newton's steps come down from an upper bound: the function is convex and rises."""
    precision = 1 / tau2
    mean = -0.5 * tau2
    level = np.log((k + np.log1p(tau2 * a) * precision) / a)
    for _ in range(NEWTON_STEPS):
        expected = a * np.exp(level)
        level = level - ((level - mean) * precision - k + expected) / (precision + expected)
    expected = a * np.exp(level)
    off = level - mean
    deviance = off * off * precision + 2 * (k * (ratio - level) - k + expected)
    return np.asarray(np.copysign(np.sqrt(np.maximum(deviance, 0)), off))
