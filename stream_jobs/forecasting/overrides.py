"""What a person expects of a time, beside what the model says of it; both are scored as it passes.

A person gives one amount for the whole time. Until it is over it is spread as the model spreads its own: so whoever
expects 30 % more than the model is compared with what came as having said 30 % more of each cell.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stream_jobs.forecasting.model import Floats


@dataclass(frozen=True, slots=True)
class OverrideScore:
    """Of the cells that are over and known; all amounts are sums over them."""

    part: float  # of the time, as the model spreads it: 1 when all of it is known
    came: float
    override: float
    model: float | None  # None: the model had said nothing
    over: int  # cells
    cells: int  # of the whole time

    @property
    def override_error(self) -> float:
        """How far the person was off, without its sign."""
        return abs(self.override - self.came)

    @property
    def model_error(self) -> float | None:
        return None if self.model is None else abs(self.model - self.came)

    @property
    def is_final(self) -> bool:
        return self.over == self.cells

    @property
    def nearer(self) -> Literal["override", "model", "same", "unknown"]:
        """Who is nearer to what came so far."""
        error = self.model_error
        if error is None or not self.over:
            return "unknown"
        if error == self.override_error:
            return "same"
        return "override" if self.override_error < error else "model"


def spread(amount: float, shape: Floats) -> Floats:
    """The amount over cells as `shape` (not negative; NaN: not known) has them; evenly where that says nothing. The sum
    is the amount."""
    weights = np.where(np.isfinite(shape), np.maximum(shape, 0.0), 0.0)
    total = float(weights.sum())
    if not len(weights):
        return weights
    return np.asarray(amount * (weights / total if total > 0 else np.full(len(weights), 1 / len(weights))))


def score(amount: float, model_total: float | None, shape: Floats, came: Floats) -> OverrideScore:
    """`amount`: what a person expects of the whole time. `model_total`: the median of the model's sum over it, as it
    was when the person said so. `shape`: (cells,), the model's steps. `came`: (cells,), NaN where it is not over or not
    known; negative for credits. Raises ValueError for lengths that differ."""
    if shape.shape != came.shape:
        raise ValueError(f"{len(shape)} cells were forecast and {len(came)} came: give the same time")
    known = np.isfinite(came)
    share = float(spread(1.0, shape)[known].sum()) if len(shape) else 0.0
    part = 1.0 if known.all() and len(known) else min(1.0, share)
    said = None if model_total is None else model_total * part
    return OverrideScore(part, float(came[known].sum()), amount * part, said, int(known.sum()), len(came))
