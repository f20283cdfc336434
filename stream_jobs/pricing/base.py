"""The base data: what genai-prices knows of a provider's models, in our terms.

Its calculator is not used (tests compare with it): it rounds nothing and is slow, but above all it answers where it
should not. Taken over are the models, their match clauses and their dated prices.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from stream_jobs.pricing.rates import Price, Tiered
from stream_jobs.pricing.units import PER


@dataclass(frozen=True, slots=True)
class Validity:
    """When a dated price holds: from an instant on, or every day between two times (seconds since midnight UTC)."""

    start: datetime | None = None
    daily: tuple[int, int] | None = None

    def holds(self, at: datetime) -> bool:
        if self.start is not None and at < self.start:
            return False
        if self.daily is None:
            return True
        begin, end = self.daily
        second = at.hour * 3600 + at.minute * 60 + at.second
        return begin <= second < end if begin <= end else second >= begin or second < end


@dataclass(frozen=True, slots=True)
class BaseVariant:
    """Prices that override the standard ones when all of `when` is true."""

    when: Mapping[str, str]
    validity: Validity
    prices: Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class BaseModel:
    """One model of a provider: its standard prices (the last validity that holds wins) and its variants (the first)."""

    provider: str
    id: str
    standard: tuple[tuple[Validity, Mapping[str, Price]], ...]
    variants: tuple[BaseVariant, ...]

    def standard_at(self, at: datetime) -> Mapping[str, Price]:
        """The prices that held at an instant; where no validity holds, the oldest ones."""
        for validity, prices in reversed(self.standard):
            if validity.holds(at):
                return prices
        return self.standard[0][1]


def convert(provider: str, model: genai.ModelInfo) -> BaseModel:
    """A model of the base data with its prices in our terms."""
    if isinstance(model.prices, genai.ModelPrice):
        standard = [(Validity(), _prices(model.prices))]
    else:
        standard = [(_validity(item.constraint), _prices(item.prices)) for item in model.prices]
    variants = tuple(
        BaseVariant(_when(variant.when), _validity(variant.constraint), _prices(variant.prices))
        for variant in model.price_variants or ()
        if variant.prices.__dict__
    )
    return BaseModel(provider, model.id.lower(), tuple(standard), variants)


def _when(when: Mapping[str, str]) -> dict[str, str]:
    """Their context words as our conditions: batch is a service tier like the others."""
    return {("service_tier" if key == "processing" else key): value for key, value in when.items()}


def _validity(constraint: genai.StartDateConstraint | genai.TimeOfDateConstraint | None) -> Validity:
    if constraint is None:
        return Validity()
    if isinstance(constraint, genai.StartDateConstraint):
        return Validity(start=datetime.combine(constraint.start_date, time(), UTC))
    return Validity(daily=(_second(constraint.start_time), _second(constraint.end_time)))


def _second(value: time) -> int:
    if value.tzinfo is not None:
        value = datetime.combine(datetime(2000, 1, 1, tzinfo=UTC).date(), value).astimezone(UTC).time()
    return value.hour * 3600 + value.minute * 60 + value.second


def _prices(prices: genai.ModelPrice) -> dict[str, Price]:
    """Price keys without a meter in the contract (messages, pixels) are left out: nothing could be counted for them."""
    return {key: _price(value) for key, value in prices.__dict__.items() if value is not None and key in PER}


def _price(value: Decimal | genai.TieredPrices) -> Price:
    if isinstance(value, genai.TieredPrices):
        return Tiered(value.base, tuple((tier.start, tier.price) for tier in value.tiers))
    return value


def names_of(clause: Any) -> Iterator[str]:
    """Every literal name a match clause is made of, lower case: the names that strict matching builds on."""
    for children in (getattr(clause, "or_", None), getattr(clause, "and_", None)):
        for child in children or ():
            yield from names_of(child)
    for attribute in ("equals", "starts_with", "ends_with", "contains"):
        if (literal := getattr(clause, attribute, None)) is not None:
            yield str(literal).lower()
    if (pattern := getattr(clause, "regex", None)) is not None:
        yield from _regex_name(str(pattern))


def _regex_name(pattern: str) -> Iterator[str]:
    """'composer-2.5[fast=true]' of '^composer-2\\.5\\[fast=true\\]$'. A pattern with a date in it names no id."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        return
    literal = re.sub(r"\\([^A-Za-z0-9])", r"\1", pattern[1:-1])
    if re.fullmatch(pattern, literal):
        yield literal.lower()


def base_hash() -> str:
    """Identifies the base data by content, also when genai-prices was told to use another snapshot."""
    snapshot = get_snapshot()
    if snapshot.from_auto_update:
        return hashlib.sha256(repr(snapshot.providers).encode()).hexdigest()
    digest = hashlib.sha256()
    for name in ("data.py", "data_units.py"):
        digest.update(files("genai_prices").joinpath(name).read_bytes())
    return digest.hexdigest()


def base_version() -> str:
    return version("genai-prices")
