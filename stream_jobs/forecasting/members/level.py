"""Where a series stands of late, and how far a trend still carries."""

import numpy as np

from stream_jobs.forecasting.members.model import Floats


def recent(values: Floats, weight: float, start: float) -> float:
    """Exponentially weighted mean, `weight` of the last value; gaps (NaN) are passed over."""
    level = start
    for value in values[np.isfinite(values)]:
        level += weight * (float(value) - level)
    return level


def damped(slope: float, left: float, steps: int) -> Floats:
    """How far a slope goes up to each of the steps, if `left` of it is left from step to step: never beyond
    slope · left / (1 - left)."""
    return np.asarray(slope * np.cumsum(left ** np.arange(1, steps + 1)), dtype=np.float64)
