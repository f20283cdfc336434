"""Pricing what rate cards price: compute seconds and metered SKUs.

List is the on-demand price. Spot is a market price: contracted and effective. Reserved and committed capacity is
contracted at the on-demand terms and effective at the committed price, as FOCUS spreads commitments.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeVar

from spendstream_schemas import UnpricedReason
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import Facts
from stream_jobs.pricing.compiled import Terms, cost_of, make_rate
from stream_jobs.pricing.overlays import Overlays
from stream_jobs.pricing.providers import STANDARD, Providers
from stream_jobs.pricing.rate_cards import (
    Accelerator,
    Card,
    Hourly,
    RateCardFile,
    RateCards,
    SkuPrice,
    accelerator_key,
    closest,
)
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.result import PriceLine
from stream_jobs.pricing.tokens import UnpricedError

_SECONDS: Final = 3600
_MILLION: Final = Decimal(10**6)
_MILLION_HOURS: Final = _SECONDS * _MILLION
C = TypeVar("C", bound=Card)
H = TypeVar("H", bound=Hourly)


class Resources:
    """Prices compute and metered usage from rate cards and overlays."""

    def __init__(self, cards: RateCards, overlays: Overlays, providers: Providers) -> None:
        self._cards = cards
        self._overlays = overlays
        self._providers = providers

    def alone(self) -> "Resources":
        """The same cards without what is agreed above them."""
        return Resources(self._cards, Overlays(), self._providers)

    def sold(self) -> Iterator[tuple[str, str, dict[str, Any], Sequence[Card]]]:
        """Provider, name, the usage of a million hours (or units) of it, and its cards; each once."""
        seen: set[tuple[str, ...]] = set()
        for file in self._cards.files:
            provider = file.provider.lower()
            for accelerator in file.accelerators:
                name = accelerator.names[0]
                if (one := (provider, "gpu", accelerator_key(name))) not in seen:
                    seen.add(one)
                    cards = self._cards.accelerators(provider, name)
                    included = any(card.cpu_included for card in cards)
                    cpu = {"cpu_seconds": _MILLION_HOURS} if included else {}
                    yield provider, name, {"gpu_seconds": _MILLION_HOURS, "accelerator": name, **cpu}, cards
            if (provider, "cpu") not in seen and file.cpus:
                seen.add((provider, "cpu"))
                yield provider, "cpu", {"cpu_seconds": _MILLION_HOURS}, self._cards.cpus(provider)
            for sku in file.skus:
                if (one := (provider, sku.sku.lower(), sku.unit.lower())) not in seen:
                    seen.add(one)
                    usage = {"sku": sku.sku, "unit": sku.unit, "quantity": _MILLION}
                    yield provider, sku.sku, usage, self._cards.skus(provider, sku.sku)

    def sells(self, provider: str) -> bool:
        """True if there is a rate card of that provider id."""
        return any(file.provider.lower() == provider for file in self._cards.files)

    def accelerators(self, provider: str) -> set[str]:
        """The names of all accelerators of a provider, by any of its names."""
        files = self._files(provider)
        return {name for file in files for accelerator in file.accelerators for name in accelerator.names}

    def skus(self, provider: str) -> set[str]:
        """All SKUs of a provider, by any of its names."""
        return {sku.sku for file in self._files(provider) for sku in file.skus}

    def _files(self, provider: str) -> list[RateCardFile]:
        return [file for file in self._cards.files if file.provider.lower() == self._cards.provider(provider)]

    def devices(self, provider: str, name: str) -> Sequence[Accelerator]:
        """The provider's cards of an accelerator, or where it has none those of everybody."""
        own = self._cards.accelerators(self._cards.provider(provider), name)
        return own or [card for seller in self._sellers() for card in self._cards.accelerators(seller, name)]

    def processors(self, provider: str) -> Sequence[Hourly]:
        """The provider's prices of a vCPU, or where it has none those of everybody."""
        own = self._cards.cpus(self._cards.provider(provider))
        return own or [card for seller in self._sellers() for card in self._cards.cpus(seller)]

    def metered_cards(self, provider: str, sku: str) -> tuple[str, Sequence[SkuPrice]]:
        """What a SKU of a provider is called on receipts, and its prices."""
        seller = self._cards.provider(provider)
        return f"{seller}/{sku.lower()}", self._cards.skus(seller, sku)

    def _sellers(self) -> list[str]:
        return sorted({file.provider.lower() for file in self._cards.files})

    def look_up(
        self, name: str, at: datetime, provider: str | None
    ) -> Iterator[tuple[str, list[tuple[str, str, str, str, str]]]]:
        """On-demand prices of an accelerator: (provider/name, rows of conditions, price key, USD, per, SKU)."""
        wanted = None if provider is None else self._cards.provider(provider)
        for seller in sorted({file.provider.lower() for file in self._cards.files}):
            cards = [card for card in self._cards.accelerators(seller, name) if card.holds(at)]
            if cards and wanted in (None, seller):
                yield f"{seller}/{cards[0].names[0]}", [_row(seller, card) for card in cards]

    def compute(self, facts: Facts) -> tuple[str, list[PriceLine], int]:
        """(what was priced, receipt lines, what the same hours cost on demand by our terms, in pico-USD).

        Raises UnpricedError.
        """
        provider = self._cards.provider(facts.provider)
        self._only_standard(facts, provider)
        lines: list[PriceLine] = []
        on_demand = 0
        card: Accelerator | None = None
        where = f"{provider}/cpu"
        usage = facts.usage
        gpu_seconds, cpu_seconds = usage.get("gpu_seconds"), usage.get("cpu_seconds")
        if gpu_seconds is not None:
            where = f"{provider}/{usage['accelerator']}"
            cards = self._cards.accelerators(provider, usage["accelerator"])
            if not cards:
                raise _unpriced(
                    UnpricedReason.UNKNOWN_ACCELERATOR,
                    f"no rate card has {where}: declare it in rate_cards/ under accelerators, with its price per hour, "
                    "or report one of the names of a card",
                )
            card = _fitting(cards, facts, where)
            if gpu_seconds:
                line, same = self._hours(facts, card, "gpu", f"{provider}/{card.names[0]}", gpu_seconds)
                lines.append(line)
                on_demand += same
        if cpu_seconds:
            line, same = self._cpu(facts, provider, card)
            lines.append(line)
            on_demand += same
        return where, lines, on_demand

    def _cpu(self, facts: Facts, provider: str, accelerator: Accelerator | None) -> tuple[PriceLine, int]:
        seconds = facts.usage["cpu_seconds"]
        if accelerator is not None and accelerator.cpu_included:
            free = Fraction(0)
            rate = make_rate(f"{provider}/vcpu_hour;included", Terms(free, free, free))
            return rate.line("cpu_seconds", seconds), 0
        cards = self._cards.cpus(provider)
        if not cards:
            raise _unpriced(UnpricedReason.NO_PRICE_FOR_METER, f"no rate card has a vCPU price of {provider}")
        card = _fitting(cards, facts, f"{provider}/cpu")
        return self._hours(facts, card, "vcpu", provider, seconds)

    def _hours(self, facts: Facts, card: Hourly, what: str, name: str, seconds: Decimal) -> tuple[PriceLine, int]:
        option = facts.usage["purchase_option"]
        listed = Fraction(card.usd_per_hour)
        purchased = listed
        if option != "on_demand":
            if option not in card.purchase_options:
                raise _unpriced(UnpricedReason.NO_PRICE_FOR_CONDITION, f"{name} has no {option} price")
            purchased = card.purchase_options[option].price(listed)
        place = f"@{facts.region.lower()}" if card.regions is not None and facts.region else ""
        sku = f"{name.lower()}{place}/{what}_hour"
        terms = self._terms(facts, name, sku, f"{what}_hour", _pico(listed) / _SECONDS)
        on_demand = cost_of(terms.contracted, seconds)
        if option != "on_demand":
            sku = f"{sku};purchase={option}"
            paid = _pico(purchased) / _SECONDS
            terms = Terms(terms.listed, paid if option == "spot" else terms.contracted, paid)
        return make_rate(sku, terms).line("gpu_seconds" if what == "gpu" else "cpu_seconds", seconds), on_demand

    def metered(self, facts: Facts) -> tuple[str, list[PriceLine]]:
        """(what was priced, receipt lines). Raises UnpricedError."""
        provider = self._cards.provider(facts.provider)
        self._only_standard(facts, provider)
        named, unit, quantity = (facts.usage[name] for name in ("sku", "unit", "quantity"))
        where = f"{provider}/{named.lower()}"
        cards = self._cards.skus(provider, named)
        if not cards:
            raise _unpriced(UnpricedReason.UNKNOWN_SKU, f"no rate card has {where}")
        if not (fitting := [card for card in cards if card.unit.lower() == unit.lower()]):
            units = ", ".join(sorted({card.unit for card in cards}))
            raise _unpriced(UnpricedReason.UNIT_MISMATCH, f"{where} is priced per {units}, not per {unit}")
        region = (facts.region or "").lower()
        fitting = [card for card in fitting if card.regions is None or region in map(str.lower, card.regions)]
        if not fitting:
            raise _unpriced(UnpricedReason.NO_PRICE_FOR_CONDITION, f"{where} has no price in {facts.region}")
        holding = _holding(fitting, facts.occurred_at, where)
        card = max(reversed(holding), key=lambda card: card.regions is not None)
        sku = f"{where}@{region}" if card.regions is not None else where
        rate = make_rate(sku, self._terms(facts, where, sku, "unit", _pico(Fraction(card.usd_per_unit))))
        return where, [rate.line("quantity", quantity)] if quantity else []

    def _terms(self, facts: Facts, name: str, sku: str, price_key: str, listed: Fraction) -> Terms:
        """What a SKU costs us; `name` is "provider/model", `listed` is pico-USD per unit of the meter."""
        provider, _, model = name.lower().partition("/")
        return self._overlays.terms(
            provider=provider,
            models=(model,),
            sku=sku,
            price_key=price_key,
            scope=self._overlays.scope_of(facts),
            at=facts.occurred_at,
            listed=listed,
        )

    def _only_standard(self, facts: Facts, provider: str) -> None:
        """Rate cards know no tiers, conditions or tools: what they don't know is not ignored."""
        if self._providers.tier(provider, facts.service_tier) != STANDARD:
            raise _unpriced(UnpricedReason.NO_PRICE_FOR_TIER, f"rate cards have no service tier {facts.service_tier!r}")
        for name, value in facts.conditions:
            if value is not False and not self._providers.is_neutral(provider, name, str(value).lower()):
                raise _unpriced(UnpricedReason.NO_PRICE_FOR_CONDITION, f"rate cards have no {name} = {value!r}")
        for kind, calls in facts.tool_calls.items():
            if calls:
                raise _unpriced(UnpricedReason.NO_PRICE_FOR_TOOL, f"rate cards have no {kind} calls")


def _row(seller: str, card: Accelerator) -> tuple[str, str, str, str, str]:
    places = ", ".join([*(card.regions or card.home or ()), *(card.instance_types or card.sizes or ())])
    sku = f"{seller}/{card.names[0].lower()}/gpu_hour"
    return places or "any region", "gpu_hour", f"{card.usd_per_hour:f}", "GPU hour", sku


def _fitting(cards: Sequence[H], facts: Facts, where: str) -> H:
    instance_type = facts.usage.get("instance_type")
    placed = [card for card in cards if card.fit(facts.region, instance_type) is not None]
    if not placed:
        raise _unpriced(
            UnpricedReason.NO_PRICE_FOR_CONDITION,
            f"no rate for {where} in region {facts.region!r}, instance type {instance_type!r}: "
            "declare it in rate_cards/",
        )
    card = closest(_holding(placed, facts.occurred_at, where), facts.region, instance_type)
    assert card is not None
    return card


def _holding(cards: Iterable[C], at: datetime, where: str) -> list[C]:
    holding = [card for card in cards if card.holds(at)]
    if not holding:
        raise _unpriced(UnpricedReason.NO_PRICE_AT_TIME, f"no rate for {where} held at {at:%Y-%m-%d}")
    return holding


def _unpriced(reason: UnpricedReason, detail: str) -> UnpricedError:
    return UnpricedError(Missing(reason, detail))


def _pico(usd: Fraction) -> Fraction:
    return usd * PICO_PER_USD
