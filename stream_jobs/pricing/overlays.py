"""Overlays: our own terms above the list prices: contracts, percentages, multipliers, with their dates and scope."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase, translate
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import Facts
from stream_jobs.pricing.compiled import Terms
from stream_jobs.pricing.corrections import Amount, Dated, Percent, Strict
from stream_jobs.pricing.units import PER

RESOURCE_KEYS = {"gpu_hour": 3600, "vcpu_hour": 3600, "unit": 1}
"""Price keys of rate cards -> units of the meter (seconds, or the SKU's own unit) that one price is for."""
_PERCENT = Decimal(100)

AttributionField = Literal[
    "project", "environment", "cost_center", "workload_type", "team", "owner", "budget_code", "feature", "customer",
    "user_id",
]  # fmt: skip


def _pattern(text: str) -> str:
    try:
        re.compile(translate(text))
    except re.error as error:
        raise ValueError(f"{text[:80]!r} is not a pattern: {error}") from None
    return text


Pattern = Annotated[str, Field(max_length=256), AfterValidator(_pattern)]


class Scope(Strict):
    """What an overlay is for. Everything given must match; nothing given matches everything."""

    provider: str | None = None
    models: list[Pattern] | None = None  # ids or patterns ("gpt-5*")
    skus: list[Pattern] | None = None  # SKU ids or patterns
    attribution: dict[AttributionField, str] = Field(default_factory=dict)

    @property
    def specificity(self) -> int:
        given = (self.provider, self.models, self.skus)
        return sum(value is not None for value in given) + len(self.attribution)


class Overlay(Dated):
    """One agreed term. Contract prices are USD per unit of the price key; the others act on the list price."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    scope: Scope = Scope()
    contract: dict[str, Amount] | None = None
    discount_percent: Percent | None = None
    multiplier: Amount | None = None
    effective_multiplier: Amount | None = None  # effective = contracted times this: commitments spread over usage
    source: str = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        terms = [self.contract, self.discount_percent, self.multiplier]
        given = sum(term is not None for term in terms)
        if given > 1 or (given == 0 and self.effective_multiplier is None):
            raise ValueError("needs exactly one of contract, discount_percent, multiplier (or an effective_multiplier)")
        unknown = sorted(set(self.contract or ()) - PER.keys() - RESOURCE_KEYS.keys())
        if unknown:
            raise ValueError(f"unknown price keys: {', '.join(unknown)}")
        return self

    @property
    def factor(self) -> Fraction | None:
        if self.multiplier is not None:
            return Fraction(self.multiplier)
        if self.discount_percent is not None:
            return Fraction(_PERCENT - self.discount_percent) / 100
        return None


class OverlayFile(Strict):
    """One file of overlays/."""

    overlays: list[Overlay]


class Overlays:
    """All overlays. For each SKU one contract price or else one factor applies: the most specific, then the later."""

    def __init__(self, files: Iterable[OverlayFile] = ()) -> None:
        self.overlays = [overlay for file in files for overlay in file.overlays]
        self.fields = tuple(
            name for name in ATTRIBUTION_FIELDS if any(name in o.scope.attribution for o in self.overlays)
        )
        """The attribution fields that some overlay asks for."""
        self._indexes = tuple(ATTRIBUTION_FIELDS.index(name) for name in self.fields)
        self._values = {
            name: {o.scope.attribution[name] for o in self.overlays if name in o.scope.attribution}
            for name in self.fields
        }
        self.scoped = bool(self.fields)
        self.by_model = any(o.scope.models is not None for o in self.overlays)

    def scope_key(self, facts: Facts) -> tuple[str, ...]:
        """The attribution values that overlays ask for: part of the cache key of a price."""
        tags = facts.tags
        return tuple([tags[index] for index in self._indexes])

    def scope_of(self, facts: Facts) -> dict[str, str]:
        """Of these, the ones that some overlay names."""
        found = zip(self.fields, self.scope_key(facts), strict=True)
        return {name: value for name, value in found if value and value in self._values[name]}

    def about(self, provider: str, models: tuple[str, ...], sku: str) -> list[Overlay]:
        """Those that are for a SKU, whenever they hold and whoever they are for."""
        return [o for o in self.overlays if covers(o.scope, provider, models, sku, o.scope.attribution)]  # type: ignore[arg-type]

    def models_named(self, provider: str) -> set[str]:
        """The ids and patterns of models that contracts with a provider name, in lower case."""
        asked = [o.scope for o in self.overlays if o.scope.provider in (None, provider)]
        return {pattern.lower() for scope in asked for pattern in scope.models or ()}

    def boundaries(self) -> list[datetime]:
        return [instant for overlay in self.overlays for instant in overlay.boundaries()]

    def terms(
        self,
        *,
        provider: str,
        models: tuple[str, ...],
        sku: str,
        price_key: str,
        scope: Mapping[str, str],
        at: datetime,
        listed: Fraction,
    ) -> Terms:
        """List, contracted and effective pico-USD per unit of one SKU at an instant.

        A contract price is for the SKU without conditions (no tier, region, context cliff) unless `skus` names others:
        a price agreed for standard traffic says nothing about batch. It is final; factors act on list prices.
        """
        if not self.overlays:
            return Terms(listed, listed, listed)
        contract, factor, spread = self._speaking(provider, models, sku, price_key, scope, at)
        contracted = listed
        if contract is not None and contract.contract is not None:
            per = PER.get(price_key) or RESOURCE_KEYS[price_key]
            contracted = Fraction(contract.contract[price_key]) * PICO_PER_USD / per
        elif factor is not None and factor.factor is not None:
            contracted = listed * factor.factor
        effective = contracted
        if spread is not None and spread.effective_multiplier is not None:
            effective = contracted * Fraction(spread.effective_multiplier)
        return Terms(listed, contracted, effective)

    def sources(
        self,
        *,
        provider: str,
        models: tuple[str, ...],
        sku: str,
        price_key: str,
        scope: Mapping[str, str],
        at: datetime,
    ) -> tuple[str, str]:
        """Where contracted and effective cost of these were agreed: the source of the overlay that says it, or the
        overlay's name where it has none. Empty where none says it."""
        contract, factor, spread = self._speaking(provider, models, sku, price_key, scope, at)
        contracted = _source(contract or factor)
        return contracted, _source(spread) or contracted

    def _speaking(
        self, provider: str, models: tuple[str, ...], sku: str, price_key: str, scope: Mapping[str, str], at: datetime
    ) -> tuple[Overlay | None, Overlay | None, Overlay | None]:
        """Of contracts, factors and effective multipliers the ones that count."""
        matching = [o for o in self.overlays if o.holds(at) and covers(o.scope, provider, models, sku, scope)]
        contract = _best(
            o for o in matching if o.contract and price_key in o.contract and (o.scope.skus or ";" not in sku)
        )
        factor = _best(o for o in matching if o.factor is not None)
        return contract, factor, _best(o for o in matching if o.effective_multiplier is not None)


def _source(overlay: Overlay | None) -> str:
    return "" if overlay is None else overlay.source or overlay.name


def covers(
    scope: Scope, provider: str, models: tuple[str, ...], sku: str | None, attribution: Mapping[str, str]
) -> bool:
    """Whether an overlay is for a SKU of these. None: of all but the SKU."""
    if scope.provider is not None and scope.provider != provider:
        return False
    if scope.models is not None and not any(fnmatchcase(m, p.lower()) for p in scope.models for m in models):
        return False
    if scope.skus is not None and sku is not None and not any(fnmatchcase(sku, pattern) for pattern in scope.skus):
        return False
    return all(attribution.get(name) == value for name, value in scope.attribution.items())


def _best(overlays: Iterable[Overlay]) -> Overlay | None:
    """The most specific scope; among equals the one that is written last."""
    best: Overlay | None = None
    for overlay in overlays:
        if best is None or overlay.scope.specificity >= best.scope.specificity:
            best = overlay
    return best
