"""Days to come by the hours of a first day: of a series of which no whole day is known yet.

The level is the mean of its hours. Nothing has shown yet how far such a level is off, so only stated errors make the
band: those of days, as wide as of a series of which one day is known, and beside them that part of a day's error which
hours that are missing of a day leave open. From the first whole day on `daily.py` says more.
"""

from collections.abc import Sequence
from math import log, sqrt
from typing import Final

import numpy as np

from stream_jobs.forecasting.day_ahead import MOST
from stream_jobs.forecasting.day_bands import POINTS, STATED_DAY, stated, student, wider
from stream_jobs.forecasting.model import QUANTILES, Floats, Forecast, refusal
from stream_jobs.forecasting.scales import Logarithm
from stream_jobs.forecasting.uncertain import Uncertain

METHOD: Final = "mean of hours"
LEAST: Final = 3
"""Hours that are known. With fewer the band would be so wide that it said nothing."""
DAY: Final = 24
FLOOR: Final = 0.01  # of a usual day


def forecast_first_day(name: str, hours: Floats, left: Sequence[float]) -> Forecast:
    """`hours`: (n,) of the day that goes on, what each cost up to now; NaN: not known, or before there was anything.
    `left`: hours of each day to come, the first is what is left of the present one; of others 24, or 23 and 25 where
    clocks change. The first step is all of the present day, with what came of it."""
    known = hours[np.isfinite(hours)]
    count = len(known)
    if count < LEAST:
        told = f"{count} whole {'hour is' if count == 1 else 'hours are'}" if count else "no whole hour of it is"
        return refusal(name, f"{told} known yet: it takes {LEAST} to say anything of days")
    rate, highest, came = max(float(known.mean()), 0.0), max(float(known.max()), 0.0), float(known.sum())
    ahead = np.arange(1, len(left) + 1)
    floor = FLOOR * rate * DAY or FLOOR
    sums, steps = [], np.zeros((len(left), len(QUANTILES)))
    of_sums, of_steps = (_spreads(ahead, count, sums=one) for one in (True, False))
    for place, until in enumerate(np.cumsum(left).tolist()):
        room = floor * (place + 1)
        sums.append(_uncertain(rate * until, of_sums[place], room, MOST * highest * until).plus(came))
        alone = _uncertain(rate * left[place], of_steps[place], floor, MOST * highest * left[place])
        steps[place] = np.maximum(alone.plus(0.0 if place else came).quantiles(QUANTILES), 0.0)
    why = f"{count} hours are known and no whole day: by their mean, with a wide band"
    return Forecast(name, steps, sums, METHOD, (), "cold start", why, {"hours": float(count)})


def _spreads(ahead: np.ndarray, count: int, *, sums: bool) -> list[float]:
    """The mean absolute error on the logarithm, so many days ahead, where so many hours are known."""
    days = stated(ahead, sums=sums) * wider(1, 0.0, 1.0)
    return [sqrt(error**2 + STATED_DAY**2 * max(DAY / count - 1, 0.0)) for error in days.tolist()]


def _uncertain(middle: float, spread: float, floor: float, most: float) -> Uncertain:
    """Of what is nothing, nothing is uncertain: no hour is left, or nothing came."""
    scale = Logarithm(floor)
    return Uncertain(log(middle + floor), spread if middle > 0 else 0.0, _SHAPE, scale, most=max(most, middle))


_SHAPE: Final = student(POINTS)
