"""The forecast of several members: their median, step by step."""

import warnings

import numpy as np

from stream_jobs.forecasting.model import Floats
from stream_jobs.forecasting.scales import Scale


def combined(members: Floats, scale: Scale, least: int = 1) -> Floats | None:
    """(steps,) from amounts of (members, steps), NaN where a member says nothing of a step. None where any step has
    fewer than `least` members.

    On the scale, which matters where their number is even: between 1 and 100 of usage lies 10 rather than 50.
    """
    if members.shape[0] < least or (np.isfinite(members).sum(axis=0) < max(least, 1)).any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.nanmedian(np.where(np.isfinite(members), scale.to(members), np.nan), axis=0)
    return np.asarray(scale.back(middle), dtype=np.float64)
