"""When the price of an event may change, what it is at an instant to the last digit, and which terms changed."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, NamedTuple

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import Facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import Dated
from stream_jobs.pricing.overlays import Overlay, covers
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.result import PriceLine


class Costs(NamedTuple):
    """Pico-USD, exact: no line of it is rounded."""

    listed: Fraction
    contracted: Fraction
    effective: Fraction


FREE: Final = Costs(Fraction(0), Fraction(0), Fraction(0))


class Price(NamedTuple):
    """Of one event at an instant."""

    where: str  # provider/model, as the book calls it
    costs: Costs | None  # None: it has no price
    why: str = ""  # it has none


def changes_of(book: PriceBook, facts: Facts) -> list[datetime]:
    """Instants at which the price of an event like this may change, rising."""
    if facts.kind == "tokens":
        resolved = book.resolve(facts)
        return [] if isinstance(resolved, Missing) else resolved.starts
    usage, provider, cards = facts.usage, facts.provider, book.resources
    dated: list[Dated] = []
    if facts.kind == "metered":
        dated += cards.metered_cards(provider, usage["sku"])[1]
    else:
        dated += cards.processors(provider)
        dated += cards.devices(provider, usage["accelerator"]) if "accelerator" in usage else ()
    return sorted({*book.engine.term_boundaries(), *(at for card in dated for at in card.boundaries())})


def price_of(book: PriceBook, facts: Facts) -> Price:
    """At the instant of the event. Its usage may be whole numbers, decimals or fractions."""
    found = book.receipt(facts)
    if found.reason is not None:
        return Price(found.price_model, None, found.detail or found.reason.value)
    costs = [_costs(line) for line in found.lines]
    if len(costs) > 1:
        return Price(found.price_model, Costs(*(sum(parts, Fraction(0)) for parts in zip(*costs, strict=True))))
    return Price(found.price_model, costs[0] if costs else FREE)


def _costs(line: PriceLine) -> Costs:
    """Of effective costs a receipt has whole pico-USD only, so where they differ from contracted ones the quotient of
    both is as exact as the line is large."""
    quantity: Any = line.quantity  # a Fraction too, of the mean of several events
    if isinstance(quantity, Decimal):
        quantity = Fraction(quantity)
    listed: Fraction = quantity * _pico(line.list_unit_price)
    same = line.unit_price == line.list_unit_price
    contracted: Fraction = listed if same else quantity * _pico(line.unit_price)
    if line.effective_cost == line.contracted_cost or not line.contracted_cost:
        return Costs(listed, contracted, contracted)
    return Costs(listed, contracted, contracted * Fraction(line.effective_cost) / Fraction(line.contracted_cost))


@lru_cache(maxsize=4096)
def _pico(usd: Decimal) -> Fraction:
    return Fraction(usd) * PICO_PER_USD


def terms_of(book: PriceBook, facts: Facts, before: Price, after: Price, at: datetime) -> Iterator[str]:
    """What changed at an instant, in words."""
    assert before.costs is not None
    assert after.costs is not None
    tags = dict(zip(ATTRIBUTION_FIELDS, facts.tags, strict=True))
    provider, _, model = after.where.lower().partition("/")
    overlays = [one for one in book.engine.overlays.overlays if at in one.boundaries()]
    names = tuple(name.lower() for name in (model, facts.model, facts.response_model) if name)
    ours = [one for one in overlays if covers(one.scope, provider, names, None, tags)]
    if before.costs.listed != after.costs.listed:
        yield f"list price of {after.where}"
    elif not ours:
        yield f"price of {after.where}"
    yield from (_worded(one, at) for one in ours)


def _worded(overlay: Overlay, at: datetime) -> str:
    return f"{overlay.name} {'ends' if overlay.valid_to == at else 'begins'}"
