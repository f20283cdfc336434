"""Rate cards: what GPUs, CPUs and everything else with a SKU cost. The YAML format and its look-ups."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from stream_jobs.pricing.corrections import Amount, Dated, Percent, Strict

Name = Annotated[str, Field(min_length=1, max_length=128)]
Pattern = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^;\[\]\s]+$")]
"""A model's id, or a pattern of ids: * any text, ? one character."""
PurchaseOption = Literal["reserved", "spot", "committed"]


class Purchase(Strict):
    """The price of another way to buy: absolute, or so many percent off the on-demand price."""

    usd_per_hour: Amount | None = None
    percent_off: Percent | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.usd_per_hour is None) == (self.percent_off is None):
            raise ValueError("needs either usd_per_hour or percent_off")
        return self

    def price(self, on_demand: Fraction) -> Fraction:
        if self.usd_per_hour is not None:
            return Fraction(self.usd_per_hour)
        assert self.percent_off is not None
        return on_demand * Fraction(100 - self.percent_off) / 100


class Card(Dated):
    """A line of a rate card; source and checked default to those of the file."""

    source: str | None = None
    checked: date | None = None


class Hourly(Card):
    """A price per hour, for a region and an instance type if given.

    `home` and `sizes` are places too, but what an event does not say is taken to be one of them. `home` defaults to
    that of the file; a line without any of the four is for every place.
    """

    regions: list[Name] | None = None
    instance_types: list[Name] | None = None
    home: list[Name] | None = None
    sizes: list[Name] | None = None
    usd_per_hour: Amount  # on demand, per GPU or per vCPU
    purchase_options: dict[PurchaseOption, Purchase] = Field(default_factory=dict)

    def fit(self, region: str | None, instance_type: str | None) -> int | None:
        """How specifically the line fits a place (higher is closer), None if it does not."""
        score = 0
        for given, taken, wanted, weight, among in (
            (self.instance_types, self.sizes, instance_type, 2, _among),
            (self.regions, self.home, region, 1, _among_regions),
        ):
            if given is not None:
                if wanted is None or not among(wanted, given):
                    return None
                score += weight
            elif taken is not None and wanted is not None and not among(wanted, taken):
                return None
        return score

    def at_home(self, home: list[Name] | None) -> Self:
        """The line with the regions of its file's head, if it names none."""
        return self if self.home is not None or home is None else self.model_copy(update={"home": home})


class Accelerator(Hourly):
    """One kind of GPU (or TPU, ...): USD per device and hour."""

    names: Annotated[list[Name], Field(min_length=1)]
    cpu_included: bool = False  # the price is of the instance: its vCPU seconds cost nothing more


class Cpu(Hourly):
    """USD per vCPU and hour."""


class SkuPrice(Card):
    """Anything else: USD per unit."""

    sku: Name
    unit: Annotated[str, Field(min_length=1, max_length=64)]
    usd_per_unit: Amount
    regions: list[Name] | None = None


class SelfHosted(Dated):
    """Models that run on one's own machines: their tokens cost nothing, the pool's GPU time is billed by itself."""

    provider: Name | None = None  # the card's, if absent: vllm, ollama, or the service's own word
    models: Annotated[list[Pattern], Field(min_length=1)] = Field(default_factory=lambda: ["*"])
    pool: Annotated[str, Field(pattern=r"^[^;\s]{1,64}$")]


class RateCardFile(Strict):
    """One provider's rate card."""

    provider: Name
    names: list[Name] = Field(default_factory=list)  # other names clients use for the provider
    home: list[Name] | None = None  # regions of the hourly prices that name none; absent: all regions
    source: Annotated[str, Field(min_length=1)]
    checked: date
    accelerators: list[Accelerator] = Field(default_factory=list)
    cpus: list[Cpu] = Field(default_factory=list)
    skus: list[SkuPrice] = Field(default_factory=list)
    self_hosted: list[SelfHosted] = Field(default_factory=list)


H = TypeVar("H", bound=Hourly)
_SEPARATORS = re.compile(r"[\s_]+")
_ZONE = re.compile(r"(\d)-?[a-f]$")


def accelerator_key(name: str) -> str:
    """'NVIDIA A100 80GB' and 'a100-80gb' are the same device; nothing else is assumed to be."""
    return _SEPARATORS.sub("-", name.strip().lower()).removeprefix("nvidia-")


class RateCards:
    """All rate cards. A later file overrides an earlier one where both fit equally well."""

    def __init__(self, files: Iterable[RateCardFile] = ()) -> None:
        self.files = tuple(files)
        self._providers: dict[str, str] = {}
        self._accelerators: dict[tuple[str, str], list[Accelerator]] = {}
        self._cpus: dict[str, list[Cpu]] = {}
        self._skus: dict[tuple[str, str], list[SkuPrice]] = {}
        for file in self.files:
            provider = file.provider.lower()
            self._providers.update({name.lower(): provider for name in (provider, *file.names)})
            for accelerator in file.accelerators:
                for name in accelerator.names:
                    cards = self._accelerators.setdefault((provider, accelerator_key(name)), [])
                    cards.append(accelerator.at_home(file.home))
            self._cpus.setdefault(provider, []).extend(cpu.at_home(file.home) for cpu in file.cpus)
            for sku in file.skus:
                self._skus.setdefault((provider, sku.sku.lower()), []).append(sku)

    def provider(self, name: str) -> str:
        """The provider id for a name; the name itself if no card has it."""
        return self._providers.get(name.lower(), name.lower())

    def accelerators(self, provider: str, name: str) -> Sequence[Accelerator]:
        return self._accelerators.get((provider, accelerator_key(name)), ())

    def cpus(self, provider: str) -> Sequence[Cpu]:
        return self._cpus.get(provider, ())

    def skus(self, provider: str, sku: str) -> Sequence[SkuPrice]:
        return self._skus.get((provider, sku.lower()), ())

    def counts(self) -> dict[str, int]:
        return {
            "accelerators": sum(len(file.accelerators) for file in self.files),
            "cpus": sum(len(file.cpus) for file in self.files),
            "skus": sum(len(file.skus) for file in self.files),
            "self_hosted": sum(len(file.self_hosted) for file in self.files),
        }


def _among(word: str, words: Iterable[str]) -> bool:
    return word.lower() in (known.lower() for known in words)


def _among_regions(word: str, words: Iterable[str]) -> bool:
    """As clouds write them: "East US" is eastus, and a zone (us-central1-a, us-east-1a) lies in its region."""
    said = _SEPARATORS.sub("", word.strip().lower())
    known = {_SEPARATORS.sub("", name.lower()) for name in words}
    return said in known or _ZONE.sub(r"\1", said) in known


def closest(cards: Iterable[H], region: str | None, instance_type: str | None) -> H | None:
    """The card that fits a place most specifically; among equals the one that was read last."""
    best: tuple[int, H] | None = None
    for card in cards:
        fit = card.fit(region, instance_type)
        if fit is not None and (best is None or fit >= best[0]):
            best = (fit, card)
    return best[1] if best else None
