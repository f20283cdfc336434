"""Theta of statsmodels: half of the straight line's slope on top of a level, without the season of a day or week."""

import numpy as np

from stream_jobs.forecasting.members.history import History
from stream_jobs.forecasting.members.model import Floats


def forecast(history: History) -> Floats:
    """(horizon,) on the scale, on which the season adds up."""
    from statsmodels.tsa.forecasting.theta import ThetaModel

    fitted = ThetaModel(history.filled, period=history.period, method="add").fit()
    return np.asarray(fitted.forecast(history.horizon), dtype=np.float64)
