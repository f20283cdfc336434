"""What people have declared of days: taken out of the past, put back into the future."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST_FACTOR = 1000.0


@dataclass(frozen=True, slots=True)
class Declared:
    """Of each series and day: `factors` on usage, and `amounts` beside it, both as (series, days) from `first` on.

    A launch that stays has its factor on every day from then on; a one-off purchase is an amount of one day. Outside of
    its days nothing is declared.
    """

    first: int  # ordinal
    factors: Floats
    amounts: Floats

    def __post_init__(self) -> None:
        """Raises ValueError for factors that aren't between 1/1000 and 1000, and amounts below 0."""
        if self.factors.shape != self.amounts.shape:
            raise ValueError("factors and amounts are of the same series and days")
        bounded = (self.factors >= 1 / MOST_FACTOR) & (self.factors <= MOST_FACTOR)
        if not bounded.all():
            raise ValueError(f"a declared factor must be between {1 / MOST_FACTOR:g} and {MOST_FACTOR:g}")
        if not (np.isfinite(self.amounts) & (self.amounts >= 0)).all():
            raise ValueError("a declared amount must be 0 or more")

    def of(self, first: int, days: int) -> tuple[Floats, Floats]:
        """Factors and amounts of (series, days) from `first` on."""
        series, given = self.factors.shape
        factors, amounts = np.ones((series, days)), np.zeros((series, days))
        start, end = max(first, self.first), min(first + days, self.first + given)
        if start < end:
            inside, source = slice(start - first, end - first), slice(start - self.first, end - self.first)
            factors[:, inside], amounts[:, inside] = self.factors[:, source], self.amounts[:, source]
        return factors, amounts

    def taken_out(self, values: Floats, first: int) -> Floats:
        """Of (series, days) from `first` on: what they would have been. Nothing falls below 0 by it."""
        factors, amounts = self.of(first, values.shape[1])
        left = np.where(values > 0, np.maximum(values - amounts, 0.0), values)
        return np.asarray(np.where(amounts > 0, left, values) / factors)


def nothing(series: int, first: int) -> Declared:
    return Declared(first, np.ones((series, 0)), np.zeros((series, 0)))
