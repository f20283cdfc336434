"""Finds the stretches of a report's period that cost far more than usual, and what drove them.

This is a reading aid for one page, not the anomaly detection: a bucket is unusual when the calls of models in it cost
more than three times the median bucket of the period. What has no model is left out, because a GPU job is booked at one
instant for hours of work.
"""

import statistics
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from stream_jobs.report.data import ZERO, Driver, UnusualSpan

FACTOR: Final = 3
MIN_BUCKETS: Final = 12
_PICO: Final = Decimal("1e-12")
MAX_SPANS: Final = 3
DRIVER_DIMENSIONS: Final = ("team", "feature", "model")
CostsInSpan = Callable[[str, datetime, datetime], Sequence[tuple[Any, ...]]]
"""(dimension, start, end) -> rows of (name, cost of model calls inside of the span, and in the whole period)."""


def unusual_spans(
    costs: Sequence[Decimal], buckets: Sequence[datetime], bucket: timedelta, costs_in_span: CostsInSpan
) -> tuple[UnusualSpan, ...]:
    """The most expensive unusual spans in the order of time; none when the period has fewer than 12 buckets."""
    if len(costs) < MIN_BUCKETS:
        return ()
    median = statistics.median(costs)
    if median <= 0:
        return ()
    spans = []
    for first, last in _runs([cost > FACTOR * median for cost in costs]):
        spans.append((sum(costs[first : last + 1], ZERO), first, last))
    largest = sorted(spans, reverse=True)[:MAX_SPANS]
    found = []
    for cost, first, last in sorted(largest, key=lambda span: span[1]):
        count = last - first + 1
        start, end = buckets[first], buckets[last] + bucket
        drivers = []
        for dimension in DRIVER_DIMENSIONS:
            driver = _driver(dimension, costs_in_span(dimension, start, end), count, len(costs))
            if driver is not None:
                drivers.append(driver)
        found.append(UnusualSpan(start, end, cost, median * count, tuple(drivers)))
    return tuple(found)


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
