"""By what series are forecast: the one place that names it."""

from typing import Final

from stream_jobs.forecasting.daily import forecast_days
from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasting.model import Forecast, Panel

VERSION: Final = "3"
"""Raised when the same history gives another forecast."""


def forecast_panel(panel: Panel, horizon: int) -> list[Forecast]:
    """Of each of its series, in their order."""
    if not panel.names:
        return []
    return forecast_hours(panel, horizon) if panel.step == "hour" else forecast_days(panel, horizon)
