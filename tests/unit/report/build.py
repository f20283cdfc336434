"""A small report for the tests of this folder."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.budget_terms.units import IN_USD
from stream_jobs.report.data import (
    ZERO,
    AlertLine,
    Breakdown,
    BudgetReport,
    BudgetStanding,
    CachePoint,
    Crossed,
    EntryKind,
    Quarantined,
    ReceiverLine,
    ReportData,
    Request,
    Series,
    Share,
    StackLevel,
    Told,
    Totals,
    Unallocated,
    Unpriced,
    Unusual,
    UnusualTime,
    Watched,
)
from stream_jobs.report.queries import DIMENSIONS, PEOPLE
from tests.unit.anomalies.build import found

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COST = Decimal("1234.500000000007")


def watched(name: str = "search") -> Watched:
    """A budget over its amount, one per user with seven users, and an alert that two receivers know."""
    crossed = (Crossed(Decimal("80.000"), START), Crossed(Decimal("100.000"), START + MINUTE))
    over = BudgetStanding((), START, START + 60 * MINUTE, Decimal(1000), COST, ZERO, 0, True, crossed, START, IN_USD)
    of_ten: dict[str, Any] = {"amount": Decimal(10), "over": False, "crossed": ()}
    users = tuple(
        replace(over, values=(f"{name}-{number}",), period_end=START, **{**of_ten, "used": Decimal(number)})
        for number in (3, 2, 1)
    )
    alert = AlertLine(
        *("budget/all//2026-03", START + MINUTE, "budget", "error", f"{name} is over budget", name, Decimal("234.5")),
        *(
            "acknowledged",
            name,
            None,
            "",
            (Told(name, START + MINUTE + MINUTE / 100), Told("pager", START + 3 * MINUTE)),
        ),
    )
    resolved = replace(alert, severity="warning", status="resolved", acknowledged_by="", resolved_at=START, told=())
    return Watched(
        until=START + 3 * MINUTE,
        budgets=(
            BudgetReport("all", name, name, "", 0, (), None, (over,), 1, 1, 1),
            BudgetReport("user-day", name, "", "all", 1, ("user_id",), 1440 * MINUTE, users, 7, 0, 0),
        ),
        defined=2,
        alerts=(alert, resolved),
        all_alerts=45,
        receivers=(ReceiverLine(name, 3, 0, "", START), ReceiverLine("pager", 0, 2, f"503 {name}", None)),
    )


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
        stack=(StackLevel("inference", name, COST, 3),),
        series={"model": series, "team": series},
        cache=(CachePoint(100, 40, 3, 0), CachePoint(0, 0, 0, 0), CachePoint(100, 50, 1, 1)),
        unusual=Unusual((UnusualTime(found(name), f"{name} cost too much", (f"because of {name}",), 2),), 3, 1),
        requests=(request,),
        jobs=(request,),
        unpriced=(Unpriced(name, name, 1, name, name),),
        unallocated=(Unallocated(name, name, 1, COST),),
        quarantined=(Quarantined(name, name, 1, START),),
        watched=watched(name),
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
        stack=(),
        series={"model": Series((), False, ()), "team": Series((), False, ())},
        unusual=Unusual(judged="never"),
        requests=(),
        jobs=(),
        unpriced=(),
        unallocated=(),
        quarantined=(),
        watched=Watched(START),
        entry_kinds=(),
    )
