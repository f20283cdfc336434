"""What a model costs at an instant in every tier and condition that has a price: `spendstream prices show`."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import product
from typing import Any

from spendstream_schemas import UnpricedReason
from stream_jobs.base.readable import exact
from stream_jobs.pricing import schedule
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.providers import Providers
from stream_jobs.pricing.rates import Missing, Tiered
from stream_jobs.pricing.units import PER


@dataclass(frozen=True, slots=True)
class Row:
    """One price of the list."""

    conditions: str  # "standard", "service_tier=batch", ...; "input>200000" for a context cliff
    price_key: str
    usd: str
    per: str
    sku: str


@dataclass(slots=True)
class Found:
    """What one provider charges for the id."""

    name: str  # provider/model of the book
    rows: list[Row] = field(default_factory=list)
    unpriced: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        return {"model": self.name, "prices": [asdict(row) for row in self.rows], "unpriced": self.unpriced}


def look_up(book: PriceBook, model: str, at: datetime, provider: str | None = None) -> list[Found]:
    """List prices of every provider that knows the id (or of one), overlays not included."""
    named = [book.catalog.provider(provider)] if provider is not None else book.catalog.providers()
    found: list[Found] = []
    for seller in named:
        if seller is None:
            continue
        identity = book.catalog.identify(seller, model, None, at)
        if isinstance(identity, Identity):
            found.append(_prices(identity, book.providers, at))
        elif identity.reason is not UnpricedReason.UNKNOWN_MODEL:
            found.append(Found(f"{seller}/{model}", unpriced=[f"{identity.reason.value}: {identity.detail}"]))
    for name, rows in book.engine.self_hosted.look_up(model, at, provider):
        found.append(Found(name, [Row(*row) for row in rows]))
    for name, rows in book.resources.look_up(model, at, provider):
        found.append(Found(name, [Row(*row) for row in rows]))
    return found


def _prices(identity: Identity, providers: Providers, at: datetime) -> Found:
    found = Found(f"{identity.provider}/{identity.model}")
    seen: set[frozenset[tuple[str, str]]] = set()
    for conditions in _combinations(identity, providers):
        if (key := frozenset(conditions.items())) in seen:
            continue
        seen.add(key)
        table = schedule.table_at(identity, conditions, at)
        label = ", ".join(f"{k}={v}" for k, v in sorted(conditions.items())) or "standard"
        if isinstance(table, Missing):
            if not conditions:
                found.unpriced.append(f"{label}: {table.reason.value}: {table.detail}")
            continue
        suffix = "".join(f";{k}={v}" for k, v in sorted(conditions.items()))
        for price_key, price in sorted(table.items()):
            if isinstance(price, Missing) or (conditions and price_key in schedule.CALL_KEYS):
                continue  # calls cost the same under every condition
            sku = f"{identity.provider}/{identity.model}/{price_key}{suffix}"
            per = f"{PER[price_key]:,}"
            base = price.base if isinstance(price, Tiered) else price
            found.rows.append(Row(label, price_key, exact(base), per, sku))
            for start, above in price.tiers if isinstance(price, Tiered) else ():
                if above is None:
                    found.unpriced.append(f"{label}, input>{start}: {price_key} is not sold")
                    continue
                found.rows.append(Row(f"{label}, input>{start}", price_key, exact(above), per, f"{sku};input>{start}"))
    return found


def _combinations(identity: Identity, providers: Providers) -> list[dict[str, str]]:
    """Standard, and every condition (in every region) that a variant or correction knows a price for."""
    start = {"fine_tuned": "true"} if identity.fine_tuned else {}
    found: list[dict[str, str]] = [start]
    if identity.base is not None and not identity.inherited:
        found += [dict(v.when) for v in identity.base.variants if v.when.keys() <= {"service_tier", "speed"}]
    for entry in identity.entries:
        if len(entry.conditions.keys() - {"region"}) <= 1 and entry.multiplier != 1:
            named = [[(k, v) for v in sorted(values) if v != "*"] for k, values in entry.conditions.items()]
            found += [dict(pairs) for pairs in product(*named) if pairs]
    return [c for c in found if "service_tier" not in c or _is_tier(identity, providers, c["service_tier"])]


def _is_tier(identity: Identity, providers: Providers, word: str) -> bool:
    """False for a mere synonym of a tier ("fast" for "priority")."""
    return providers.tier(identity.provider, word) in (word, None)
