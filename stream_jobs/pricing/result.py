"""What pricing one event gives: a receipt, or a reason why there is none.

Named tuples, not dataclasses: one event makes three of them, and a frozen dataclass takes four times as long to make.
"""

from decimal import Decimal
from typing import Final, NamedTuple

from spendstream_schemas import UnpricedReason
from stream_jobs.pricing.hold import Hold

STATED: Final = "stated"
"""`price_model` and SKU of what the provider's own statement prices, because the book could not."""


class PriceLine(NamedTuple):
    """One SKU on the receipt. Costs are pico-USD, rounded half to even once per line."""

    sku: str  # stable id of the priced meter under its conditions
    meter: str  # a name from METERS, "tool.<kind>", or "requests"
    quantity: int | Decimal
    list_unit_price: Decimal  # USD per unit of the meter
    unit_price: Decimal  # contracted USD per unit of the meter
    list_cost: int
    contracted_cost: int
    effective_cost: int


class Pricing(NamedTuple):
    """The receipt of one event. Without a price (`reason` is set) there are no costs at all, not zero ones."""

    price_book_version: str
    price_model: str = ""  # the book's id of what was priced; empty when nothing matched; STATED
    reason: UnpricedReason | None = None
    detail: str = ""  # for people: what exactly has no price; with STATED also the reason
    lines: tuple[PriceLine, ...] = ()
    list_cost: int | None = None  # pico-USD
    contracted_cost: int | None = None
    effective_cost: int | None = None
    avoided_cost: int = 0  # pico-USD the service's own cache saved (contracted)
    # What the cost is compared with, in pico-USD; None: nothing of the kind. See comparisons.py.
    on_demand_cost: int | None = None
    idle_cost: int | None = None
    cache_saving: int | None = None
    cache_premium: int | None = None
    hold: Hold | None = None  # without a price: what the event may cost; None: no model of the book could say

    @property
    def priced(self) -> bool:
        return self.reason is None
