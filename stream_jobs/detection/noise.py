"""How far from usual: deviates that are about standard normal when nothing is wrong.

A window that usually holds E (money or requests) holds C. Two noises: of counting, phi / E, where phi is the money of
one request (sum of squares / sum; 1 for requests), and of the level, tau², which each window learns for itself. The
figure is Box and Cox's power of C/E: the logarithm where the level's noise rules, a cube root (cost) or a two-thirds
power (requests, as in Anscombe's for Poisson) where counting does.
"""

from typing import Final

import numpy as np

from stream_jobs.detection.arrays import Array

POWERS: Final = np.array([1 / 3, 2 / 3])[:, None, None]
TAU2_LEAST: Final = 0.004
TAU2_MOST: Final = 4.0
PSEUDO: Final = 0.02


def deviates(actual: Array, usual: Array, phi: Array, tau2: Array) -> tuple[Array, Array, Array]:
    """[measures, windows, series] each: the deviates, the variance of the logarithm and the counting part of it.
    `phi` is [measures, 1, series]; `tau2` includes that the baseline is not sure."""
    usual = np.maximum(usual, 1e-9 * phi)
    count = phi / usual
    part = np.log1p(count)
    v = part + tau2
    power = np.maximum(POWERS * count / (count + tau2), 0.01)
    ratio = np.log((actual + PSEUDO * phi) / (usual + PSEUDO * phi))
    y = np.expm1(power * ratio) / power
    return (y + (1 - power) * v / 2) / np.sqrt(v), v, part
