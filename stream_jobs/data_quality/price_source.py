"""Models in use about whose standard price our price book and genai-prices disagree, without somebody having looked at
it lately.

Both know a model when each has a price of the same kind (input, output, cache read, ...) for it now, genai-prices by
its own way to match names and dates. Our book starts from the same data, so they differ only where a correction or an
alias says something else. Each of those names its `source` and the day it was `checked`: while that day is recent, it
is a decision, not a disagreement. What contradicts for longer, or without an entry that explains it, is told.
Prices under conditions (batch, region, ...) are not compared, nor is what only one of the two has a price for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from genai_prices.data_snapshot import get_snapshot

from stream_jobs.data_quality.finding import Finding, Result, command, percent, result
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.pricing import schedule
from stream_jobs.pricing.base import convert
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.corrections import Entry, Sourced
from stream_jobs.pricing.rates import Missing, Price, Tiered
from stream_jobs.store.client import StoreClient

CHECK: Final = "price_source"
_IN_USE: Final = """
SELECT entry.provider, entry.model, entry.response_model, sum(entry.events) AS number
FROM ledger AS entry
WHERE entry.occurred_at >= {since:DateTime('UTC')} AND entry.kind = 'tokens'
GROUP BY entry.provider, entry.model, entry.response_model
HAVING number > 0
ORDER BY number DESC, entry.provider, entry.model, entry.response_model
LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Used:
    """A model as events name it. Empty: not given."""

    provider: str
    model: str
    response_model: str
    events: int = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """Two prices in USD for the same: ours and that of genai-prices. `above` tokens of input, where that matters."""

    price_key: str
    ours: Decimal
    theirs: Decimal
    above: int = 0

    @property
    def percent(self) -> Decimal:
        """By how much ours is higher; 100 where theirs is nothing."""
        return percent(self.ours - self.theirs, self.theirs)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What differs for a model of the book, and what explains it."""

    provider: str
    model: str
    differences: tuple[Difference, ...]
    explained_by: tuple[Sourced, ...]  # corrections and aliases that make the difference
    events: int

    @property
    def checked(self) -> date | None:
        """The day of the oldest explanation: an answer is as old as its oldest part."""
        return min((entry.checked for entry in self.explained_by), default=None)


def look(store: StoreClient, book: PriceBook, settings: DataQualitySettings, now: datetime) -> Result:
    """Raises StoreUnavailableError."""
    rows = store.rows(_IN_USE, {"since": now - timedelta(seconds=settings.window_s)})
    used = [Used(str(p), str(m), str(r), int(n)) for p, m, r, n in cast(list[tuple[Any, ...]], rows)]
    return result(CHECK, findings(disagreements(book, used, now), settings, now))


def disagreements(book: PriceBook, used: Iterable[Used], now: datetime) -> list[Disagreement]:
    """Of models in use, by the name that the book has for them."""
    found: dict[tuple[str, str], Disagreement] = {}
    for item in used:
        provider = book.catalog.provider(item.provider)
        if provider is None:
            continue
        identity = book.catalog.identify(provider, item.model or None, item.response_model or None, now)
        if isinstance(identity, Missing) or identity.fine_tuned:
            continue
        key = (identity.provider, identity.model)
        known = found.get(key)
        answer = _compare(book, identity, now)
        if answer is not None:
            events = item.events + (known.events if known else 0)
            found[key] = Disagreement(*key, *answer, events)
    return list(found.values())


def _compare(
    book: PriceBook, identity: Identity, now: datetime
) -> tuple[tuple[Difference, ...], tuple[Sourced, ...]] | None:
    """What differs and why. None if the two agree, or if one of them does not know the model."""
    table = schedule.table_at(identity, {}, now)
    snapshot = get_snapshot()
    source = next((provider for provider in snapshot.providers if provider.id == identity.provider), None)
    theirs = source.find_model(identity.own, all_providers=snapshot.providers) if source is not None else None
    if isinstance(table, Missing) or theirs is None:
        return None
    differences: list[Difference] = []
    for key, price in convert(identity.provider, theirs).standard_at(now).items():
        ours = table.get(key)
        if ours is not None and not isinstance(ours, Missing):
            differences += _differences(key, ours, price)
    if not differences:
        return None
    keys = {difference.price_key for difference in differences}
    speaking = [entry for entry in identity.entries if not entry.conditions and entry.speaks_at(now)]
    explained: list[Sourced] = [entry for entry in speaking if _moves(entry, keys)]
    explained += [alias for alias in book.catalog.aliases(identity.provider, identity.own) if alias.holds(now)]
    return tuple(differences), tuple(explained)


def _moves(entry: Entry, keys: set[str]) -> bool:
    return entry.replace or any(
        key in entry.table or (entry.multiplier is not None and entry.multiplies(key)) for key in keys
    )


def _differences(key: str, ours: Price, theirs: Price) -> Iterator[Difference]:
    """At every size of the input from which one of them changes."""
    steps = {0} | {start for price in (ours, theirs) if isinstance(price, Tiered) for start, _ in price.tiers}
    for start in sorted(steps):
        mine, other = _at(ours, start + 1), _at(theirs, start + 1)
        if mine is not None and other is not None and mine != other:
            yield Difference(key, mine, other, start)


def _at(price: Price, input_tokens: int) -> Decimal | None:
    return price.at(input_tokens) if isinstance(price, Tiered) else price


def findings(found: Iterable[Disagreement], settings: DataQualitySettings, now: datetime) -> Iterable[Finding]:
    """One for each model whose difference nobody has explained, or not looked at for too long."""
    limit = now.astimezone(UTC).date() - timedelta(days=settings.price_checked_days)
    for item in found:
        checked = item.checked
        if checked is not None and checked >= limit:
            continue
        worst = max(item.differences, key=lambda difference: abs(difference.percent))
        name = f"{item.provider}/{item.model}"
        old = f"checked on {checked}" if checked else "no correction says why"
        yield Finding(
            check=CHECK,
            subject=(item.provider, item.model),
            name="PriceSourceDisagreement",
            severity="warning",
            summary=f"{name}: our {worst.price_key} is {worst.percent:+f} % off genai-prices ({old})",
            facts={
                **{
                    _name(one): f"ours {one.ours:f}, theirs {one.theirs:f} USD ({one.percent:+f} %)"
                    for one in item.differences[:10]
                },
                "in use": f"{item.events:,} events in the last window",
                "allowed": f"corrections checked in the last {settings.price_checked_days} days",
            },
            causes=tuple(
                f"{type(entry).__name__.lower()} of {entry.source}, checked {entry.checked}"
                f"{f': {entry.reason}' if entry.reason else ''}"
                for entry in sorted(item.explained_by, key=lambda entry: entry.checked)
            )
            or ("genai-prices matches the name to a model that our book does not take it for",),
            action=f"See our prices: {command('prices', 'show', '--provider', item.provider, '--', item.model)}. "
            "Compare them with the provider's page. If ours is right, set its `checked` to today (in corrections/ of "
            "the config folder, or stream_jobs/pricing/data/corrections); if not, end it with valid_to",
            labels={"provider": item.provider, "model": item.model},
            value=worst.percent,
        )


def _name(difference: Difference) -> str:
    return difference.price_key + (f" above {difference.above}" if difference.above else "")
