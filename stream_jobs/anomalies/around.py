"""The figures about a finding, to draw: what its series was before, in and after it, and the band it was judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from math import isfinite
from typing import Final, cast, get_args

from pydantic import ValidationError

from spendstream_schemas.scope import Condition
from stream_jobs.anomalies.bands import Bands, band_of, bands_of
from stream_jobs.anomalies.found import Found
from stream_jobs.anomalies.ratios import QUOTIENTS
from stream_jobs.base.instants import EPOCH, from_unix_micros, time_zone
from stream_jobs.series import calendar
from stream_jobs.series.history import Grain, History
from stream_jobs.series.measures import Measure, places_of
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.store.client import StoreClient

MOST_POINTS: Final = 180
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
STEPS: Final[tuple[tuple[timedelta, Grain], ...]] = (
    (_MINUTE, "minute"),
    (5 * _MINUTE, "minute"),
    (_HOUR, "hour"),
    (24 * _HOUR, "day"),
)
_LEAST: Final = 15 * _MINUTE
_LEAST_OF_DRIVER: Final = 12 * _HOUR
"""Drivers are judged by the hour."""
_UTC: Final = time_zone("UTC")
_Band = tuple[Decimal, Decimal, Decimal]
_PLACES: Final = 12
_UNKNOWN: Final = (None, None, None)


@dataclass(frozen=True, slots=True)
class Point:
    """A step of the series. Amounts are of the measure; None where nobody knows."""

    at: datetime  # its beginning
    actual: Decimal | None
    expected: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    def is_beyond(self, direction: str) -> bool:
        """Beyond its band on that side."""
        if self.actual is None or self.low is None or self.high is None:
            return False
        return self.actual > self.high if direction == "up" else self.actual < self.low


@dataclass(frozen=True, slots=True)
class Around:
    """Points one step apart, the finding among them."""

    step: timedelta
    points: tuple[Point, ...]
    adds_up: bool = True  # False: a share or a price, of which two steps together are the mean

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return any(point.actual is not None for point in self.points)

    def coarser(self, most: int) -> "Around":
        """At most so many points: neighbours taken together, in steps that 1970 began with; the first and the last may
        be of fewer."""
        if len(self.points) <= most:
            return self
        step = self.step * -(-len(self.points) // (most - 1))
        groups = groupby(self.points, lambda point: (point.at - EPOCH) // step)
        return Around(step, tuple(_together(list(group), self.adds_up) for _, group in groups), self.adds_up)

    def holds(self, found: Found, point: Point) -> bool:
        """Whether a part of the point's step is in the finding."""
        return found.starts_at < point.at + self.step and (found.ends_at is None or point.at < found.ends_at)

    def shows(self, found: Found, point: Point) -> bool:
        """Whether the point is what the finding is about: in it, and beyond its band on its side."""
        return self.holds(found, point) and point.is_beyond(found.direction)


def _together(points: Sequence[Point], adds_up: bool) -> Point:
    """None where one of them is."""
    sums: dict[str, Decimal | None] = {}
    for name in ("actual", "expected", "low", "high"):
        values = [getattr(point, name) for point in points]
        total = None if None in values else sum(values, Decimal(0))
        sums[name] = total if total is None or adds_up else total / len(values)
    expected = sums["expected"]
    if adds_up and expected is not None and sums["low"] is not None and sums["high"] is not None:
        below, above = (_chance(points, edge) for edge in ("low", "high"))  # as `Band.part` has it
        least = min(Decimal(0), sums["low"])
        sums |= {"low": max(expected - below, least), "high": expected + above}
    return Point(points[0].at, **sums)


def _chance(points: Sequence[Point], edge: str) -> Decimal:
    """How far from what was expected chance takes the sum of steps that know nothing of each other."""
    return sum(((getattr(point, edge) - point.expected) ** 2 for point in points), Decimal(0)).sqrt()


def window_of(found: Found, now: datetime) -> tuple[datetime, datetime]:
    """What to look at: the finding, as much again before it, and half of it afterwards, where that is over."""
    end = found.ends_at or max(found.changed_at if found.changed_at < now else now, found.detected_at)
    lasted = max(end - found.starts_at, _LEAST_OF_DRIVER if found.measure in QUOTIENTS else _LEAST)
    return found.starts_at - lasted * 3 // 2, min(end + lasted // 2, max(now, end))


def step_for(length: timedelta, most: int) -> tuple[timedelta, Grain]:
    """The finest step that cuts the length into at most so many."""
    return next((step for step in STEPS if length <= step[0] * most), STEPS[-1])


def around(store: StoreClient, found: Found, now: datetime, most: int = MOST_POINTS) -> Around:
    """At most so many points. Raises StoreUnavailableError."""
    since, until = window_of(found, now)
    step, grain = step_for(until - since, most)
    if found.measure in QUOTIENTS and step < _HOUR:  # by minutes they are noise
        step, grain = _HOUR, "hour"
    if until - since > step * most:  # years of it: the latest days
        since = until - step * most
    first = EPOCH + (since - EPOCH) // step * step
    starts = [first + step * number for number in range(-(-(until - first) // step))]
    actuals = _actuals(store, found, grain, step, starts)
    bands = _bands(found, step, starts, bands_of(store, found, first, starts[-1] + step))
    points = tuple(Point(at, actuals.get(at), *bands.get(at, _UNKNOWN)) for at in starts)
    return Around(step, points, found.measure not in QUOTIENTS)


def _actuals(
    store: StoreClient, found: Found, grain: Grain, step: timedelta, starts: list[datetime]
) -> dict[datetime, Decimal]:
    """By step, 0 where nothing was booked; nothing where the ledger cannot tell."""
    if found.measure in QUOTIENTS:
        over, under = QUOTIENTS[found.measure]
        parts = [_sums(store, found.series, measure, grain, step, starts) for measure in (over, under)]
        return {at: parts[0][at] / parts[1][at] for at in starts if parts[1].get(at)}
    if found.measure not in get_args(Measure):
        return {}
    return _sums(store, found.series, cast(Measure, found.measure), grain, step, starts)


def _sums(
    store: StoreClient,
    series: Mapping[str, str],
    measure: Measure,
    grain: Grain,
    step: timedelta,
    starts: list[datetime],
) -> dict[datetime, Decimal]:
    try:
        scope = {
            name: Condition(any_of=(value,)) if value else Condition(missing=True) for name, value in series.items()
        }
        spec = SeriesSpec(scope, (), measure, calendar.hours(_UTC))
    except (ValidationError, ValueError):  # a dimension of a version to come
        return {}
    cells = History(store).read(spec, grain, starts[0], starts[-1] + step)
    sums = dict.fromkeys(starts, Decimal(0))
    for micros, by_values in cells.items():
        at = from_unix_micros(micros)
        at = EPOCH + (at - EPOCH) // step * step
        for total in by_values.values():
            sums[at] += Decimal(total.amount).scaleb(-places_of(measure))
    return sums


def _bands(found: Found, step: timedelta, starts: list[datetime], known: Bands) -> dict[datetime, _Band]:
    """Expected, low and high by step: within the finding (up to now while it is open) the finding's own, as of so much
    of its time (of a driver, as they are), so that what it cost beyond its band lies beyond it in a step, too; else
    what the job kept; else those of the nearest step."""
    kept = {at: band for at in starts if (band := band_of(known, at, step)) is not None}
    bands: dict[datetime, _Band] = {at: tuple(map(_amount, band)) for at, band in kept.items()}  # type: ignore[misc]
    end = found.ends_at or max(found.changed_at, found.detected_at)
    if found.kind != "dear_request" and end > found.starts_at:
        own: _Band = found.expected, found.low, found.high
        if found.measure not in QUOTIENTS:
            steps = Decimal(max((end - found.starts_at) // _MINUTE, 1)) / max(step // _MINUTE, 1)
            own = tuple(round(amount / steps, _PLACES) for amount in own)  # type: ignore[assignment]
        inside = (at for at in starts if found.starts_at - step < at and (found.ends_at is None or at < end))
        bands |= dict.fromkeys(inside, own)
    return _nearest(starts, bands)


def _nearest(starts: Sequence[datetime], bands: Mapping[datetime, _Band]) -> dict[datetime, _Band]:
    """With the last that is known where there is none, and at the beginning the first."""
    filled = dict[datetime, _Band]()
    known = next((bands[at] for at in starts if at in bands), None)
    for at in starts:
        known = bands.get(at, known)
        if known is not None:
            filled[at] = known
    return filled


def _amount(value: float) -> Decimal:
    return Decimal(repr(round(value, _PLACES))) if isfinite(value) else Decimal(0)
