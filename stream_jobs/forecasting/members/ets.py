"""Exponential smoothing of statsmodels: a level, a season of a day or week, and a damped trend where it pays."""

import numpy as np

from stream_jobs.forecasting.members.history import History
from stream_jobs.forecasting.members.model import Floats


def forecast(history: History) -> Floats:
    """(horizon,) on the scale. Of the two, the one whose AICc is less: a trend must be worth its two parameters."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    best: tuple[float, Floats] | None = None
    for trend in (None, "add"):
        fitted = ExponentialSmoothing(
            history.filled,
            trend=trend,
            damped_trend=trend is not None,
            seasonal="add",
            seasonal_periods=history.period,
            initialization_method="heuristic",
        ).fit(optimized=True, use_brute=False)
        found = float(fitted.aicc), np.asarray(fitted.forecast(history.horizon), dtype=np.float64)
        if np.isfinite(found[1]).all() and (best is None or found[0] < best[0]):
            best = found
    return best[1] if best is not None else np.full(history.horizon, np.nan)
