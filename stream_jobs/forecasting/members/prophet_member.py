"""Prophet: a trend that bends, seasons of day, week and year, holidays of a country, declared events."""

import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from stream_jobs.forecasting.members.history import History
from stream_jobs.forecasting.members.model import Floats
from stream_jobs.forecasting.members.stan import StanProgram

if TYPE_CHECKING:
    import pandas as pd
    from prophet.models import IStanBackend

WEEKS: Final = 2
"""So many of a season's periods teach it: with fewer it would be a trend."""
YEARS: Final = 2
_HOURS_OF_A_DAY, _DAYS_OF_A_WEEK, _DAYS_OF_A_YEAR = 24, 7, 365


def forecast(history: History) -> Floats:
    """(horizon,) on the scale."""
    import pandas as pd

    cells = len(history.scaled)
    when = _instants(history, cells + history.horizon)
    frame = pd.DataFrame({"ds": when, "y": np.append(history.scaled, np.full(history.horizon, np.nan))})
    days = cells / (_HOURS_OF_A_DAY if history.step == "hour" else 1)
    model = _prophet()(
        daily_seasonality=history.step == "hour",
        weekly_seasonality=days >= WEEKS * _DAYS_OF_A_WEEK,
        yearly_seasonality=days >= YEARS * _DAYS_OF_A_YEAR,
        uncertainty_samples=0,
    )
    if history.country and knows_holidays(history.country):
        model.add_country_holidays(history.country)
    for number, share in enumerate(_learnable(history, cells)):
        frame[f"event {number}"] = share
        model.add_regressor(f"event {number}", standardize=False)
    model.fit(frame[:cells])
    return np.asarray(model.predict(frame[cells:].drop(columns="y"))["yhat"], dtype=np.float64)


@cache
def knows_holidays(country: str) -> bool:
    """Whether the library has those of this country."""
    import holidays

    return country in holidays.list_supported_countries()


def _learnable(history: History, cells: int) -> list[Floats]:
    """Events of which the history shows something known."""
    known = np.isfinite(history.scaled)
    return [share for _, share in sorted(history.events.items()) if np.ptp(share[:cells][known]) > 0]


def _instants(history: History, cells: int) -> "pd.DatetimeIndex":
    import pandas as pd

    if history.step == "hour":
        start = np.datetime64(history.first, "h")
        return pd.date_range(pd.Timestamp(start), periods=cells, freq="h")
    begin = np.datetime64(history.first - 719_163, "D")
    return pd.date_range(pd.Timestamp(begin), periods=cells, freq="D")


@cache
def _prophet() -> Any:
    """Its class, with our way to run its program."""
    from prophet import Prophet

    logging.getLogger("prophet").setLevel(logging.ERROR)  # it sets its own level: INFO

    class _Quiet(Prophet):
        def _load_stan_backend(self, stan_backend: str | None) -> None:  # noqa: ARG002 - which of its own it would take
            self.stan_backend = cast("IStanBackend", StanProgram())

    return _Quiet
