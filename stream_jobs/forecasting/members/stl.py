"""STL of statsmodels: the season of the last periods, and the level on which the series stands of late."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_jobs.forecasting.members.history import History
from stream_jobs.forecasting.members.level import recent
from stream_jobs.forecasting.members.model import Floats, Step


@dataclass(frozen=True, slots=True)
class _Level:
    weight: float  # of the last step in what is recent
    left: float  # of its distance to the usual, from step to step
    usual: int  # steps, whose median is the usual


_LEVELS: Final[dict[Step, _Level]] = {"hour": _Level(0.3, 0.95, 72), "day": _Level(0.2, 1.0, 28)}
"""What is off for an hour is back tomorrow; a day's level stays."""
_SMOOTH: Final = 35
"""Over so many periods a season changes: with the usual 7 the last one is mostly noise."""
_PERIODS: Final = 4  # of the season, whose mean goes on
_LOOK: Final = 7  # periods that count for what is recent


def forecast(history: History) -> Floats:
    """(horizon,) on the scale."""
    from statsmodels.tsa.seasonal import STL

    found = STL(history.filled, period=history.period, seasonal=_SMOOTH, robust=True).fit()
    season = np.asarray(found.seasonal, dtype=np.float64)
    level = _LEVELS[history.step]
    rest = (history.filled - season)[-_LOOK * history.period :]
    usual = float(np.median(rest[-level.usual :]))
    now = recent(rest, level.weight, usual)
    steps = np.arange(1, history.horizon + 1)
    return usual + (now - usual) * level.left**steps + _goes_on(season, history)


def _goes_on(season: Floats, history: History) -> Floats:
    period = history.period
    whole = min(_PERIODS, len(season) // period)
    return np.resize(season[-whole * period :].reshape(whole, period).mean(axis=0), history.horizon)
