"""Which entry of the book an event is about: provider and model names into one identity, strictly."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from genai_prices import types as genai

from spendstream_schemas import UnpricedReason
from stream_jobs.pricing.base import BaseModel, Validity, convert
from stream_jobs.pricing.corrections import Alias, Corrections, Entry
from stream_jobs.pricing.match import ProviderIndex, dated_form_of, without_geography
from stream_jobs.pricing.providers import Providers
from stream_jobs.pricing.rates import Missing, PriceTable
from stream_jobs.pricing.refs import opaque, readings

_FINE_TUNE = "ft:"
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_FREE_KEYS = ("input_mtok", "output_mtok")


@dataclass(frozen=True)
class Identity:
    """One model as one provider sells it, reached by one id."""

    provider: str  # who sells it: its tiers, regions and corrections apply
    model: str  # id in the book
    own: str  # the id of the event, without meaningless prefixes
    base: BaseModel | None  # None if only corrections know it
    entries: tuple[Entry, ...]  # corrections that can speak for it, in order
    fine_tuned: bool = False
    inherited: bool = False  # the base prices are another provider's: its tiers and regions don't apply
    adds: str = ""  # a tool that the id or the model itself switches on: without its calls the price is not known
    adds_per_request: int | None = None  # how many calls of it a request makes, if always as many


class Catalog:
    """All models of the base data and of the corrections."""

    def __init__(self, bases: Iterable[genai.Provider], corrections: Corrections, providers: Providers) -> None:
        self._bases = {provider.id: provider for provider in bases}
        self._index = {id_: ProviderIndex(id_, provider.models) for id_, provider in self._bases.items()}
        self._converted: dict[tuple[str, str], BaseModel] = {}
        self._corrections = corrections
        self._providers = providers

    def provider(self, name: str) -> str | None:
        """The id of the provider that a name stands for, if the book sells anything of it."""
        found = self._providers.find(name.lower())
        return found if found in self._bases or found in self._corrections.providers else None

    def identify(
        self, provider: str, model: str | None, response_model: str | None, at: datetime
    ) -> Identity | Missing:
        """The served model wins; the asked one speaks only where it says more about the same model."""
        if response_model is None:
            return self._identify_ref(provider, model or "", at)
        found = self._identify_both(provider, model, response_model, at)
        if model is not None and isinstance(found, Identity) and not found.adds:
            adds = next((adds for _, adds in readings(self._providers, provider, model) if adds), "")
            return _with(found, adds)  # a response does not repeat what the id switched on
        return found

    def _identify_both(self, provider: str, model: str | None, response_model: str, at: datetime) -> Identity | Missing:
        if model is not None and self._says_more(provider, model.lower(), response_model.lower()):
            asked = self._identify_ref(provider, model, at)
            if isinstance(asked, Identity):
                return asked
        served = self._identify_ref(provider, response_model, at)
        if isinstance(served, Missing) and model is not None and dated_form_of(model.lower(), response_model.lower()):
            # The snapshot that the asked name stood for costs what the asked name costs.
            asked = self._identify_ref(provider, model, at)
            return served if isinstance(asked, Missing) else asked
        return served

    def _says_more(self, provider: str, asked: str, served: str) -> bool:
        """Whether the asked id says more about the same model: Bedrock's the region, OpenRouter's the variant.

        That it was asked for for nothing does not say that it was served so: then the served id ends so too.
        """
        if provider == "aws":
            return served in asked
        return (
            provider == "openrouter"
            and asked.startswith(f"{served}:")
            and not any(
                self._providers.without_free_ending(provider, name)
                for name, _ in readings(self._providers, provider, asked)
            )
        )

    def aliases(self, provider: str, ref: str) -> list[Alias]:
        """What an id (lower case, without meaningless prefixes) was declared to stand for, whenever that holds."""
        return self._corrections.aliases_for(provider, ref)

    def alias_boundaries(self, provider: str, *refs: str | None) -> list[datetime]:
        """Instants at which one of the ids starts or stops to mean something."""
        found: list[datetime] = []
        for ref in refs:
            if ref is not None:
                for own, _ in readings(self._providers, provider, ref):
                    for alias in self._corrections.aliases_for(provider, own):
                        found += alias.boundaries()
        return found

    def _identify_ref(self, provider: str, ref: str, at: datetime) -> Identity | Missing:
        own, _ = (names := readings(self._providers, provider, ref))[0]
        for name, adds in names:
            for owner in self.sellers(provider):
                found = self._find(owner, name, at, provider)
                if found is not None:
                    return _with(found, adds) if isinstance(found, Identity) else found
            if (free := self._free(provider, name)) is not None:
                return _with(free, adds)
        if what := opaque(provider, own):
            return Missing(
                UnpricedReason.UNKNOWN_MODEL,
                f"{ref!r} is {what}, which does not say its model: report the model in response_model, "
                "or declare an alias for it in corrections/",
            )
        return Missing(
            UnpricedReason.UNKNOWN_MODEL,
            f"{provider} has no model {ref!r} in the price book; an alias for it goes into corrections/",
        )

    def _free(self, provider: str, name: str) -> Identity | None:
        """A model of the book that the provider offers for nothing under another ending."""
        plain = self._providers.without_free_ending(provider, name)
        found = None if plain is None else self._known(provider, plain, name, provider)
        if found is None:
            return None
        base = BaseModel(provider, name, ((Validity(), dict.fromkeys(_FREE_KEYS, Decimal(0))),), ())
        return replace(found, model=name, base=base, entries=())

    def sellers(self, provider: str) -> tuple[str, ...]:
        """The provider, and those whose models it sells too."""
        return (provider, *self._fallbacks(provider))

    def _fallbacks(self, provider: str) -> Iterable[str]:
        base = self._bases.get(provider)
        makers = (base.fallback_model_providers or ()) if base else ()
        return [maker for maker in makers if not self._providers.has_own_prices(provider, maker)]

    def presently(self, provider: str, ref: str) -> Identity | None:
        """What an id that moves (`-latest`) stands for now, as far as the base data knows it."""
        for name, adds in readings(self._providers, provider, ref):
            for owner in self.sellers(provider):
                for one in (name, name.removesuffix("-latest")) if self._moves(owner, name) else ():
                    if (found := self._known(owner, one, name, provider)) is not None:
                        return _with(found, adds)
        return None

    def _find(self, provider: str, own: str, at: datetime, seller: str) -> Identity | Missing | None:
        """`own` among the models of `provider`, sold by `seller`; None if the provider does not know it."""
        name, target = own, self._alias(provider, own, at) or self._alias(seller, own, at)
        if target is not None:
            name = target
        elif self._moves(provider, own):
            moving = self._corrections.moving_for(provider, own)
            if moving is None or moving.priced_as is None:
                return Missing(UnpricedReason.MOVING_ALIAS, f"{own!r} moves: report the served model in response_model")
            name = moving.priced_as.lower()
        if (found := self._known(provider, name, own, seller)) is not None:
            return found
        if name.startswith(_FINE_TUNE):
            asked = name[len(_FINE_TUNE) :].split(":", 1)[0]
            head = self._known(provider, _FINE_TUNE + asked, own, seller)
            plain = self._known(provider, self._alias(provider, asked, at) or asked, own, seller)
            if plain is not None and any("fine_tuned" in entry.conditions for entry in plain.entries):
                return replace(plain, fine_tuned=True)
            if head is not None:
                return head
            return None if plain is None else replace(plain, fine_tuned=True)
        return None

    def _alias(self, provider: str, own: str, at: datetime) -> str | None:
        aliases: list[Alias] = self._corrections.aliases_for(provider, own)
        return next((alias.model.lower() for alias in reversed(aliases) if alias.holds(at)), None)

    def _moves(self, provider: str, own: str) -> bool:
        return own.endswith("-latest") or self._corrections.moving_for(provider, own) is not None

    def _known(self, provider: str, name: str, own: str, seller: str) -> Identity | None:
        index = self._index.get(provider)
        model = index.find(name) if index is not None else None
        if model is None and index is not None and provider == "aws" and not self._corrections.lists(provider, name):
            name = without_geography(name)
            model = index.find(name)
        if model is None and not self._corrections.lists(provider, name):
            return None
        base = self._convert(provider, model) if model is not None else None
        book_id = base.id if base is not None else name
        names = {name, book_id}
        entries = self._corrections.entries_for(provider, own, names)
        if seller != provider:
            entries = tuple(entry for entry in entries if not entry.conditions)
            entries += self._corrections.entries_for(seller, own, names)
        found = Identity(seller, book_id, own, base, entries, inherited=seller != provider)
        if tool := self._providers.uses_tool(provider, name, own):
            return replace(found, adds=tool.tool, adds_per_request=tool.per_request)
        return found

    def _convert(self, provider: str, model: genai.ModelInfo) -> BaseModel:
        key = (provider, model.id)
        if key not in self._converted:
            base = convert(provider, model)
            if not any(prices for _, prices in base.standard) and self._providers.is_free(provider, base.id):
                base = replace(base, standard=((Validity(), dict.fromkeys(_FREE_KEYS, Decimal(0))),))
            self._converted[key] = base
        return self._converted[key]

    def tables(self) -> Iterator[tuple[str, PriceTable]]:
        """Every table of prices in the book, whatever it is for, with its provider."""
        for id_, provider in self._bases.items():
            for model in provider.models:
                yield from ((id_, prices) for _, prices in self._convert(id_, model).standard)
        yield from self._corrections.tables()

    def refs(self, provider: str, model: str) -> list[str]:
        """The ids by which events can mean a model of the book: its own, and if that never means it (it moved, or has
        several geographies), all others that do."""
        meanings = self.meanings(provider, model)
        if any(one.model == model for one in meanings):
            return [model]
        index = self._index.get(provider)
        named = index.names(model) if index is not None else []
        plain = {model.removeprefix("regional."), *named}
        heads = self._providers.regions.geographies(provider)
        aliases = self._corrections.aliases_of(provider, model)
        others = [*named, *(f"{head}.{name}" for head in heads for name in sorted(plain)), *aliases]
        mean = [ref for ref in dict.fromkeys(others) if any(one.model == model for one in self.meanings(provider, ref))]
        return [model, *mean] if meanings else mean

    def names_of(self, provider: str, model: str) -> list[str]:
        """The ids of a model that are known: those of the base data, and aliases, also of whose models it sells."""
        found: list[str] = []
        for owner in self.sellers(provider):
            index = self._index.get(owner)
            found += [*(index.names(model) if index is not None else ()), *self._corrections.aliases_of(owner, model)]
        return list(dict.fromkeys(found))

    def meanings(self, provider: str, ref: str) -> list[Identity]:
        """What an id means in the course of time."""
        moves = self.alias_boundaries(provider, ref)
        instants = {_FIRST, *moves, *(at - timedelta(seconds=1) for at in moves)}
        found = (self.identify(provider, ref, None, at) for at in sorted(instants))
        return [one for one in found if isinstance(one, Identity)]

    def providers(self) -> list[str]:
        """Ids of everyone who sells models."""
        return sorted(self._bases.keys() | self._corrections.providers)

    def models(self) -> list[tuple[str, str]]:
        """(provider, model id) of everything in the book."""
        seen = {(id_, model.id.lower()) for id_, provider in self._bases.items() for model in provider.models}
        for provider in self._corrections.providers:
            seen |= {(provider, model) for model in self._corrections.models_of(provider) if model != "*"}
        return sorted(seen)


def _with(found: Identity, adds: str) -> Identity:
    """The model called with a tool that its id switched on, which it calls as often as it likes."""
    return replace(found, adds=adds, adds_per_request=None) if adds else found
