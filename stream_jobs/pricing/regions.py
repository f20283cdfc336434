"""Where a call was served, as far as that moves its price: words for regions, and which of them a price is for.

A provider whose prices depend on the region lists its regions in data/providers.yaml. What an entry names in
`when: {region: ...}` is a region or a group of them; the narrowest that a correction names is what the price is for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from spendstream_schemas import UnpricedReason
from stream_jobs.pricing.corrections import Entry, Strict
from stream_jobs.pricing.rates import Missing

REGION: Final = "region"
_ENDPOINT: Final = "endpoint"
_GLOBAL: Final = "global"
_NOISE: Final = re.compile(r"[\s_-]+")
_ARN: Final = re.compile(r"arn:aws[a-z-]*:bedrock:([a-z0-9-]+):")
_LOCATION: Final = re.compile(r"(?:^|/)locations/([a-z0-9-]+)/")


@dataclass(frozen=True, slots=True)
class Where:
    """One region, or a group of which no region is known."""

    word: str
    groups: tuple[str, ...] = ()  # that hold it, narrowest first
    known: bool = True
    taken: bool = False  # the default, because nothing says one

    def label(self, named: Iterable[str]) -> str | None:
        """The narrowest of the named regions and groups that this is in ('*' names any)."""
        values = frozenset(named)
        found = next((name for name in (self.word, *self.groups) if name in values), None)
        return self.word if found is None and "*" in values else found


class ProviderRegions(Strict):
    """The regions of one provider."""

    default: str | None = None  # the region whose price an event without one gets
    home: list[str] = Field(default_factory=list)  # regions and groups in which the price without a region holds
    spaced: bool = False  # "East US" is eastus
    groups: dict[str, list[str]]  # of regions, narrowest first
    id_prefixes: list[str] = Field(default_factory=list)  # groups that model ids begin with: eu.amazon.nova…
    endpoints: dict[str, str] = Field(default_factory=dict)  # group -> the endpoint that a call to it uses
    closed: bool = False  # a region that stands nowhere is unknown, whether or not a price is named by region
    must_say: dict[str, str] = Field(default_factory=dict)  # group -> a condition whose default is not sold there
    not_sold: dict[str, dict[str, str]] = Field(default_factory=dict)  # group -> conditions that are not sold there

    def unsold(self, where: Where, conditions: Mapping[str, str]) -> str:
        """What is not sold there of what an event says or leaves to its default, in words; '' if all of it is."""
        for group in (where.word, *where.groups):
            name = self.must_say.get(group)
            if name is not None and name not in conditions:
                return f"{name} of the default kind in {where.word}: say conditions.{name}"
            for name, value in self.not_sold.get(group, {}).items():
                if conditions.get(name) == value:
                    return f"{name} = {value!r} in {where.word}"
        return ""


class Regions:
    """Look-ups in the regions of all providers. Words are compared in lower case."""

    def __init__(self, providers: Mapping[str, ProviderRegions]) -> None:
        self._providers = providers
        self._groups: dict[str, dict[str, tuple[str, ...]]] = {}
        for provider, regions in providers.items():
            words: dict[str, tuple[str, ...]] = dict.fromkeys(regions.groups, ())
            for group, members in regions.groups.items():
                for word in members:
                    words[word] = (*words.get(word, ()), group)
            self._groups[provider] = words

    def words(self, provider: str) -> set[str]:
        """All regions and groups of regions of a provider."""
        return set(self._groups.get(provider, ()))

    def one_of(self, provider: str, word: str, but: Iterable[str]) -> str:
        """A region of a group that is not among others; the word itself if it is no group, or all of it are."""
        own = self._providers.get(provider)
        members = own.groups.get(word, []) if own is not None else []
        taken = set(but)
        return next((name for name in members if name not in taken), word)

    def geographies(self, provider: str) -> tuple[str, ...]:
        """What the ids of models can begin with there."""
        own = self._providers.get(provider)
        return () if own is None else tuple(own.id_prefixes)

    def where(
        self, provider: str, said: str | None, refs: Iterable[str | None], conditions: Iterable[str] = ()
    ) -> Where | None:
        """The region of an event by what it says and by its model ids; None: it is not said, or it does not matter.

        A Bedrock id that begins with a geography can only be called from there: it wins over a region elsewhere. An
        endpoint among the conditions that the event names says more than the region that would tell it.
        """
        own = self._providers.get(provider)
        if own is None:
            return None if said is None else Where(said.lower())
        if own.endpoints and _ENDPOINT in conditions:
            return None
        in_ids = [found for ref in refs if ref is not None and (found := self._in_id(provider, own, ref.lower()))]
        region, geography = next((r for r, _ in in_ids if r), None), next((g for _, g in in_ids if g), None)
        word = self._word(own, said) if said is not None else region
        if geography is not None:
            if geography == _GLOBAL:
                return None
            if word is None or geography not in self._groups[provider].get(word, ()):
                word = geography
        return self._at(provider, word if word is not None else own.default, taken=word is None)

    def settle(
        self, provider: str, entries: Iterable[Entry], conditions: dict[str, str], where: Where | None
    ) -> Missing | None:
        """Put into the conditions what the region means for a model with these corrections.

        The region itself if one of them names it (or its group), and the endpoint if prices depend on that and the
        event says none. What is returned: a price depends on the region, and nobody knows this one, or what an event
        does not say is not sold there.
        """
        if where is None:
            return None
        own = self._providers.get(provider)
        elsewhere = [entry for entry in entries if _speaks_elsewhere(entry, conditions)]
        named = {value for entry in elsewhere for value in entry.conditions.get(REGION, ())}
        closed = any(entry.by_region for entry in elsewhere)
        label = where.label(named)
        endpoints = own.endpoints if own is not None and _ENDPOINT not in conditions else {}
        by_endpoint = bool(endpoints) and _moves_by_endpoint(entries)
        guessed = named or closed or by_endpoint or (own is not None and own.closed)
        if not where.known and where.word not in named and guessed:
            detail = f"{provider} knows no region {where.word!r}, and the price depends on it"
            return Missing(UnpricedReason.UNKNOWN_CONDITION, detail)
        if own is not None and label is None and (unsold := own.unsold(where, conditions)):
            return Missing(UnpricedReason.NO_PRICE_FOR_CONDITION, f"{provider} sells no {unsold}")
        if by_endpoint and (endpoint := next((endpoints[g] for g in where.groups if g in endpoints), None)):
            conditions[_ENDPOINT] = endpoint
        if own is not None and {where.word, *where.groups} & set(own.home) and (where.taken or where.word not in named):
            return None
        if label is not None or closed:
            conditions[REGION] = label if label is not None else where.word
        return None

    def _at(self, provider: str, word: str | None, *, taken: bool) -> Where | None:
        if word is None:
            return None
        groups = self._groups[provider].get(word)
        return Where(word, known=False) if groups is None else Where(word, groups, taken=taken)

    def _word(self, own: ProviderRegions, said: str) -> str:
        word = said.strip().lower()
        return _NOISE.sub("", word) if own.spaced else word

    def _in_id(self, provider: str, own: ProviderRegions, ref: str) -> tuple[str | None, str | None]:
        """Region and geography that a model id carries."""
        found = _ARN.match(ref) or _LOCATION.search(ref)
        region = found[1] if found is not None else None
        if region is None:
            region = next((part for part in ref.split("/")[:-1] if part in self._groups[provider]), None)
        prefix = ref.rsplit("/", 1)[-1].partition(".")[0]
        return region, prefix if prefix in own.id_prefixes else None


def _moves_by_endpoint(entries: Iterable[Entry]) -> bool:
    """False if all that is said of endpoints is that they make no difference."""
    said = [entry for entry in entries if _ENDPOINT in entry.conditions]
    spoken = any(entry.meters is None or entry.meters for entry in said)
    return bool(said) and not (spoken and all(entry.multiplier == 1 for entry in said))


def _speaks_elsewhere(entry: Entry, conditions: Mapping[str, str]) -> bool:
    """True if the entry would speak under these conditions in one region or another."""
    if REGION not in entry.conditions and not entry.by_region:
        return False
    return all(
        name == REGION or (name in conditions and (conditions[name] in values or "*" in values))
        for name, values in entry.conditions.items()
    )
