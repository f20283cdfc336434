"""By what series are forecast: the one place that names it."""

from dataclasses import replace
from datetime import date
from typing import Final

from stream_jobs.forecasting.daily import forecast_days
from stream_jobs.forecasting.declared import Declared
from stream_jobs.forecasting.declared_hours import forecast_declared_hours
from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasting.model import Forecast, Panel
from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.rest_days import rest_days

VERSION: Final = "5"
"""Raised when the same history gives another forecast."""


def forecast_panel(
    panel: Panel, horizon: int, beforehand: Beforehand | None = None, country: str = ""
) -> list[Forecast]:
    """Of each of its series, in their order. `country`: whose holidays count, of days."""
    if not panel.names:
        return []
    if beforehand is not None:
        panel = replace(panel, values=beforehand.learnable(panel.values))
    declared = None if beforehand is None else beforehand.declared()
    of_step = _hours(panel, horizon, declared) if panel.step == "hour" else _days(panel, horizon, declared, country)
    return of_step if beforehand is None else beforehand.told(of_step)


def _hours(panel: Panel, horizon: int, declared: Declared | None) -> list[Forecast]:
    return forecast_hours(panel, horizon) if declared is None else forecast_declared_hours(panel, horizon, declared)


def _days(panel: Panel, horizon: int, declared: Declared | None, country: str) -> list[Forecast]:
    years = [date.fromordinal(cell).year for cell in (panel.first, panel.origin + horizon)]
    return forecast_days(panel, horizon, declared=declared, holidays=rest_days(country, *years))
