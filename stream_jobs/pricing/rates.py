"""Prices as people write them: a Decimal, or one with context-length cliffs; and what stands where there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from spendstream_schemas import UnpricedReason
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.pricing.units import PER


@dataclass(frozen=True, slots=True)
class Tiered:
    """A price that depends on the input tokens of the whole request: above `start`, everything costs `price`.

    A `price` of None says that so long a request is not sold.
    """

    base: Decimal
    tiers: tuple[tuple[int, Decimal | None], ...]  # (start, price), ascending

    def at(self, input_tokens: int) -> Decimal | None:
        price: Decimal | None = self.base
        for start, tier_price in self.tiers:
            if input_tokens > start:
                price = tier_price
        return price

    def times(self, factor: Decimal) -> "Tiered":
        tiers = tuple((start, None if price is None else price * factor) for start, price in self.tiers)
        return Tiered(self.base * factor, tiers)


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no price, and why: what depends on it is unpriced, never priced by a neighbour."""

    reason: UnpricedReason
    detail: str


Price = Decimal | Tiered
PriceTable = Mapping[str, Price | Missing]
"""Price key -> USD per `PER` units. A key that is absent was never priced at all."""


def times(price: Price, factor: Decimal) -> Price:
    return price.times(factor) if isinstance(price, Tiered) else price * factor


def pico_per_unit(price_key: str, usd: Decimal) -> Fraction:
    """Exact pico-USD per unit of the meter that `price_key` prices."""
    return Fraction(usd) * PICO_PER_USD / PER[price_key]


def thresholds(table: PriceTable) -> tuple[int, ...]:
    """All context-length cliffs of a table, ascending."""
    return tuple(sorted({start for p in table.values() if isinstance(p, Tiered) for start, _ in p.tiers}))
