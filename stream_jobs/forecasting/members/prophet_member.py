"""Prophet: a trend that bends, seasons of day, week and year, holidays of a country, declared events."""

import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from stream_jobs.forecasting.members.history import EPOCH, History
from stream_jobs.forecasting.members.level import damped, recent
from stream_jobs.forecasting.members.model import Floats, Step
from stream_jobs.forecasting.members.stan import StanProgram
from stream_jobs.forecasting.members.years import are_alike

if TYPE_CHECKING:
    import pandas as pd
    from prophet.models import IStanBackend

WEEKS: Final = 2
"""So many teach a season of the week: with fewer it would be a trend."""
_LOOK: Final = 96
"""So many cells at the end tell where the series is of late."""
_WEIGHT: Final[dict[Step, float]] = {"hour": 0.1, "day": 0.15}
_OFF_LEFT: Final[dict[Step, float]] = {"hour": 0.98, "day": 1.0}
"""Of the distance to where the series is of late, from step to step."""
_SLOPE_LEFT: Final[dict[Step, float]] = {"hour": 0.98, "day": 0.9}
_HOURS_OF_A_DAY, _DAYS_OF_A_WEEK = 24, 7


def forecast(history: History) -> Floats:
    """(horizon,) on the scale."""
    import pandas as pd

    cells = len(history.scaled)
    when = instants(history.first, history.step, cells + history.horizon)
    frame = pd.DataFrame({"ds": when, "y": np.append(history.scaled, np.full(history.horizon, np.nan))})
    days = cells / (_HOURS_OF_A_DAY if history.step == "hour" else 1)
    model = quiet_prophet()(
        daily_seasonality=history.step == "hour",
        weekly_seasonality=days >= WEEKS * _DAYS_OF_A_WEEK,
        yearly_seasonality=history.step == "day" and are_alike(history.filled),
        uncertainty_samples=0,
    )
    if history.country and knows_holidays(history.country):
        model.add_country_holidays(history.country)
    for number, share in enumerate(_learnable(history, cells)):
        frame[f"event {number}"] = share
        model.add_regressor(f"event {number}", standardize=False)
    model.fit(frame[:cells])
    said = model.predict(frame[max(0, cells - _LOOK) :].drop(columns="y"))
    whole, trend = (np.asarray(said[name], dtype=np.float64) for name in ("yhat", "trend"))
    return _onward(history, whole, trend)


def _onward(history: History, whole: Floats, trend: Floats) -> Floats:
    """Prophet's straight line into the future bends down to a level, which begins where the series is of late: a line
    that nothing damps is what makes Prophet worse than repeating the last week."""
    past = len(whole) - history.horizon
    off = recent(history.scaled[-past:] - whole[:past], _WEIGHT[history.step], 0.0)
    off_ahead = off * _OFF_LEFT[history.step] ** np.arange(1, history.horizon + 1)
    line = trend[past - 1] + damped(
        float(trend[past - 1] - trend[past - 2]), _SLOPE_LEFT[history.step], history.horizon
    )
    return np.asarray(whole[past:] - trend[past:] + line + off_ahead, dtype=np.float64)


@cache
def knows_holidays(country: str) -> bool:
    """Whether the library has those of this country."""
    import holidays

    return country in holidays.list_supported_countries()


def _learnable(history: History, cells: int) -> list[Floats]:
    """Events of which the history shows something known."""
    known = np.isfinite(history.scaled)
    return [share for _, share in sorted(history.events.items()) if np.ptp(share[:cells][known]) > 0]


def instants(first: int, step: Step, cells: int) -> "pd.DatetimeIndex":
    """The beginnings of cells: of hours since 1970, or days by their ordinals."""
    import pandas as pd

    begin = np.datetime64(first, "h") if step == "hour" else np.datetime64(first - EPOCH, "D")
    return pd.date_range(pd.Timestamp(begin), periods=cells, freq="h" if step == "hour" else "D")


@cache
def quiet_prophet() -> Any:
    """Its class, with our way to run its program."""
    from prophet import Prophet

    logging.getLogger("prophet").setLevel(logging.ERROR)  # it sets its own level: INFO

    class _Quiet(Prophet):
        def _load_stan_backend(self, stan_backend: str | None) -> None:  # noqa: ARG002 - which of its own it would take
            self.stan_backend = cast("IStanBackend", StanProgram())

    return _Quiet
