"""What is known beforehand of series, cell by cell: what they are multiplied by, what is added, and why. Plain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stream_jobs.forecasting.declared import MOST_FACTOR, Declared
from stream_jobs.forecasting.model import Forecast
from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.model import Floats

LEAST_FACTOR: Final = 1 / MOST_FACTOR
"""Below it a cell says nothing of what is usual, and is not known."""
USUAL_BY_NOW: Final[Mapping[Step, int]] = {"hour": 72, "day": 14}
"""Cells: what was declared to be nothing for longer, and for good, is by now what is usual."""


@dataclass(frozen=True, slots=True)
class Beforehand:
    """Of each series and each cell from `first` on: those that are over, `cells` of them, and those to come."""

    step: Step
    first: int
    cells: int
    factors: Floats  # (series, cells + horizon); 0: none at all
    amounts: Floats
    why: Sequence[str]  # of each series: what moves it ahead, in words; empty: nothing
    events: Sequence[Mapping[str, Floats]] = ()
    """Of each series: planned events that moved it in cells that are over, as the part (cells + horizon,) of each cell
    over which they last. Empty: of none."""
    prices: Floats | None = None
    """Of `factors`, what prices make of it; None: of none."""

    def declared(self) -> Declared:
        """As forecasts take it."""
        factors = np.where(self._over_for_good(), 1.0, self.factors)
        return Declared(self.first, np.clip(factors, LEAST_FACTOR, MOST_FACTOR), self.amounts)

    def learnable(self, values: Floats) -> Floats:
        """(series, cells) without those at which nothing was to be: whatever came then says nothing of other times."""
        nothing = (self.factors < LEAST_FACTOR) & ~self._over_for_good()
        return np.where(nothing[:, : self.cells], np.nan, values)

    def told(self, forecasts: Sequence[Forecast]) -> list[Forecast]:
        """The forecasts, with why beside what they say themselves."""
        return [
            replace(forecast, why="; ".join(one for one in (forecast.why, why) if one))
            for forecast, why in zip(forecasts, self.why, strict=True)
        ]

    def _over_for_good(self) -> "np.typing.NDArray[np.bool_]":
        """(series, cells + horizon): where it was nothing for long, and is to be nothing as far as one sees. Left as it
        came: nothing would be known of its last weeks otherwise, and nothing could be said."""
        nothing = self.factors < LEAST_FACTOR
        to_the_end = np.logical_and.accumulate(nothing[:, ::-1], axis=1)[:, ::-1]
        long = to_the_end[:, : self.cells].sum(axis=1) > USUAL_BY_NOW[self.step]
        return np.asarray(to_the_end & long[:, None])
