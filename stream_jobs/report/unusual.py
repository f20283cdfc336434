"""Finds stretches of a report's period that cost far more than the same hours of earlier weeks, and what drove them.

This is a reading aid for one page, not the anomaly detection. A bucket is compared with those of the same weekday and
hour in the eight weeks before it, or, where there are fewer than three such weeks, with those of the same hour on the
days of its kind (workdays, weekends) in the four weeks before it. With fewer than four such days nothing is said: there
is no usual yet. What has no model is left out, because a GPU job is booked at one instant for hours of work.

Usual is the median. Unusual is what costs more than three times that, lies more than six spreads above it (a spread is
1.4826 times the median absolute deviation, the standard deviation of a normal distribution), and costs more than a
tenth of an average bucket beyond it: three times nearly nothing is nearly nothing.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from stream_jobs.base.instants import EPOCH
from stream_jobs.report.data import ZERO, Driver, UnusualSpan

FACTOR: Final = 3
SPREADS: Final = 6
MATERIAL: Final = Decimal("0.1")
MIN_WEEKS: Final = 3
MIN_DAYS: Final = 4
WEEKS: Final = 8
DAYS: Final = 28
MAX_SPANS: Final = 3
DRIVER_DIMENSIONS: Final = ("team", "feature", "model")
_SPREAD: Final = Decimal("1.4826")
_PICO: Final = Decimal("1e-12")
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_SATURDAY: Final = 5
CostsInSpan = Callable[[str, datetime, datetime], Sequence[tuple[Any, ...]]]
"""(dimension, start, end) -> rows of (name, cost of model calls inside of the span, and in the whole period)."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What a bucket of its time costs."""

    median: Decimal
    spread: Decimal


def unusual_spans(
    costs: Mapping[datetime, Decimal],
    first: datetime,
    buckets: Sequence[datetime],
    bucket: timedelta,
    costs_in_span: CostsInSpan,
) -> tuple[tuple[UnusualSpan, ...], int]:
    """The most expensive unusual spans in the order of time, and how many of the buckets have too little history.

    `costs` are those of model calls by bucket, of the period and of the time before it; what is not in it cost nothing.
    `first` is when the ledger begins: before that nothing is known.
    """
    slot = max(bucket, _HOUR)
    known = {at: usual_at(at, costs, first, bucket) for at in {EPOCH + (at - EPOCH) // slot * slot for at in buckets}}
    usual = [known[EPOCH + (at - EPOCH) // slot * slot] for at in buckets]
    unknown = usual.count(None)
    if unknown == len(buckets):
        return (), unknown
    here = [costs.get(at, ZERO) for at in buckets]
    material = MATERIAL * sum(costs.values(), ZERO) / max(1, len(costs))
    flags = [one is not None and _is_unusual(cost, one, material) for cost, one in zip(here, usual, strict=True)]
    spans = [(sum(here[begin : end + 1], ZERO), begin, end) for begin, end in _runs(flags)]
    largest = sorted(spans, reverse=True)[:MAX_SPANS]
    found = []
    for cost, begin, end in sorted(largest, key=lambda span: span[1]):
        count = end - begin + 1
        start, stop = buckets[begin], buckets[end] + bucket
        drivers = []
        for dimension in DRIVER_DIMENSIONS:
            driver = _driver(dimension, costs_in_span(dimension, start, stop), count, len(buckets))
            if driver is not None:
                drivers.append(driver)
        expected = sum((one.median for one in usual[begin : end + 1] if one is not None), ZERO)
        found.append(UnusualSpan(start, stop, cost, expected.quantize(_PICO), tuple(drivers)))
    return tuple(found), unknown


def usual_at(at: datetime, costs: Mapping[datetime, Decimal], first: datetime, bucket: timedelta) -> Usual | None:
    """Of a bucket of the hour, or of the longer bucket, that begins then; None where there is too little history."""
    weeks = [at - _WEEK * number for number in range(1, WEEKS + 1)]
    samples = list(_samples(weeks, costs, first, bucket))
    if len(samples) < MIN_WEEKS:
        if bucket > _DAY:
            return None
        days = [at - _DAY * number for number in range(1, DAYS + 1)]
        samples = list(_samples([day for day in days if _is_workday(day) == _is_workday(at)], costs, first, bucket))
        if len(samples) < MIN_DAYS:
            return None
    flat = [cost for sample in samples for cost in sample]
    median = statistics.median(flat)
    return Usual(median, _SPREAD * statistics.median(abs(cost - median) for cost in flat))


def _samples(
    instants: Sequence[datetime], costs: Mapping[datetime, Decimal], first: datetime, bucket: timedelta
) -> Iterator[list[Decimal]]:
    """The buckets of the hour that holds each instant, or of the longer bucket; not those from before the ledger."""
    for instant in instants:
        start = EPOCH + (instant - EPOCH) // max(bucket, _HOUR) * max(bucket, _HOUR)
        if start >= first:
            yield [costs.get(start + bucket * number, ZERO) for number in range(max(1, _HOUR // bucket))]


def _is_workday(at: datetime) -> bool:
    return at.weekday() < _SATURDAY


def _is_unusual(cost: Decimal, usual: Usual, material: Decimal) -> bool:
    return cost > FACTOR * usual.median and cost - usual.median > max(SPREADS * usual.spread, material)


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """First and last index of each run of true flags."""
    runs: list[tuple[int, int]] = []
    for index, flag in enumerate(flags):
        if flag and runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        elif flag:
            runs.append((index, index))
    return runs


def _driver(dimension: str, rows: Sequence[tuple[Any, ...]], inside: int, buckets: int) -> Driver | None:
    """The value whose cost inside of the span lies furthest above its pace in the rest of the period."""
    best: Driver | None = None
    for name, cost, period in rows:
        usual = (period - cost) * inside / (buckets - inside) if buckets > inside else ZERO
        excess = cost - usual
        if excess > 0 and (best is None or excess > best.excess):
            best = Driver(dimension, name, excess.quantize(_PICO))
    return best
