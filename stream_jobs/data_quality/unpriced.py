"""Usage without a price: money that is being spent and that no total shows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.base.instants import as_utc
from stream_jobs.base.readable import clock, money
from stream_jobs.data_quality.finding import Finding, Result, command, decades, fit, result
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.store.client import StoreClient

CHECK: Final = "unpriced"
_GRAVE: Final = 3
"""Decades of events: from a thousand on it is an error."""
_MAX_DETAIL: Final = 300
# The rollup, because it is asked every few seconds; what was priced or taken back since is subtracted in it already.
_UNPRICED: Final = """
SELECT
    provider, model, sum(cost_1h.unpriced_events) AS number,
    minIf(hour, cost_1h.unpriced_events > 0), maxIf(hour, cost_1h.unpriced_events > 0)
FROM cost_1h
WHERE hour >= {since:DateTime('UTC')}
GROUP BY provider, model
HAVING number >= {least:Int64}
ORDER BY number DESC, provider, model
"""
_REASONS: Final = """
SELECT
    entry.provider, if(entry.model = '', entry.response_model, entry.model) AS name,
    toString(entry.unpriced_reason) AS reason, any(entry.unpriced_detail), sum(entry.unpriced) AS number
FROM ledger AS entry
WHERE
    entry.occurred_at >= {hour:DateTime('UTC')} AND entry.occurred_at < {hour:DateTime('UTC')} + INTERVAL 1 HOUR
    AND entry.unpriced > 0 AND entry.provider IN {providers:Array(String)}
GROUP BY entry.provider, name, reason
ORDER BY number DESC, reason
"""
Model = tuple[str, str]
"""Provider, and the model that was asked for (or served, where none was asked for; empty: it is no model's usage)."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Events of one model that have no price now, and the hours of the first and the last of them."""

    provider: str
    model: str
    events: int
    first_hour: datetime
    last_hour: datetime


def look(store: StoreClient, settings: DataQualitySettings, now: datetime) -> Result:
    """Raises StoreUnavailableError."""
    since = (now - timedelta(days=settings.unpriced_days)).replace(minute=0, second=0, microsecond=0)
    rows = store.rows(_UNPRICED, {"since": since, "least": settings.unpriced_events})
    found = [
        Unpriced(provider, model, int(number), as_utc(first), as_utc(last))
        for provider, model, number, first, last in cast(list[tuple[Any, ...]], rows)
    ]
    return result(CHECK, findings(found, _reasons(store, found), settings))


def _reasons(store: StoreClient, found: Iterable[Unpriced]) -> dict[Model, list[str]]:
    """Why, in the last hour of each: the ledger of one hour is read quickly, that of a month is not."""
    by_hour: dict[datetime, list[Unpriced]] = defaultdict(list)
    for item in found:
        by_hour[item.last_hour].append(item)
    reasons: dict[Model, list[str]] = defaultdict(list)
    for hour, items in by_hour.items():
        wanted = {(item.provider, item.model) for item in items}
        rows = store.rows(_REASONS, {"hour": hour, "providers": sorted({item.provider for item in items})})
        for provider, model, reason, example, number in cast(list[tuple[Any, ...]], rows):
            if (provider, model) in wanted:
                text = (
                    f"{reason}: {int(number):,} events in the hour from {hour:%H:%M} UTC: {fit(example, _MAX_DETAIL)}"
                )
                reasons[provider, model].append(text.removesuffix(": "))
    return reasons


def findings(
    found: Iterable[Unpriced], reasons: Mapping[Model, list[str]], settings: DataQualitySettings
) -> Iterable[Finding]:
    """One for each model. At stake is what its events cost if each of them cost the stated upper bound."""
    for item in found:
        at_stake = item.events * settings.unpriced_usd_per_event
        level = decades(item.events)
        of = f"{item.provider}/{item.model}" if item.model else f"{item.provider} (no model)"
        yield Finding(
            check=CHECK,
            subject=(item.provider, item.model),
            name="UnpricedUsage",
            severity="error" if level >= _GRAVE else "warning",
            summary=f"{item.events:,} events of {of} have no price: up to {money(at_stake)} in no total",
            facts={
                "events": f"{item.events:,} in the last {settings.unpriced_days} days",
                "at stake": f"{money(at_stake)}, if each cost {money(settings.unpriced_usd_per_event)}",
                "first": f"in the hour from {clock(item.first_hour)} UTC",
                "last": f"in the hour from {clock(item.last_hour)} UTC",
            },
            causes=tuple(reasons.get((item.provider, item.model), ())),
            action=_action(item),
            labels={"provider": item.provider, "model": item.model},
            level=level,
            money_usd=at_stake,
            value=Decimal(item.events),
            since=item.first_hour,
        )


def _action(item: Unpriced) -> str:
    known = command("prices", "show", "--provider", item.provider, "--", item.model) if item.model else ""
    return (
        f"See what is known: {known or command('query', '--name', 'unpriced')}. Write the price, or an alias, into "
        f"corrections/, rate_cards/ or overlays/ of the config folder and run {command('prices', 'check')}; workers "
        "take it up while they run, and these events are priced by themselves"
    )
