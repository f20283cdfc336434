"""A price list: what models cost, and which of them do which type of task, as `spendstream prices export` writes it.

    guard.wait_ready()  # once, when the service starts
    prices = PriceList.load("/etc/spendstream/prices.json")
    choice = guard.cheapest_capable(None, needs, task="summarization", prices=prices)

It is one JSON document; amounts are decimal texts in USD. A price that was due to change since the list was written is
not known any more: export it again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self

from spendstream.guard.choose import ModelOption, Price, SizedPrice
from spendstream.guard.money import pico_of

FORMAT: Final = 1
_MAX_BYTES: Final = 64 * 1024 * 1024


class PriceListError(ValueError):
    """A file that is no price list; the message says where."""


@dataclass(frozen=True, slots=True)
class _Tier:
    """Prices of requests with more than `above` input tokens."""

    above: int
    input_usd_per_million: Decimal
    output_usd_per_million: Decimal
    usd_per_request: Decimal


@dataclass(frozen=True, slots=True)
class _Listed:
    tiers: tuple[_Tier, ...]  # by rising `above`, the first from 0
    until: datetime | None  # the prices change then


class PriceList:
    """Prices by provider and model, in memory. Immutable: load it again when a new one was exported."""

    def __init__(
        self,
        version: str,
        written_at: datetime,
        prices: Mapping[tuple[str, str], _Listed],
        tasks: Mapping[str, tuple[ModelOption, ...]],
    ) -> None:
        self.version = version  # of the price book
        self.written_at = written_at
        self._prices = prices
        self._tasks = tasks

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file. Raises OSError, and PriceListError for what is no price list."""
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise PriceListError(f"{path}: is larger than {_MAX_BYTES} bytes")
        try:
            return cls.of(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise PriceListError(f"{path}: {error}") from None

    @classmethod
    def of(cls, document: Any) -> Self:
        """The list in a decoded JSON document. Raises PriceListError."""
        try:
            if document["format"] != FORMAT:
                raise PriceListError(f"has the format {document['format']!r}, this SDK reads {FORMAT}")
            prices = {(item["provider"], item["model"]): _listed(item) for item in document["prices"]}
            tasks = {name: tuple(map(_option, models)) for name, models in document["tasks"].items()}
            return cls(document["price_book_version"], _instant(document["at"]), prices, tasks)
        except PriceListError:
            raise
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise PriceListError(f"is no price list: {type(error).__name__}: {error}") from None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The types of tasks that it knows."""
        return tuple(self._tasks)

    def options(self, task: str) -> tuple[ModelOption, ...]:
        """The models that do a type of task; none if it is not known."""
        return self._tasks.get(task, ())

    def price(self, provider: str, model: str) -> Price | None:
        """USD per million tokens of a short request, of input and of output."""
        found = self.price_at(provider, model, 0)
        return None if found is None else (found[0], found[1])

    def price_at(self, provider: str, model: str, input_tokens: int) -> SizedPrice | None:
        """USD per million tokens of input and of output, and USD per request, for a request of that size."""
        listed = self._prices.get((provider, model))
        if listed is None or (listed.until is not None and datetime.now(UTC) >= listed.until):
            return None
        tier = next(tier for tier in reversed(listed.tiers) if input_tokens > tier.above or not tier.above)
        return tier.input_usd_per_million, tier.output_usd_per_million, tier.usd_per_request


def _listed(item: Mapping[str, Any]) -> _Listed:
    tiers = tuple(
        _Tier(
            _count(tier["above"]) or 0,
            *(_usd(tier[name]) for name in ("input_usd_per_million", "output_usd_per_million", "usd_per_request")),
        )
        for tier in item["tiers"]
    )
    if not tiers or tiers[0].above or list(tiers) != sorted(tiers, key=lambda tier: tier.above):
        raise PriceListError(f"{item['provider']}/{item['model']}: its tiers do not rise from 0")
    return _Listed(tiers, None if item["until"] is None else _instant(item["until"]))


def _usd(text: object) -> Decimal:
    if not isinstance(text, str):
        raise PriceListError(f"{text!r} is no text of an amount")
    pico_of(text, "a price")  # finite, not negative
    return Decimal(text)


def _option(item: Mapping[str, Any]) -> ModelOption:
    return ModelOption(
        provider=item["provider"],
        model=item["model"],
        context_tokens=_count(item.get("context_tokens")),
        max_output_tokens=_count(item.get("max_output_tokens")),
        capabilities=frozenset(map(str, item.get("capabilities", ()))),
        quality=_count(item.get("quality")) or 0,
    )


def _count(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise PriceListError(f"{value!r} is no count")
    return value


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise PriceListError(f"{text!r} has no UTC offset")
    return found
