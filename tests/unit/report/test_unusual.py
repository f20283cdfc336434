"""Stretches of the period that stand out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.report.unusual import unusual_spans

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _spans(*costs: int, rows: Any = ()) -> Any:
    buckets = [START + MINUTE * number for number in range(len(costs))]
    return unusual_spans([Decimal(cost) for cost in costs], buckets, MINUTE, lambda *_: rows)


def test_a_burst_is_found_with_its_bounds_and_its_driver() -> None:
    """Neighbouring buckets are one span; the driver is whoever exceeds its own pace, not whoever is largest."""
    rows = [("big", Decimal(20), Decimal(120)), ("culprit", Decimal(60), Decimal(61))]
    (span,) = _spans(10, 10, 10, 10, 10, 40, 40, 10, 10, 10, 10, 10, rows=rows)
    assert (span.start, span.end) == (START + 5 * MINUTE, START + 7 * MINUTE)
    assert (span.cost, span.usual_cost) == (80, 20)
    assert {driver.name for driver in span.drivers} == {"culprit"}
    assert span.drivers[0].excess == Decimal("59.8")


def test_steady_cost_three_times_the_median_and_short_periods_are_not_unusual() -> None:
    """The bound is exclusive, and a handful of buckets has no usual pace."""
    assert _spans(*[10] * 11, 30) == ()
    assert _spans(*[10] * 10, 99) == ()
    assert _spans(*[0] * 20, 99) == ()


def test_only_the_most_expensive_spans_are_named_in_the_order_of_time() -> None:
    """A page with thirty warnings says nothing."""
    spans = _spans(10, 41, 10, 42, 10, 43, 10, 44, 10, 10, 10, 10, 10, 10)
    assert [int(span.cost) for span in spans] == [42, 43, 44]
