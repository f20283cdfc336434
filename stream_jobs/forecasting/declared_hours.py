"""What people have declared of hours: taken out of the past, put back into what is forecast."""

from collections.abc import Sequence
from dataclasses import replace
from math import cbrt
from typing import Final

import numpy as np

from stream_jobs.forecasting.declared import Declared, Floats
from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasting.model import Forecast, Panel, Told
from stream_jobs.forecasting.paths import SCALE
from stream_jobs.forecasting.uncertain import Uncertain

MIDDLE: Final = 1  # of the columns of steps


def forecast_declared_hours(
    panel: Panel, horizon: int, declared: Declared, told: Told = lambda _done, _of: None
) -> list[Forecast]:
    """As `forecast_hours`, whose bounds are those of what is not declared: factors and amounts come after them. Raises
    ValueError as it does."""
    usual = replace(panel, values=declared.taken_out(panel.values, panel.first))
    factors, amounts = declared.of(panel.origin, horizon)
    found = forecast_hours(usual, horizon, told)
    return [
        forecast if forecast.refused else _put_back(forecast, factors[place], amounts[place])
        for place, forecast in enumerate(found)
    ]


def _put_back(forecast: Forecast, factors: Floats, amounts: Floats) -> Forecast:
    """Unchanged where nothing is declared of the hours to come."""
    if (factors == 1).all() and not amounts.any():
        return forecast
    steps = forecast.steps * factors[:, None] + amounts[:, None]
    return replace(forecast, steps=steps, sums=_sums(forecast, factors, np.cumsum(amounts)))


def _sums(forecast: Forecast, factors: Floats, declared: Floats) -> Sequence[Uncertain]:
    """Each moves as the medians of its hours do together; where these are all 0, as the factors do in the mean."""
    middles = forecast.steps[:, MIDDLE]
    weights = middles if middles.any() else np.ones(len(middles))
    whole, moved = np.cumsum(weights), np.cumsum(weights * factors)
    means = np.cumsum(factors) / np.arange(1, len(factors) + 1)
    ratios = np.where(whole > 0, moved / np.maximum(whole, 1e-300), means)
    pairs = zip(forecast.sums, ratios.tolist(), declared.tolist(), strict=True)
    return [_times(one, ratio).plus(amount) for one, ratio, amount in pairs]


def _times(one: Uncertain, ratio: float) -> Uncertain:
    """Exact on the root's scale: every quantile of it is `ratio` times as much."""
    assert one.scale == SCALE
    root = cbrt(ratio)
    return replace(one, middle=one.middle * root, spread=one.spread * root, most=one.most * ratio)
