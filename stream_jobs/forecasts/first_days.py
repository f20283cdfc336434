"""Series that began today, in a run of days: what the hours of today say stands in for days that nobody knows yet."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from stream_jobs.forecasting.first_day import forecast_first_day
from stream_jobs.forecasting.model import Forecast
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.model import Past
from stream_jobs.forecasts.past import PastReader
from stream_jobs.forecasts.plan import Part

_HOUR = timedelta(hours=1)


def with_first_days(
    reader: PastReader, part: Part, past: Past, forecasts: Sequence[Forecast], known_until: datetime
) -> tuple[Past, list[Forecast]]:
    """The same, and behind them every series that had something in the whole hours of today and in no day before; what
    is planned or known of prices is left out of these. Raises StoreUnavailableError."""
    hours = Grid("hour")
    first, end = hours.cell_at(part.grid.start(part.origin)), hours.cell_at(known_until)
    if part.grid.step == "hour" or end <= first:
        return past, list(forecasts)
    watched = [replace(one, spec=replace(one.spec, calendar=hours.calendar)) for one in part.watched]
    today = reader.read(hours, watched, end - first, end)
    known, left = set(past.keys), hours_left(part.grid, part.origin, hours.start(end), part.horizon)
    fresh = [place for place, key in enumerate(today.keys) if key not in known and not key.is_rest]
    keys = [today.keys[place] for place in fresh]
    said = [forecast_first_day(today.keys[place].name, today.values[place], left) for place in fresh]
    unknown = np.full((len(fresh), past.values.shape[1]), np.nan)
    more = replace(past, keys=[*past.keys, *keys], values=np.concatenate([past.values, unknown]))
    return more, [*forecasts, *said]


def hours_left(grid: Grid, origin: int, now: datetime, days: int) -> list[float]:
    """Of each day from the origin on, which is the present one; a day has 23 or 25 where clocks change."""
    starts = [grid.start(origin + day) for day in range(1, days + 1)]
    begins = [now, *starts]
    return [max((end - begin) / _HOUR, 0.0) for begin, end in zip(begins, starts, strict=False)]
