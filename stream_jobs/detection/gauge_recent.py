"""The mean of the last few residuals of each prediction: what one value does is noise, what three do is less."""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
RECENT: Final = 3


class Recent:
    """Residuals of [series, prediction, RECENT]; NaN where there was none."""

    def __init__(self, predictions: int) -> None:
        self.residuals = np.full((0, predictions, RECENT), np.nan)

    def grow(self, more: int) -> None:
        fresh = np.full((more, *self.residuals.shape[1:]), np.nan)
        self.residuals = np.concatenate([self.residuals, fresh])

    def push(self, series: Numbers, residuals: Floats) -> Floats:
        """Take new ones, [series, prediction]; returns the means of the last RECENT, NaN where the new one is."""
        last = np.concatenate([self.residuals[series][:, :, 1:], residuals[:, :, None]], axis=2)
        self.residuals[series] = last
        there = np.isfinite(last)
        means = np.where(there, last, 0.0).sum(axis=2) / np.maximum(there.sum(axis=2), 1)
        return np.where(np.isfinite(residuals), means, np.nan)
