"""The band that the job kept of a series. Statistics, which plots show, and no amounts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import sqrt
from typing import Any, Final, NamedTuple, cast

from stream_jobs.anomalies.found import Found
from stream_jobs.anomalies.model import COST
from stream_jobs.base.instants import as_utc
from stream_jobs.store.client import StoreClient

HOUR: Final = timedelta(hours=1)
EVERY: Final = timedelta(minutes=5)
"""Of what was open a score is kept so often."""


class Band(NamedTuple):
    """In USD."""

    expected: float
    low: float
    high: float

    def part(self, share: float) -> "Band":
        """Of a part of the time. What chance does in it is as the root of its length: what single requests make of a
        minute is far from the sixtieth part of what they make of an hour."""
        expected, root = self.expected * share, sqrt(share)
        low, high = expected - (self.expected - self.low) * root, expected + (self.high - self.expected) * root
        return Band(expected, max(low, 0.0) if self.low >= 0 else low, high)


Bands = Mapping[datetime, Band]
"""Of the hour that ends then."""


def bands_of(store: StoreClient, found: Found, since: datetime, until: datetime) -> Bands:
    """Those of hours that lie in [since, until) in part. The job keeps those of costs, for some weeks."""
    if found.measure != COST:
        return {}
    rows = store.rows(
        "SELECT at, expected, low, high FROM anomaly_scores FINAL WHERE dims = {dims:Array(String)} "
        "AND vals = {vals:Array(String)} AND at > {since:DateTime('UTC')} "
        "AND at < {until:DateTime('UTC')} + toIntervalHour(1)",
        {"dims": list(found.series), "vals": list(found.series.values()), "since": since, "until": until},
    )
    return {as_utc(at): Band(*band) for at, *band in cast(list[tuple[Any, ...]], rows)}


def band_of(bands: Bands, at: datetime, step: timedelta) -> Band | None:
    """Of the step that begins then: its part of the hour that ends soonest after it, or its hours together. None where
    they do not cover it."""
    end = at + step
    if step < HOUR:
        ends = (instant for number in range(HOUR // EVERY + 1) if (instant := _five(end) + EVERY * number) <= at + HOUR)
        return next((bands[instant].part(step / HOUR) for instant in ends if instant in bands), None)
    hours = [bands.get(at + HOUR * (number + 1)) for number in range(step // HOUR)]
    known = [band for band in hours if band is not None]
    return Band(*map(sum, zip(*known, strict=True))) if len(known) == len(hours) else None


def _five(instant: datetime) -> datetime:
    """The next multiple of five minutes, or the instant if it is one."""
    over = timedelta(minutes=instant.minute % 5, seconds=instant.second, microseconds=instant.microsecond)
    return instant + (EVERY - over if over else over)
