"""Last week once more, with a band from how far that was off so far. Plain."""

from itertools import pairwise
from typing import Final

import numpy as np

from stream_jobs.forecasting.model import QUANTILES, Forecast, Label, Panel, refusal
from stream_jobs.forecasting.scales import Root
from stream_jobs.forecasting.uncertain import Uncertain
from stream_jobs.forecasts.model import Floats

LAGS: Final = {"hour": (24, 168), "day": (1, 7)}
"""The day before, and the week before, in cells."""
FEW: Final = 8
"""Differences that a band needs."""
SCALE: Final = Root()


def repeated(panel: Panel, horizon: int) -> list[Forecast]:
    """Of each series: the week before where it is known, else the day before, else a refusal."""
    return [_of(name, row, panel, horizon) for name, row in zip(panel.names, panel.values, strict=True)]


def _of(name: str, row: Floats, panel: Panel, horizon: int) -> Forecast:
    day, week = LAGS[panel.step]
    known = np.flatnonzero(~np.isnan(row))
    if not len(known):
        return refusal(name, "nothing is known of it")
    row = SCALE.to(row[known[0] :])
    lag = week if len(row) >= 2 * week else day
    if len(row) < lag + FEW:
        return refusal(name, f"{len(row)} {panel.step}s are known of it: too few to say anything")
    errors = row[lag:] - row[:-lag]
    errors = np.sort(errors[~np.isnan(errors)])
    last = row[-lag:]
    if len(errors) < FEW or np.isnan(last).all():
        return refusal(name, "too little is known of it of late")
    last = np.where(np.isnan(last), np.nanmedian(last), last)
    middles = np.resize(last, horizon)
    steps = np.sort(SCALE.back(middles[:, None] + np.quantile(errors, QUANTILES)[None, :] * [1, 0, 1]), axis=1)
    totals = np.cumsum(SCALE.back(middles))
    ratios = _ratios(row, lag)
    sums = [Uncertain(float(SCALE.to(total)), float(SCALE.to(total)), ratios, SCALE) for total in totals]
    label: Label = "steady" if len(row) >= 2 * week else "provisional"
    return Forecast(
        name, steps, sums, f"the {panel.step}s of {'the week' if lag == week else 'the day'} before", (), label
    )


def _ratios(row: Floats, lag: int) -> Floats:
    """How far a stretch of one lag was off the one before, as a share of it, on the scale; rising."""
    sums = [float(np.nansum(SCALE.back(row[end - lag : end]))) for end in range(len(row), lag - 1, -lag)]
    ratios = [float(SCALE.to(new) / SCALE.to(old) - 1) for new, old in pairwise(sums) if old > 0]
    return np.sort(np.array(ratios or [0.0]))
