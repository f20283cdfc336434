"""A figure that is not known yet: any of its quantiles, and the chance that it exceeds an amount."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.scales import Scale

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Its median, and errors as they were seen around such medians, on a scale on which they are alike."""

    middle: float  # the median, on the scale
    spread: float  # what one unit of `shape` is on the scale; 0: it is known
    shape: Floats  # standardised errors, rising; the i-th of n at the probability (i + 0.5) / n
    scale: Scale
    known: float = 0.0  # is added to all of it: what is spent already, or sure to come
    most: float = inf  # no more than this comes, whatever the errors say

    def plus(self, known: float) -> "Uncertain":
        """With what is known beside it."""
        return replace(self, known=self.known + known)

    def quantile(self, probability: Any) -> Any:
        """Of one probability or an array of them. Never negative before what is known is added."""
        errors = np.interp(probability, self._probabilities(), self.shape) if len(self.shape) else 0.0
        found = np.minimum(self.scale.back(self.middle + self.spread * errors), self.most) + self.known
        return found if isinstance(probability, np.ndarray) else float(found)

    def quantiles(self, probabilities: Sequence[float]) -> tuple[float, ...]:
        """One for each."""
        return tuple(self.quantile(np.asarray(probabilities, np.float64)).tolist())

    def chance_above(self, amount: float) -> float:
        """Between 0 and 1. Beyond all errors that were seen an exponential tail goes on, as wide as a quarter of them
        all: so it is never quite 0 or 1 where anything is uncertain."""
        left = amount - self.known
        if left < 0:
            return 1.0
        if left >= self.most:
            return 0.0
        if self.spread <= 0 or not len(self.shape):
            return float(self.scale.back(self.middle) > left)
        error = (float(self.scale.to(left)) - self.middle) / self.spread
        low, high = float(self.shape[0]), float(self.shape[-1])
        outermost, width = 0.5 / len(self.shape), max((high - low) / 4, 1e-9)
        if error >= high:
            return float(outermost * np.exp(-(error - high) / width))
        if error <= low:
            return float(1 - outermost * np.exp(-(low - error) / width))
        return float(1 - np.interp(error, self.shape, self._probabilities()))

    def _probabilities(self) -> Floats:
        return (np.arange(len(self.shape)) + 0.5) / max(len(self.shape), 1)
