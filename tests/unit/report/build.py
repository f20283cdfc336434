"""A small report for the tests of this folder."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from stream_jobs.report.data import (
    ZERO,
    Breakdown,
    CachePoint,
    EntryKind,
    Quarantined,
    ReportData,
    Request,
    Series,
    Share,
    Totals,
    Unallocated,
    Unpriced,
)
from stream_jobs.report.queries import DIMENSIONS, PEOPLE

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COST = Decimal("1234.500000000007")


def report(name: str = "search") -> ReportData:
    """Three minutes in which everything is called `name`."""
    share = Share(name, COST, COST, COST, 3, 1)
    breakdowns = {d: Breakdown(d, (share,), None, 0, replace(share, name="")) for d in (*DIMENSIONS, *PEOPLE)}
    series = Series((name,), False, ((COST, ZERO, ZERO),))
    request = Request(name, START, name, name, name, name, name, name, 10, 20, ZERO, COST)
    return ReportData(
        start=START,
        end=START + 3 * MINUTE,
        generated_at=START,
        bucket=MINUTE,
        buckets=tuple(START + MINUTE * number for number in range(3)),
        totals=Totals(
            entries=3, events=3, list_cost=COST, contracted_cost=COST, effective_cost=COST, unpriced_events=1
        ),
        breakdowns=breakdowns,
        series={"model": series, "team": series},
        cache=(CachePoint(100, 40, 3, 0), CachePoint(0, 0, 0, 0), CachePoint(100, 50, 1, 1)),
        unusual=(),
        requests=(request,),
        jobs=(request,),
        unpriced=(Unpriced(name, name, 1, name, name),),
        unallocated=(Unallocated(name, name, 1, COST),),
        quarantined=(Quarantined(name, name, 1, START),),
        entry_kinds=(EntryKind("charge", 3, COST),),
        price_book_versions=("abc123", "older"),
        attribution_versions=("def456",),
    )


def empty() -> ReportData:
    """The report of a store without entries."""
    none = Share("", ZERO, ZERO, ZERO, 0, 0)
    return replace(
        report(),
        totals=Totals(),
        breakdowns={d: Breakdown(d, (), None, 0, none) for d in (*DIMENSIONS, *PEOPLE)},
        series={"model": Series((), False, ()), "team": Series((), False, ())},
        requests=(),
        jobs=(),
        unpriced=(),
        unallocated=(),
        quarantined=(),
        entry_kinds=(),
    )
