"""The price book: everything that has a price, under one content hash as its version."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from genai_prices.data_snapshot import get_snapshot
from pydantic import BaseModel

from spendstream_schemas import UnpricedReason
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import read_file
from stream_jobs.base.money import pico_from_usd
from stream_jobs.base.yaml_files import MAX_BYTES
from stream_jobs.facts import Facts
from stream_jobs.pricing.base import base_hash, base_version
from stream_jobs.pricing.catalog import Catalog
from stream_jobs.pricing.comparisons import CACHE_METERS, cache_amounts, idle_cost
from stream_jobs.pricing.compiled import Compiled
from stream_jobs.pricing.corrections import CorrectionFile, Corrections
from stream_jobs.pricing.dearest import Dearest
from stream_jobs.pricing.engine import Engine, Resolved
from stream_jobs.pricing.overlays import OverlayFile, Overlays
from stream_jobs.pricing.providers import PROVIDERS_FILE, Providers
from stream_jobs.pricing.rate_cards import RateCardFile, RateCards
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.resources import Resources
from stream_jobs.pricing.result import STATED, PriceLine, Pricing
from stream_jobs.pricing.self_hosted import SelfHostedModels, request_line
from stream_jobs.pricing.tokens import PLAIN, UnpricedError, count, count_plain
from stream_jobs.pricing.yaml_models import load_models, yaml_files

DATA: Final = Path(__file__).parent / "data"
RULES: Final = 4
"""Raised when the engine itself would price the same event under the same data differently.

2: ids are taken out of what they are wrapped in, and a cost that the provider states prices what the book cannot.
3: an event must say what its price depends on (which output is no text, the searches that a model makes of itself, a
region that the provider has); lifetimes of caches, versions, dates and rate cards hold for nothing but what they name.
4: what has no price says what it is held at, if its model is known.
"""
_UNKNOWN_FIELDS: Final = (
    ("usage.", UnpricedReason.UNKNOWN_METER),
    ("conditions.", UnpricedReason.UNKNOWN_CONDITION),
    ("tool_calls.", UnpricedReason.NO_PRICE_FOR_TOOL),
)
_COUNTS_NOTHING: Final = ("moderation",)
"""Operations whose responses have no usage: what there is to price is the request."""
_ONE_SIDED: Final = frozenset({"embeddings", "embedding", "rerank", "moderation", "transcription"})
_NO_CACHE: Final[tuple[int | None, int | None]] = (None, None)
_new: Final = tuple.__new__
M = TypeVar("M", bound=BaseModel)


class PriceBook:
    """Prices usage events. Immutable once loaded: `version` names all the prices and rules in it.

    Within one book the same event always gets the same answer.
    """

    def __init__(self, catalog: Catalog, engine: Engine, resources: Resources, description: dict[str, Any]) -> None:
        self.version: str = description["version"]
        self.catalog = catalog
        self.engine = engine
        self.providers = engine.providers
        self.resources = resources
        self._dearest = Dearest(engine, resources, catalog.tables)
        self._description = description

    @classmethod
    def load(cls, config_dir: Path | None = None) -> "PriceBook":
        """The built-in prices, and above them the `corrections/`, `rate_cards/` and `overlays/` of a config folder.

        Raises ConfigError with every problem of every file.
        """
        return cls.from_folders([DATA] if config_dir is None else [DATA, config_dir])

    @classmethod
    def from_folders(cls, folders: Sequence[Path]) -> "PriceBook":
        """The files of these folders, the built-in ones first. Raises ConfigError like `load`."""
        problems: list[str] = []
        correction_files = _load(CorrectionFile, folders, "corrections", problems)
        card_files = _load(RateCardFile, folders, "rate_cards", problems)
        overlay_files = _load(OverlayFile, folders, "overlays", problems)
        if problems:
            raise ConfigError(problems)
        sources = [str(path) for path in price_files(folders) if DATA not in path.parents]
        return cls.of(correction_files, card_files, overlay_files, _content_hash(folders), sources)

    @classmethod
    def of(
        cls,
        correction_files: Sequence[CorrectionFile] = (),
        card_files: Sequence[RateCardFile] = (),
        overlay_files: Sequence[OverlayFile] = (),
        version: str = "unnamed",
        sources: Sequence[str] = (),
    ) -> "PriceBook":
        """A book of the base data and exactly these files."""
        snapshot = get_snapshot()
        corrections = Corrections(correction_files)
        providers = Providers.load({provider.id for provider in snapshot.providers} | corrections.providers)
        overlays = Overlays(overlay_files)
        cards = RateCards(card_files)
        catalog = Catalog(snapshot.providers, corrections, providers)
        description = {
            "version": version,
            "genai_prices": base_version(),
            "providers": len(snapshot.providers),
            "models": len(catalog.models()),
            "corrections": corrections.entries,
            "aliases": corrections.aliases,
            "rate_cards": cards.counts(),
            "overlays": len(overlays.overlays),
            "sources": list(sources),
        }
        engine = Engine(catalog, corrections, providers, overlays, SelfHostedModels(cards.files, providers))
        return cls(catalog, engine, Resources(cards, overlays, providers), description)

    def describe(self) -> dict[str, Any]:
        """What the book is made of: JSON values, for the record of price book versions."""
        return dict(self._description)

    @property
    def scoped(self) -> bool:
        """Whether some term depends on the attribution: then price an event with its final one."""
        return self.engine.scoped

    @property
    def scope_fields(self) -> tuple[str, ...]:
        """The attribution fields that some term depends on."""
        return self.engine.scope_fields

    def resolve(self, facts: Facts) -> Resolved | Missing:
        """The prices over time for token events that are named, conditioned and scoped as this one."""
        return self.engine.resolved(facts)

    def knows_provider(self, provider: str) -> bool:
        """True if something in the book has a SKU of that provider."""
        sold = self.catalog.provider(provider) == provider or self.resources.sells(provider)
        return sold or provider in self.engine.self_hosted.names

    def knows_model(self, facts: Facts) -> bool:
        """Whether the book has any price of a token event's model, under whatever conditions."""
        return self._dearest.knows(facts)

    def price(self, facts: Facts, unknown_fields: Sequence[str] = ()) -> Pricing:
        """The receipt of a valid event, or the reason why it has none. Never raises for a valid event.

        `unknown_fields` are the paths that the contract did not know: what they might have cost is not guessed.
        """
        found = self.receipt(facts, unknown_fields)
        if found.reason is None:
            return found
        return found._replace(hold=self._dearest.hold(facts, found.reason, unknown_fields))

    def receipt(self, facts: Facts, unknown_fields: Sequence[str] = ()) -> Pricing:
        """The same without what an event that has no price is held at."""
        if unknown_fields and (refused := self._unknown(facts, unknown_fields)) is not None:
            return self._own(facts) or refused
        kind, usage = facts.kind, facts.usage
        on_demand, cache = None, _NO_CACHE
        try:
            if kind == "tokens":
                tokens = usage.get("input_tokens")
                complete = tokens is not None and "output_tokens" in usage
                if not complete and (early := self._without_usage(facts)) is not None:
                    return early if early.priced else self._own(facts) or early
                rates = self.engine.rates(facts, tokens or 0)
                if rates.__class__ is Missing:
                    return self._unpriced(facts, rates)
                where = rates.where  # type: ignore[union-attr]
                if not facts.tool_calls and PLAIN.issuperset(usage) and not facts.cached_response:
                    plain = count_plain(rates, usage)  # type: ignore[arg-type]
                    if plain is not None:
                        lines, cost = plain
                        cache = _NO_CACHE if CACHE_METERS.isdisjoint(usage) else cache_amounts(rates, lines)  # type: ignore[arg-type]
                        costs = cost, cost, cost, 0, None, None, *cache, None
                        return _new(Pricing, (self.version, where, None, "", tuple(lines), *costs))
                counted = _own_lines if rates.pool else count  # type: ignore[union-attr]
                lines = counted(rates, usage, facts.tool_calls)  # type: ignore[arg-type]
                if not CACHE_METERS.isdisjoint(usage):
                    cache = cache_amounts(rates, lines)  # type: ignore[arg-type]
            elif kind == "metered":
                where, lines = self.resources.metered(facts)
            else:
                where, lines, on_demand = self.resources.compute(facts)
        except UnpricedError as error:
            return self._unpriced(facts, error.missing)
        return self._receipt(facts, where, lines, on_demand, cache)

    def _unknown(self, facts: Facts, paths: Sequence[str]) -> Pricing | None:
        for path in paths:
            for prefix, reason in _UNKNOWN_FIELDS:
                if path.startswith(prefix):
                    return self._stated_or_unpriced(facts, reason, f"{path} is not known to this version")
        return None

    def _without_usage(self, facts: Facts) -> Pricing | None:
        """Calls that ended before usage was reported.

        Providers bill the usage that they report, and a request that failed reports none: it costs nothing. That is
        no law (Azure OpenAI also bills calls that its content filter answered with a 400), so an error that does
        report usage is priced by it. A call that was cut may well cost something, and nobody knows what.
        """
        usage = facts.usage
        if not usage and not any(facts.tool_calls.values()):
            if facts.cached_response or (facts.status == "error" and facts.stated_cost is None):
                return Pricing(self.version, list_cost=0, contracted_cost=0, effective_cost=0)
            if facts.operation in _COUNTS_NOTHING and self._has_price_of_requests(facts):
                return None
            return self._usage_unknown(facts, f"status {facts.status}, but no usage reported")
        cut = facts.status == "cancelled" and "input_tokens" in usage and "output_tokens" not in usage
        if cut and facts.operation not in _ONE_SIDED:
            return self._usage_unknown(facts, "cut before the output was reported")
        return None

    def _usage_unknown(self, facts: Facts, detail: str) -> Pricing:
        """That a model which the book names has no price comes first: with its usage it would have none either, and it
        has no bound (`dearest.py`)."""
        if not self.knows_model(facts):
            rates = self.engine.rates(facts, 0)
            if isinstance(rates, Missing) and rates.reason is UnpricedReason.NO_PRICE_AT_TIME:
                return self._unpriced(facts, rates)
        return self._stated_or_unpriced(facts, UnpricedReason.USAGE_UNKNOWN, detail)

    def _has_price_of_requests(self, facts: Facts) -> bool:
        rates = self.engine.rates(facts, 0)
        return not isinstance(rates, Missing) and rates.request is not None

    def _own(self, facts: Facts) -> Pricing | None:
        """The receipt of a call to a model of one's own, whatever is known of its usage; None for all other calls.

        It costs nothing: the GPU time is billed by its own events.
        """
        if facts.kind != "tokens":
            return None
        rates = self.engine.rates(facts, facts.usage.get("input_tokens") or 0)
        if isinstance(rates, Missing) or not rates.pool:
            return None
        return self._receipt(facts, rates.where, _own_lines(rates, facts.usage, facts.tool_calls))

    def _unpriced(self, facts: Facts, missing: Missing) -> Pricing:
        if facts.cached_response:  # it costs nothing whatever it would have cost; what was saved is unknown
            return Pricing(self.version, list_cost=0, contracted_cost=0, effective_cost=0)
        return self._stated_or_unpriced(facts, missing.reason, missing.detail)

    def _stated_or_unpriced(self, facts: Facts, reason: UnpricedReason, detail: str) -> Pricing:
        """What the provider says it cost, if it says so, marked as such. It is what we are charged, so no overlay
        changes it: list, contracted and effective cost are the same."""
        usd = facts.stated_cost
        if usd is None or facts.cached_response:  # what is stated there was paid when the cache was filled
            return Pricing(self.version, reason=reason, detail=detail)
        cost = pico_from_usd(usd)
        line = PriceLine(STATED, "requests", 1, usd, usd, cost, cost, cost)
        return Pricing(self.version, STATED, None, f"{reason.value}: {detail}", (line,), cost, cost, cost)

    def _receipt(
        self,
        facts: Facts,
        where: str,
        lines: list[PriceLine],
        on_demand: int | None = None,
        cache: tuple[int | None, int | None] = (None, None),
    ) -> Pricing:
        listed = contracted = effective = 0
        for line in lines:
            listed += line.list_cost
            contracted += line.contracted_cost
            effective += line.effective_cost
        if facts.cached_response:
            return Pricing(self.version, where, None, "", (), 0, 0, 0, contracted)
        idle = idle_cost(facts.usage, effective) if facts.kind == "compute" else None
        costs = listed, contracted, effective
        return Pricing(self.version, where, None, "", tuple(lines), *costs, 0, on_demand, idle, *cache)


def _own_lines(rates: Compiled, usage: Mapping[str, Any], tool_calls: Mapping[str, int]) -> list[PriceLine]:
    """What a call to a model of one's own used, by the part; the call alone where that is not known."""
    try:
        return count(rates, usage, tool_calls) or [request_line(rates)]
    except UnpricedError:  # parts that overlap: which are which moves no price here
        return [request_line(rates)]


def _load(model: type[M], folders: Sequence[Path], name: str, problems: list[str]) -> list[M]:
    try:
        return load_models(model, [folder / name for folder in folders])
    except ConfigError as error:
        problems.extend(error.problems)
        return []


def price_files(folders: Sequence[Path]) -> list[Path]:
    """Every file that a book of these folders is made of, in the order in which they are hashed."""
    kinds = ("corrections", "rate_cards", "overlays")
    return [PROVIDERS_FILE, *(path for folder in folders for kind in kinds for path in yaml_files(folder / kind))]


def _content_hash(folders: Sequence[Path]) -> str:
    """Of everything that can move a price: base data, corrections, rate cards, overlays, provider rules, the engine."""
    digest = hashlib.sha256(f"{RULES}:{base_hash()}".encode())
    for path in price_files(folders):
        name = os.fsencode(f"{path.parent.name}/{path.name}")  # any bytes may be in a file's name
        digest.update(b"\0" + name + b"\0" + read_file(path, MAX_BYTES))
    return digest.hexdigest()[:16]
