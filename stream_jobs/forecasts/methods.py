"""By what series are forecast: the one place that names it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Final

from stream_jobs.forecasting.daily import Days
from stream_jobs.forecasting.day_slow import SlowPaths
from stream_jobs.forecasting.declared_hours import forecast_declared_hours
from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasting.model import Forecast, Panel, Told
from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.rest_days import rest_days

VERSION: Final = "9"
"""Raised when the same history gives another forecast."""
Slow = Callable[[Days, Beforehand | None, frozenset[int]], Mapping[int, SlowPaths]]
"""What slow members say of the series of a panel of days, by their places; of ordinals of holidays."""


def forecast_panel(
    panel: Panel,
    horizon: int,
    beforehand: Beforehand | None = None,
    country: str = "",
    slow: Slow | None = None,
    told: Told = lambda _done, _of: None,
) -> list[Forecast]:
    """Of each of its series, in their order. `country`: whose holidays count, of days. `slow`: asked once, of days."""
    if not panel.names:
        return []
    if beforehand is not None:
        panel = replace(panel, values=beforehand.learnable(panel.values))
    if panel.step == "hour":
        found = _hours(panel, horizon, beforehand, told)
    else:
        found = _days(panel, horizon, beforehand, country, slow, told)
    return found if beforehand is None else beforehand.told(found)


def _hours(panel: Panel, horizon: int, beforehand: Beforehand | None, told: Told) -> list[Forecast]:
    if beforehand is None:
        return forecast_hours(panel, horizon, told)
    return forecast_declared_hours(panel, horizon, beforehand.declared(), told)


def _days(
    panel: Panel, horizon: int, beforehand: Beforehand | None, country: str, slow: Slow | None, told: Told
) -> list[Forecast]:
    declared = None if beforehand is None else beforehand.declared()
    years = [date.fromordinal(cell).year for cell in (panel.first, panel.origin + horizon)]
    holidays = rest_days(country, *years)
    days = Days(panel, horizon, (panel.origin,), declared=declared, holidays=holidays, told=told)
    return days.forecast(panel.origin, {} if slow is None else slow(days, beforehand, holidays))
