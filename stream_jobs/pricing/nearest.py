"""The known names that are nearest to an unknown one, for people who look. Never asked while events are priced."""

import difflib
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from spendstream_schemas import UnpricedReason
from stream_jobs.facts import Facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.refs import readings
from stream_jobs.pricing.result import Pricing

_MAKERS: Final = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai", "moonshotai", "zai", "meta")
MAX_NAMES: Final = 3
MAX_LENGTH: Final = 128
_ALIKE: Final = 0.6
_NOISE: Final = re.compile(
    r"^(?:global|regional|us|eu|apac|jp|us-gov)\.|[-@]20\d{6}|[-@]20\d\d-\d\d-\d\d|-v\d+(?::\d+)?$|[^a-z0-9]+"
)
"""Where and when, and what separates: the same model with another date is what people look for."""


class Nearest(NamedTuple):
    """Ids as "provider/model", ids of providers, or names of accelerators, SKUs or regions; the most alike first."""

    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them; only one kind is ever there."""
        return self.models + self.providers + self.others

    def advice(self, provider: str, model: str) -> str:
        """A sentence: what it may be, and where to say so."""
        if self.providers:
            return f"nearest providers: {', '.join(self.providers)}"
        if not self.models:
            return ""
        same = next((name for name in self.models if name.partition("/")[0] == provider), None)
        text = f"nearest: {', '.join(self.models)}"
        if same is None:
            return text
        meant = same.partition("/")[2]
        return f"{text}. If it is {meant}, declare it in corrections/: {{alias: {model!r}, model: {meant!r}}}"


def nearest_to(book: PriceBook, facts: Facts, pricing: Pricing) -> Nearest:
    """For the event of an answer that does not know a name in it; nothing for all other answers."""
    ref = facts.response_model or facts.model or ""
    if pricing.reason is UnpricedReason.UNKNOWN_MODEL:
        provider, behind = book.engine.seller(facts)
        return nearest_models(book, behind or ref, provider)
    if pricing.reason is UnpricedReason.UNKNOWN_PROVIDER:
        return nearest_providers(book, facts.provider)
    if pricing.reason is UnpricedReason.UNKNOWN_ACCELERATOR:
        return nearest_of(book.resources.accelerators(facts.provider), facts.usage["accelerator"])
    if pricing.reason is UnpricedReason.UNKNOWN_SKU:
        return nearest_of(book.resources.skus(facts.provider), facts.usage["sku"])
    if pricing.reason is UnpricedReason.UNKNOWN_CONDITION and facts.region is not None:
        seller, _ = book.engine.seller(facts)
        known = book.providers.regions.words(seller or "")
        return Nearest() if facts.region.lower() in known else nearest_of(known, facts.region)
    return Nearest()


def nearest_of(known: Iterable[str], name: str) -> Nearest:
    """Those of the names that are like `name`."""
    return Nearest(others=tuple(_ranked(name[:MAX_LENGTH], known)[:MAX_NAMES]))


def nearest_models(book: PriceBook, ref: str, provider: str | None = None) -> Nearest:
    """Ids like `ref`: of one provider and whose prices it falls back on, or of all that sell models."""
    owners = None if provider is None else set(book.catalog.sellers(provider))
    known = [(owner, model) for owner, model in book.catalog.models() if owners is None or owner in owners]
    wanted = readings(book.providers, provider or "", ref[:MAX_LENGTH])[-1].name
    ranked = _ranked(wanted, {model for _, model in known})
    names = [f"{provider or _maker(known, model)}/{model}" for model in ranked]
    return Nearest(models=tuple(names[:MAX_NAMES]))


def nearest_providers(book: PriceBook, name: str) -> Nearest:
    """Ids of providers of which one of the names is like `name`."""
    found = [book.providers.find(known) for known in _ranked(name[:MAX_LENGTH].lower(), book.providers.names())]
    ids = dict.fromkeys(provider for provider in found if provider is not None and book.catalog.provider(provider))
    return Nearest(providers=tuple(ids)[:MAX_NAMES])


def _ranked(wanted: str, known: Iterable[str]) -> list[str]:
    """The names that are alike, the most alike first. Case, dots and dashes make no difference ("gpt4o", "GPT-4o")."""
    by_key: dict[str, list[str]] = {}
    for name in sorted(known):
        by_key.setdefault(_key(name), []).append(name)
    keys = difflib.get_close_matches(_key(wanted), by_key, n=2 * MAX_NAMES, cutoff=_ALIKE)
    return [name for key in keys for name in by_key[key]]


def _key(name: str) -> str:
    return _NOISE.sub("", name.lower())


def _maker(known: list[tuple[str, str]], model: str) -> str:
    """Who sells the id; its maker, if that is one of those that others sell too."""
    owners = [owner for owner, name in known if name == model]
    return next((maker for maker in _MAKERS if maker in owners), owners[0])
