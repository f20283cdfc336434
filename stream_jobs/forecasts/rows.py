"""Forecasts as rows of ClickHouse. Plain."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isnan
from typing import Any, Final

import numpy as np

from stream_jobs.forecasting.model import QUANTILES, Forecast
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.model import Key, Past
from stream_jobs.forecasts.scores import Quality
from stream_jobs.forecasts.scoring import naive_scale
from stream_jobs.store.fitting import printable

MOST: Final = 1e24
"""Of a figure: what a column holds. No real spend comes near."""
_FIGURES: Final = ("p10", "p50", "p90", "sum_p10", "sum_p50", "sum_p90")
_PLACES: Final = Decimal(1).scaleb(-12)
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def amount(figure: float) -> Decimal:
    """A statistic, as columns of money hold it. Raises ValueError for what is no number."""
    if isnan(figure):
        raise ValueError("a forecast that is no number")
    return _EXACT.quantize(Decimal(max(-MOST, min(MOST, figure))), _PLACES)


def identity(lease: Lease, key: Key) -> dict[str, Any]:
    return {
        **{"run": lease.run, "grain": lease.grain, "budget_id": key.budget_id},
        **{"dims": list(key.dims), "vals": list(key.vals), "measure": key.measure},
    }


def step_rows(lease: Lease, past: Past, key: Key, forecast: Forecast) -> Iterator[dict[str, Any]]:
    """Of `forecasts`: none for what was refused."""
    for number, (step, total) in enumerate(zip(forecast.steps.tolist(), forecast.sums, strict=True)):
        figures = [*step, *total.quantiles(QUANTILES)]
        yield {
            **identity(lease, key),
            "at": past.grid.start(past.origin + number),
            **dict(zip(_FIGURES, map(amount, figures), strict=True)),
        }


def series_row(lease: Lease, past: Past, place: int, forecast: Forecast, quality: Quality) -> dict[str, Any]:
    """Of `forecast_series`."""
    row = past.values[place]
    last = past.origin + len(forecast.steps) - 1
    return {
        **identity(lease, past.keys[place]),
        "zone": past.grid.zone.key,
        "until": past.grid.start(last) if len(forecast.steps) else lease.run,
        "known": int((~np.isnan(row)).sum()),
        **{"label": forecast.label, "why": printable(forecast.why), "method": forecast.method},
        "members": list(forecast.members),
        "scale": naive_scale(row, past.grid.step),
        **{"scored": quality.scored, "error": quality.error, "coverage": quality.coverage},
    }


def portions(count: int, size: int) -> Iterator[Sequence[int]]:
    """Places, some at a time."""
    for first in range(0, count, size):
        yield range(first, min(first + size, count))
