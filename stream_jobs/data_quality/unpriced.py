"""Usage without a price: money that is being spent and that no total shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from spendstream_schemas import UnpricedReason
from stream_jobs.base.instants import as_utc
from stream_jobs.base.readable import clock, events, money
from stream_jobs.data_quality.finding import Finding, Result, command, decades, fit, result
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.store.client import StoreClient

CHECK: Final = "unpriced"
_GRAVE: Final = 3
"""Decades of events: from a thousand on it is an error."""
_MAX_DETAIL: Final = 300
_MAX_NAMES: Final = 5
"""Of models or sources, that an alert names."""
_MAX_CAUSES: Final = 1_000
_OF_MODELS: Final = frozenset(
    {UnpricedReason.UNKNOWN_MODEL, UnpricedReason.MOVING_ALIAS, UnpricedReason.NO_PRICE_AT_TIME}
)
"""Reasons that are about one model: each needs a price of its own."""
_OF_PROVIDER: Final = UnpricedReason.UNKNOWN_PROVIDER
_OF_SOURCE: Final = UnpricedReason.USAGE_UNKNOWN
# Of the ledger only the hours in which the rollup knows of such usage: this is asked every few seconds. What was priced
# or taken back since is subtracted, as it stands under the same heading.
_UNPRICED: Final = f"""
SELECT
    provider,
    toString(entry.unpriced_reason) AS reason,
    multiIf(
        reason IN ({", ".join(f"'{one.value}'" for one in sorted(_OF_MODELS))}), name,
        reason = '{_OF_PROVIDER.value}', '', reason = '{_OF_SOURCE.value}', toString(entry.source),
        entry.unpriced_detail
    ) AS what,
    sum(entry.unpriced) AS number, sum(ifNull(entry.held_cost, 0)), sum(entry.held_flat),
    uniqExact(if(entry.model = '', entry.response_model, entry.model) AS name),
    arraySort(groupUniqArrayIf({_MAX_NAMES})(name, entry.unpriced > 0)),
    arraySort(groupUniqArrayIf({_MAX_NAMES})(toString(entry.source), entry.unpriced > 0)),
    max(entry.unpriced_detail),
    minIf(toStartOfHour(entry.occurred_at) AS hour_of_entry, entry.unpriced > 0),
    maxIf(hour_of_entry, entry.unpriced > 0)
FROM ledger AS entry
WHERE
    toStartOfHour(entry.occurred_at) IN (
        SELECT hour FROM cost_1h WHERE hour >= {{since:DateTime('UTC')}}
        GROUP BY hour HAVING sum(abs(cost_1h.unpriced_events)) != 0
    )
    AND (entry.unpriced != 0 OR entry.held_flat != 0)
GROUP BY provider, reason, what
HAVING number >= {{least:Int64}}
ORDER BY number DESC, provider, reason, what
LIMIT {_MAX_CAUSES}
"""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Events that have no price now for one cause, and the hours of the first and the last of them."""

    provider: str
    reason: str
    what: str  # has to be put right once: see _UNPRICED
    events: int
    held: Decimal  # USD, for those whose model is known
    unknown: int  # events of models that nobody knows
    models: int
    some_models: tuple[str, ...]  # '': it is no model's usage
    some_sources: tuple[str, ...]
    example: str
    first_hour: datetime
    last_hour: datetime

    @property
    def subject(self) -> tuple[str, ...]:
        """What has to be put right once: a model or a provider that the book does not know, a service that does not say
        what it used, or else what the price book says of the reason (a tier, a region, a meter), whatever models meet
        it."""
        if self.reason in _OF_MODELS:
            return self.provider, self.what
        return (self.provider,) if self.reason == _OF_PROVIDER else (self.provider, self.reason, self.what)


def look(store: StoreClient, settings: DataQualitySettings, now: datetime) -> Result:
    """Raises StoreUnavailableError."""
    since = (now - timedelta(days=settings.unpriced_days)).replace(minute=0, second=0, microsecond=0)
    rows = store.rows(_UNPRICED, {"since": since, "least": settings.unpriced_events})
    found = [
        Unpriced(
            *(provider, reason, what, int(number), held, int(unknown), int(models), tuple(some), tuple(sources)),
            *(example, as_utc(first), as_utc(last)),
        )
        for provider, reason, what, number, held, unknown, models, some, sources, example, first, last in cast(
            list[tuple[Any, ...]], rows
        )
    ]
    return result(CHECK, findings(found, settings))


def findings(found: Iterable[Unpriced], settings: DataQualitySettings) -> Iterable[Finding]:
    """One for each cause. At stake is what budgets hold for its events: what each may have cost, and for models that
    nobody knows the stated upper bound."""
    for item in found:
        at_stake = max(Decimal(0), item.held) + max(0, item.unknown) * settings.unpriced_usd_per_event
        level = decades(item.events)
        model = item.some_models[0] if item.models == 1 and item.some_models else ""
        facts = {
            "events": f"{item.events:,} in the last {settings.unpriced_days} days",
            "at stake": _at_stake(item, at_stake, settings),
            "first": f"in the hour from {clock(item.first_hour)} UTC",
            "last": f"in the hour from {clock(item.last_hour)} UTC",
            "sources": _names(item.some_sources, len(item.some_sources)),
        }
        if item.models > 1:
            facts["models"] = _names(item.some_models, item.models)
        yield Finding(
            check=CHECK,
            subject=item.subject,
            name="UnpricedUsage",
            severity="error" if level >= _GRAVE else "warning",
            summary=(
                f"{events(item.events)} of {_of(item, model)} {'has' if item.events == 1 else 'have'} no price: "
                f"up to {money(at_stake)} in no total"
            ),
            facts=facts,
            causes=(f"{item.reason}: {fit(item.example, _MAX_DETAIL)}".removesuffix(": "),),
            action=_action(item, model),
            labels={"provider": item.provider, "model": model, "reason": item.reason},
            level=level,
            money_usd=at_stake,
            value=Decimal(item.events),
            since=item.first_hour,
        )


def _at_stake(item: Unpriced, usd: Decimal, settings: DataQualitySettings) -> str:
    if item.unknown <= 0:
        return f"{money(usd)}, which is what they may have cost"
    each = f"{money(settings.unpriced_usd_per_event)} for each event of a model that the price book does not know"
    return f"{money(usd)}: {each}" + (", else what they may have cost" if item.held > 0 else "")


def _of(item: Unpriced, model: str) -> str:
    if item.models > 1:
        return f"{item.models:,} models of {item.provider}"
    return f"{item.provider}/{model}" if model else f"{item.provider} (no model)"


def _names(some: tuple[str, ...], count: int) -> str:
    shown = ", ".join(fit(name, 100) or "(none)" for name in some)
    return f"{shown} and {count - len(some):,} more" if count > len(some) else shown


def _action(item: Unpriced, model: str) -> str:
    known = command("prices", "show", "--provider", item.provider, "--", model) if model else ""
    see = f"See what is known: {known or command('query', '--name', 'unpriced')}. "
    if item.reason == UnpricedReason.USAGE_UNKNOWN:
        return (
            f"{see}Let the source report the usage of these calls (a stream's last chunk has it); a later revision "
            "of an event corrects it, and a cost that the provider states is a price, too"
        )
    return (
        f"{see}Write the price, or an alias, into corrections/, rate_cards/ or overlays/ of the config folder and run "
        f"{command('prices', 'check')}; workers take it up while they run, and these events are priced by themselves"
    )
