"""Other forecasts of the rest of a month, from daily spend so far: what ours is held against."""

import logging
import warnings
from collections.abc import Callable
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rival = Callable[[Floats, int, int, int], float]
"""Of the values of days, the ordinal of the first one, the days of the month that are over, and those that are left."""
WEEK: Final = 7
FIT_DAYS: Final = 400  # that libraries are given


def run_rate(values: Floats, _first: int, over: int, left: int) -> float:
    return float(values[-over:].mean() * left)


def last_week(values: Floats, _first: int, _over: int, left: int) -> float:
    return float(np.resize(values[-WEEK:], left).sum())


def four_weeks(values: Floats, _first: int, _over: int, left: int) -> float:
    return float(np.resize(values[-4 * WEEK :].reshape(4, WEEK).mean(axis=0), left).sum())


def ets(values: Floats, _first: int, _over: int, left: int) -> float:
    """statsmodels' state space ETS: the best by AICc of no trend and a damped one, with weekdays, on the logarithm
    where all values are positive."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    values = values[-FIT_DAYS:]
    positive = bool((values > 0).all())
    given = np.log(values) if positive else values
    best: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for trend in (None, "add"):
            model = ETSModel(given, trend=trend, damped_trend=trend is not None, seasonal="add", seasonal_periods=WEEK)
            fitted = model.fit(disp=False)
            if best is None or fitted.aicc < best.aicc:
                best = fitted
        found = np.asarray(best.forecast(left))
    return float((np.exp(found) if positive else np.maximum(found, 0.0)).sum())


def prophet(values: Floats, first: int, _over: int, left: int) -> float:
    """With defaults. What it has below 0 counts as it is."""
    import pandas as pd

    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    logging.getLogger("prophet").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prophet import Prophet

        days = [date.fromordinal(first + day) for day in range(len(values))][-FIT_DAYS:]
        model = Prophet()
        model.fit(pd.DataFrame({"ds": pd.to_datetime(days), "y": values[-FIT_DAYS:]}))
        ahead = model.make_future_dataframe(left, include_history=False)
        return float(model.predict(ahead)["yhat"].sum())


CHEAP: Final[dict[str, Rival]] = {"run-rate": run_rate, "last week": last_week, "4-week mean": four_weeks}
SLOW: Final[dict[str, Rival]] = {"ETS": ets, "Prophet": prophet}
