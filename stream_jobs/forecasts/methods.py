"""By what series are forecast: the one place that names it."""

from typing import Final

from stream_jobs.forecasting.model import Forecast, Panel
from stream_jobs.forecasts.last_week import repeated

VERSION: Final = "1"
"""Raised when the same history gives another forecast."""


def forecast_panel(panel: Panel, horizon: int) -> list[Forecast]:
    """Of each of its series, in their order."""
    return repeated(panel, horizon)
