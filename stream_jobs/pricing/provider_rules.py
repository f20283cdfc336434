"""The format of data/providers.yaml: rules about providers, most of them for some models of one."""

from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field

from stream_jobs.pricing.corrections import Amount, ConditionName, Strict
from stream_jobs.pricing.regions import ProviderRegions


class ForModels(Strict):
    """What holds for some models of one provider."""

    provider: str
    models: list[str]  # patterns of ids

    def fits(self, provider: str, *models: str) -> bool:
        """True if one of the ids, in lower case, is meant."""
        return self.provider == provider and any(fnmatchcase(id_, pattern) for id_ in models for pattern in self.models)


class FreeEnding(Strict):
    """Ids that end so are free of charge, as the provider names them."""

    provider: str
    ending: Annotated[str, Field(min_length=2)]
    source: str
    checked: date


class RoutingEnding(Strict):
    """An ending of ids that says how requests are routed or what is added to them: the model is the id without it."""

    provider: str
    ending: Annotated[str, Field(min_length=2)]
    adds: Literal["", "web_search"] = ""  # a tool that it switches on: its calls must then be reported
    source: str
    checked: date


class UsesTool(ForModels):
    """Models that call a tool of themselves and pay for its calls, which must be reported (0 too)."""

    tool: Literal["web_search"]
    per_request: Annotated[int, Field(ge=1)] | None = None  # how many a request makes, if always as many
    source: str
    checked: date


class BillsAsText(ForModels):
    """Meters that a provider bills as text tokens where the model has no price of their own."""

    meters: list[str]
    source: str
    checked: date


class Writes(ForModels):
    """Models that also write what is no text, at a price that the seller does not list by the token."""

    kind: Literal["audio", "image", "video"]
    source: str
    checked: date


class Minimum(ForModels):
    """A call is billed as if it had used at least so much of a meter."""

    meter: str
    minimum: Amount
    source: str
    checked: date


class OwnPrices(Strict):
    """A seller that has prices of its own for models of these makers: theirs are never taken for it."""

    provider: str
    makers: list[str]
    source: str
    checked: date


class Defaults(ForModels):
    """Values of conditions that do not move the price of these models."""

    conditions: dict[ConditionName, list[str]]


class WriteTtl(ForModels):
    """How long what is written to a cache is kept for the price without a lifetime."""

    ttl: Literal["5m", "30m", "1h", "12h"]


class ServedElsewhere(ForModels):
    """Models that a server on one's own machines hands on to somebody who sells them."""

    source: str
    checked: date


class Explained(Strict):
    """What to do about a condition that has no price per token anywhere."""

    conditions: dict[ConditionName, list[str]]  # any of them
    detail: str


class ProvidersFile(Strict):
    """The whole of data/providers.yaml."""

    names: dict[str, list[str]]
    gateways: list[str]
    servers: list[str]
    served_elsewhere: list[ServedElsewhere]
    id_prefixes: dict[str, list[str]]
    free_endings: list[FreeEnding]
    routing_endings: list[RoutingEnding]
    uses_tools: list[UsesTool]
    service_tiers: dict[str, dict[str, list[str]]]
    own_prices: list[OwnPrices]
    regions: dict[str, ProviderRegions]
    deployments: dict[str, dict[str, dict[ConditionName, str]]]
    explained: list[Explained]
    neutral: dict[str, dict[ConditionName, list[str]]]
    defaults: list[Defaults]
    known: dict[str, dict[ConditionName, list[str]]]
    bills_as_text: list[BillsAsText]
    writes: list[Writes]
    minimums: list[Minimum]
    cache_write_ttl: list[WriteTtl]
