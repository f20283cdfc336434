"""Cost without mandatory tags: too much of what is spent belongs to nobody."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.base.readable import clock, duration, money, percent
from stream_jobs.data_quality.finding import MAX_CAUSES, Finding, Result, command, decades, result
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.store.client import StoreClient

CHECK: Final = "unallocated"
_TOTALS: Final = """
SELECT
    sum(cost_1m.unallocated_cost), sum(cost_1m.effective_cost), sum(cost_1m.unallocated_events), sum(cost_1m.events)
FROM cost_1m
WHERE minute >= {since:DateTime('UTC')}
"""
_SOURCES: Final = """
SELECT
    entry.source, entry.team, arrayStringConcat(arraySort(groupUniqArrayArray(entry.unallocated)), ', '),
    sum(ifNull(entry.effective_cost, 0)) AS cost, sum(entry.events) AS number
FROM ledger AS entry
WHERE entry.occurred_at >= {since:DateTime('UTC')} AND notEmpty(entry.unallocated)
GROUP BY entry.source, entry.team
HAVING cost > 0
ORDER BY cost DESC, entry.source, entry.team
LIMIT {most:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of what occurred in the window; retractions and adjustments of it included."""

    unallocated_cost: Decimal
    cost: Decimal
    unallocated_events: int
    events: int


@dataclass(frozen=True, slots=True)
class UntaggedSource:
    """Who sends what lacks tags: the source, the team if that at least is known, and the tags."""

    source: str
    team: str
    missing: str
    cost: Decimal
    events: int


def look(store: StoreClient, settings: DataQualitySettings, now: datetime) -> Result:
    """Raises StoreUnavailableError."""
    since = (now - timedelta(seconds=settings.window_s)).replace(second=0, microsecond=0)
    rows = cast(list[tuple[Any, ...]], store.rows(_TOTALS, {"since": since}))
    totals = Totals(*rows[0])
    if not too_much(totals, settings):
        return Result(CHECK)
    sources = cast(list[tuple[Any, ...]], store.rows(_SOURCES, {"since": since, "most": MAX_CAUSES}))
    return result(CHECK, findings(totals, [UntaggedSource(*row) for row in sources], settings, since))


def too_much(totals: Totals, settings: DataQualitySettings) -> bool:
    lacking = totals.unallocated_cost
    return (
        lacking > 0
        and lacking >= settings.unallocated_usd
        and lacking * 100 > settings.unallocated_percent * totals.cost
    )


def findings(
    totals: Totals, sources: Iterable[UntaggedSource], settings: DataQualitySettings, since: datetime
) -> Iterable[Finding]:
    """At most one. Nothing is spent too much by it, so no money is at stake; the value is the cost without tags."""
    if not too_much(totals, settings):
        return
    share = percent(totals.unallocated_cost, totals.cost)
    window = duration(timedelta(seconds=settings.window_s))
    past = command("reattribute", "--since", f"{since:%Y-%m-%d}", "--dry-run")
    yield Finding(
        check=CHECK,
        subject=(),
        name="UnallocatedCost",
        severity="warning",
        summary=f"{share} of the cost of the last {window} lacks mandatory tags: {money(totals.unallocated_cost)}",
        facts={
            "without tags": f"{money(totals.unallocated_cost)} of {money(totals.cost)}",
            "events": f"{totals.unallocated_events:,} of {totals.events:,}",
            "allowed": f"{settings.unallocated_percent:f} %, and less than {money(settings.unallocated_usd)}",
            "looked at": f"what occurred since {clock(since)} UTC",
        },
        causes=tuple(
            f"{item.source}{f' (team {item.team})' if item.team else ''} lacks {item.missing}: {money(item.cost)}, "
            f"{item.events:,} events"
            for item in sources
        ),
        action=f"See who sends it: {command('query', '--name', 'unallocated')}. "
        "Let the services say the tags, or add a rule to attribution.yaml and see "
        f"what it would change in the past: {past}",
        level=decades(int(totals.unallocated_cost)),
        value=totals.unallocated_cost,
    )
