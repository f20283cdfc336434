"""What is true of a whole provider: its names, its words for service tiers, which conditions never move a price."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from stream_jobs.pricing.corrections import ConditionName
from stream_jobs.pricing.provider_rules import ProvidersFile, RoutingEnding, UsesTool
from stream_jobs.pricing.regions import Regions
from stream_jobs.pricing.yaml_models import load_model

PROVIDERS_FILE: Final = Path(__file__).parent / "data" / "providers.yaml"
STANDARD: Final = "standard"
_ANY: Final = "*"
_USUAL_TTL: Final = "5m"


class Providers:
    """Look-ups in data/providers.yaml. All words are compared in lower case."""

    def __init__(self, data: ProvidersFile, known_ids: Iterator[str] | set[str]) -> None:
        self._data = data
        self._ids = {id_: id_ for id_ in known_ids}
        for provider, names in data.names.items():
            self._ids.setdefault(provider, provider)
            self._ids.update(dict.fromkeys(names, provider))
        self.gateways = frozenset(data.gateways)
        self.regions = Regions(data.regions)
        self._deployments = {
            provider: {_squeezed(word): meaning for word, meaning in words.items()}
            for provider, words in data.deployments.items()
        }

    @classmethod
    def load(cls, known_ids: set[str], path: Path = PROVIDERS_FILE) -> "Providers":
        return cls(load_model(ProvidersFile, path), known_ids)

    def unknown(self, name: str) -> str:
        """Why a provider has no prices, and what to do about it."""
        if self._ids.get(name.lower(), name.lower()) in self._data.servers:
            return (
                f"{name} serves models on machines of one's own: declare them in rate_cards/ as self_hosted, with the "
                "pool whose GPUs they run on, or report who sells them as the provider"
            )
        return (
            f"the price book knows no provider {name!r}: report one of its names, give it prices in corrections/, "
            "or declare its models in rate_cards/ as self_hosted"
        )

    def names(self) -> set[str]:
        """All ids and other names."""
        return set(self._ids)

    def find(self, name: str) -> str | None:
        """The provider id of a name that clients use."""
        return self._ids.get(name)

    def without_prefix(self, provider: str, ref: str) -> str:
        for prefix in self._data.id_prefixes.get(provider, ()):
            if ref.startswith(prefix):
                return ref[len(prefix) :]
        return ref

    def tier(self, provider: str, word: str | None) -> str | None:
        """The service tier a word means; None if it is no tier that the book knows."""
        if word is None:
            return STANDARD
        word = word.lower()
        for owner in (provider, _ANY):
            for tier, words in self._data.service_tiers.get(owner, {}).items():
                if word in words:
                    return tier
        return None

    def deployment(self, provider: str, word: str) -> dict[str, str]:
        """What the provider's word for a deployment says: of which kind it is, and (batch) at which tier it serves."""
        known = self._deployments.get(provider, {}).get(_squeezed(word))
        return {"deployment": word} if known is None else {str(name): value for name, value in known.items()}

    def has_own_prices(self, provider: str, maker: str) -> bool:
        """True if the maker's price says nothing about what its model costs at this provider."""
        return any(rule.provider == provider and maker in rule.makers for rule in self._data.own_prices)

    def explain(self, conditions: Mapping[str, str]) -> str:
        """What to do about conditions that have no price per token; '' if there is nothing to say."""
        for rule in self._data.explained:
            if any(conditions.get(name) in values for name, values in rule.conditions.items()):
                return rule.detail
        return ""

    def is_neutral(self, provider: str, condition: str, value: str) -> bool:
        return self._lists(self._data.neutral, provider, condition, value)

    def is_default(self, provider: str, model: str, condition: str, value: str) -> bool:
        """True if the value is what the model makes by default."""
        return any(
            rule.fits(provider, model)
            and any(name == condition and value in values for name, values in rule.conditions.items())
            for rule in self._data.defaults
        )

    def is_known(self, provider: str, condition: str, value: str) -> bool:
        return self._lists(self._data.known, provider, condition, value)

    def known(self, provider: str, condition: str) -> set[str]:
        """Values of a condition that exist there, with or without a price."""
        tables = (self._data.known.get(owner, {}) for owner in (provider, _ANY))
        return {value for table in tables for name, values in table.items() if name == condition for value in values}

    @staticmethod
    def _lists(
        table: Mapping[str, Mapping[ConditionName, list[str]]], provider: str, condition: str, value: str
    ) -> bool:
        return any(
            value in values
            for owner in (provider, _ANY)
            for name, values in table.get(owner, {}).items()
            if name == condition
        )

    def is_free(self, provider: str, model: str) -> bool:
        return any(rule.provider == provider and model.endswith(rule.ending) for rule in self._data.free_endings)

    def routing_ending(self, provider: str, ref: str) -> RoutingEnding | None:
        """The ending of an id that is no part of the model's name."""
        return next((e for e in self._data.routing_endings if e.provider == provider and ref.endswith(e.ending)), None)

    def uses_tool(self, provider: str, *ids: str) -> UsesTool | None:
        """The tool that a model calls of itself."""
        return next((rule for rule in self._data.uses_tools if rule.fits(provider, *ids)), None)

    def without_free_ending(self, provider: str, ref: str) -> str | None:
        """The model that an id offers for free; None for an id that does not."""
        endings = (rule.ending for rule in self._data.free_endings if rule.provider == provider)
        return next((ref.removesuffix(ending) for ending in endings if ref.endswith(ending)), None)

    def billed_as_text(self, provider: str, model: str) -> frozenset[str]:
        """Meters of a model that are billed as text unless it has a price for them."""
        return frozenset(
            meter for rule in self._data.bills_as_text if rule.fits(provider, model) for meter in rule.meters
        )

    def writes(self, provider: str, model: str) -> frozenset[str]:
        """What a model writes beside text for which it has no price by the token."""
        return frozenset(rule.kind for rule in self._data.writes if rule.fits(provider, model))

    def minimums(self, provider: str, model: str) -> dict[str, Decimal]:
        return {rule.meter: rule.minimum for rule in self._data.minimums if rule.fits(provider, model)}

    def plain_write_ttl(self, provider: str, model: str) -> str:
        """The lifetime that a cache-write price without one is for."""
        fitting = [rule.ttl for rule in self._data.cache_write_ttl if rule.fits(provider, model)]
        return fitting[-1] if fitting else _USUAL_TTL

    def is_served_elsewhere(self, provider: str, model: str) -> bool:
        """True if a server on one's own machines does not run the model, but hands its calls on to who sells it."""
        return any(rule.fits(provider, model) for rule in self._data.served_elsewhere)


def _squeezed(word: str) -> str:
    """GlobalStandard, global_standard and global-standard are one word."""
    return "".join(letter for letter in word.lower() if letter.isalnum())
