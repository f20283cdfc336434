"""Which prices may hold of a model: those of its instant under any values of some conditions, or else of any time.

For bounds on what has no price; what has one is priced by the rules of `schedule`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from stream_jobs.pricing import schedule
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.corrections import Entry
from stream_jobs.pricing.rates import Missing, Price, PriceTable, Tiered
from stream_jobs.pricing.units import REQUESTS_KEY

_ONE: Final = Fraction(1)


@dataclass(frozen=True, slots=True)
class PossibleRates:
    """Per price key what may hold of it, each with a factor."""

    prices: Mapping[str, Sequence[Price]]
    factors: Sequence[tuple[Entry, ...]]  # multipliers of one kind each: one of them at most holds

    def usd(self, key: str, input_tokens: int) -> Fraction | None:
        """The dearest, for requests of that length; None if the model has no such price."""
        found = [_at(price, input_tokens) for price in self.prices.get(key, ())]
        if not found:
            return None
        dearest = max(found)
        for alike in self.factors:
            dearest *= max([_ONE, *(Fraction(e.multiplier) for e in alike if e.multiplier and e.multiplies(key))])
        return dearest

    def lengths(self) -> tuple[int, ...]:
        tiered = [price for prices in self.prices.values() for price in prices if isinstance(price, Tiered)]
        return tuple(sorted({start for price in tiered for start, _ in price.tiers}))


def _at(price: Price, input_tokens: int) -> Fraction:
    if not isinstance(price, Tiered):
        return Fraction(price)
    usd = price.at(input_tokens)
    return most(price) if usd is None else Fraction(usd)  # None: so long a request is not sold


def most(price: Price) -> Fraction:
    """Of requests of any length."""
    if isinstance(price, Tiered):
        price = max([price.base, *(tier for _, tier in price.tiers if tier is not None)])
    return Fraction(price)


def possible_rates(identity: Identity, at: datetime, named: Collection[str] | None) -> PossibleRates | None:
    """Those that may hold under conditions of these kinds (None: of any kind), at the instant if any did."""
    for instant, kinds in ((at, named), (at, None), (None, named), (None, None)):
        found = PossibleRates(*_prices(identity, instant, kinds))
        if found.prices.keys() - schedule.CALL_KEYS or REQUESTS_KEY in found.prices:
            return found
    return None


def _prices(
    identity: Identity, at: datetime | None, kinds: Collection[str] | None
) -> tuple[dict[str, list[Price]], list[tuple[Entry, ...]]]:
    tables: list[PriceTable] = []
    entries = [entry for entry in identity.entries if at is None or entry.speaks_at(at)]
    if at is not None:
        standard = schedule.table_at(identity, {}, at)
        tables += [] if isinstance(standard, Missing) else [standard]
    else:
        tables += [] if identity.base is None else [prices for _, prices in identity.base.standard]
        tables += [entry.table for entry in entries if not entry.conditions]
    if identity.base is not None and not identity.inherited:
        tables += [
            variant.prices
            for variant in identity.base.variants
            if (at is None or variant.validity.holds(at)) and _within(variant.when, kinds)
        ]
    conditional = [entry for entry in entries if entry.conditions and _within(entry.conditions, kinds)]
    tables += [entry.table for entry in conditional]
    prices: dict[str, list[Price]] = {}
    for table in tables:
        for key, price in table.items():
            if not isinstance(price, Missing):
                prices.setdefault(key, []).append(price)
    alike: dict[frozenset[str], list[Entry]] = {}
    for entry in conditional:
        if entry.multiplier is not None:
            alike.setdefault(frozenset(entry.conditions), []).append(entry)
    return prices, [tuple(some) for some in alike.values()]


def _within(conditions: Iterable[str], kinds: Collection[str] | None) -> bool:
    return kinds is None or set(conditions) <= set(kinds)
