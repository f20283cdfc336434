"""STL of statsmodels: its latest season, and a recent level that falls back to its trend."""

from typing import Final

import numpy as np

from stream_jobs.forecasting.members.history import History
from stream_jobs.forecasting.members.model import Floats, Step

_BACK: Final[dict[Step, float]] = {"hour": 0.98, "day": 0.9}
"""What is left of the recent level's distance to the trend from step to step."""
_WEIGHT: Final = 0.3  # of the last step in the recent level


def forecast(history: History) -> Floats:
    """(horizon,) on the scale."""
    from statsmodels.tsa.seasonal import STL

    found = STL(history.filled, period=history.period, robust=True).fit()
    season, trend = np.asarray(found.seasonal), np.asarray(found.trend)
    level = smoothed = float(trend[-1])
    for value in (history.filled - season)[-5 * history.period :]:
        smoothed += _WEIGHT * (float(value) - smoothed)
    steps = np.arange(1, history.horizon + 1)
    latest = np.resize(season[-history.period :], history.horizon)
    return np.asarray(level + (smoothed - level) * _BACK[history.step] ** steps + latest, dtype=np.float64)
