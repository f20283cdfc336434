"""Corrections of the base prices: the YAML format, and which entries speak at an instant.

The rules are explained for authors in data/corrections/README.md.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from spendstream_schemas import UnpricedReason
from stream_jobs.base.instants import as_utc
from stream_jobs.pricing.rates import Missing, Price, Tiered
from stream_jobs.pricing.units import PER, TOKEN_KEYS, TOOL_KEYS
from stream_jobs.pricing.yaml_models import load_models

_TOOLS = frozenset(TOOL_KEYS.values())
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _exact(value: Any) -> Any:
    """Prices are exact: YAML numbers arrive as int or Decimal, JSON schema sees numbers; a float is a mistake."""
    if isinstance(value, float):
        raise ValueError("is a float: prices are read exactly or not at all")
    return value


def _utc(value: Any) -> Any:
    """A date is midnight UTC; a timestamp must say its offset. Quoted in YAML, both arrive as text."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == len("2026-01-01") else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value[:40]!r} is not a date (2026-04-01) or a time (2026-04-01T00:00:00Z)") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("needs a UTC offset (or write a date: midnight UTC)")
        return as_utc(value)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError("is not a date (2026-04-01) or a time (2026-04-01T00:00:00Z)")


def _day(value: date) -> date:
    if value == date.max:
        raise ValueError(f"{value} has no day after it")
    return value


def _word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, (bool, str, int)) else value


Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, max_digits=30, allow_inf_nan=False)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=30, allow_inf_nan=False), BeforeValidator(_exact)]
Instant = Annotated[datetime, BeforeValidator(_utc)]
Word = Annotated[
    str, BeforeValidator(_word), Field(min_length=1), WithJsonSchema({"type": ["string", "boolean", "integer"]})
]
ConditionName = Literal[
    "service_tier", "speed", "inference_geo", "data_residency", "deployment", "endpoint", "latency", "search_context",
    "size", "quality", "cache", "fine_tuned", "region", "operation",
]  # fmt: skip
"""What `when` can name. `region` and `operation` may be spoken for; all others must be."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(Strict):
    """Above `start` input tokens the whole request costs `price`; null: so long a request is not sold."""

    start: Annotated[int, Field(ge=0, le=10**12)]
    price: Amount | None


class TieredAmount(Strict):
    base: Amount
    tiers: Annotated[list[Tier], Field(min_length=1)]


class Hours(Strict):
    """A daily interval in UTC, from inclusive, to exclusive; it may pass midnight."""

    from_: Annotated[str, Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    to: Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]

    @cached_property
    def seconds(self) -> tuple[int, int]:
        begin, end = (int(text[:2]) * 3600 + int(text[3:]) * 60 for text in (self.from_, self.to))
        return begin, end


class Dated(Strict):
    """Something that holds from an instant (inclusive) to another (exclusive)."""

    valid_from: Instant | None = None
    valid_to: Instant | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise ValueError("valid_to is not after valid_from")
        return self

    def holds(self, at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)

    def boundaries(self) -> list[datetime]:
        return [instant for instant in (self.valid_from, self.valid_to) if instant is not None]


class Sourced(Dated):
    source: Annotated[str, Field(min_length=1)]
    checked: date
    reason: str = ""


class Entry(Sourced):
    """What the provider's page said: prices or a multiplier, for models, under conditions, for a time."""

    # Ids, or "*": all of the provider. No other patterns: they would be ids of models that nobody has.
    models: Annotated[list[Annotated[str, Field(pattern=r"^(\*|[^*]+)$")]], Field(min_length=1)]
    exact: bool = False
    when: dict[ConditionName, Word | list[Word]] = Field(default_factory=dict)
    time_of_day: Hours | None = None
    weekdays: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None = None
    except_dates: list[Annotated[date, AfterValidator(_day)]] = Field(default_factory=list)
    prices: dict[str, Amount | TieredAmount | None] | None = None
    replace: bool = False
    multiplier: Amount | None = None
    meters: list[str] | None = None  # price keys that a multiplier is for
    bills_as_text: list[str] = Field(default_factory=list)
    by_region: bool = False  # outside of the provider's home regions there are only the prices that entries name

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.prices is None) == (self.multiplier is None) and not self.bills_as_text and not self.by_region:
            raise ValueError("needs either prices or a multiplier")
        if self.multiplier is None and self.meters is not None:
            raise ValueError("meters belong to a multiplier")
        if self.multiplier is not None and self.replace:
            raise ValueError("a multiplier cannot replace anything")
        unknown = sorted({*(self.prices or ()), *(self.meters or ())} - PER.keys())
        if unknown:
            raise ValueError(f"unknown price keys: {', '.join(unknown)}")
        return self

    @cached_property
    def conditions(self) -> dict[str, frozenset[str]]:
        return {k: frozenset(v if isinstance(v, list) else [v]) for k, v in self.when.items()}

    @cached_property
    def table(self) -> dict[str, Price | Missing]:
        """The prices in the engine's terms."""
        return {key: _price(key, value, self.reason) for key, value in (self.prices or {}).items()}

    @property
    def makes_a_model(self) -> bool:
        """True if an id that the base data does not have is a model because of this entry: it has a standard price.

        A tier, a multiplier or the price of a tool alone is for a model that the provider inherits from its maker.
        """
        return self.prices is not None and not self.when and (not self.prices or not self.prices.keys() <= _TOOLS)

    def speaks_under(self, conditions: Mapping[str, str]) -> bool:
        return all(
            key in conditions and (conditions[key] in values or "*" in values)
            for key, values in self.conditions.items()
        )

    def multiplies(self, price_key: str) -> bool:
        return price_key in self.meters if self.meters is not None else price_key in TOKEN_KEYS

    def speaks_at(self, at: datetime) -> bool:
        if not self.holds(at) or at.date() in self.except_dates:
            return False
        if self.weekdays is not None and WEEKDAYS[at.weekday()] not in self.weekdays:
            return False
        if self.time_of_day is None:
            return True
        begin, end = self.time_of_day.seconds
        second = at.hour * 3600 + at.minute * 60 + at.second
        return begin <= second < end if begin <= end else second >= begin or second < end

    def boundaries(self) -> list[datetime]:
        days = [datetime.combine(day, time(), UTC) for day in self.except_dates]
        return [*super().boundaries(), *days, *(day + timedelta(days=1) for day in days)]

    def seconds_of_week(self) -> set[int]:
        """Where in a week the entry starts or stops speaking; empty if it holds all week."""
        marks: set[int] = set()
        if self.weekdays is not None:
            marks |= {day * 86400 for day in range(7)}
        if self.time_of_day is not None:
            marks |= {day * 86400 + second % 86400 for day in range(7) for second in self.time_of_day.seconds}
        return marks


class Alias(Sourced):
    """An id clients use that means an id of the book; with dates if it moved."""

    alias: Annotated[str, Field(min_length=1)]
    model: Annotated[str, Field(min_length=1)]


class Moving(Strict):
    """An id that moves. `priced_as` if it is sold as a product of its own."""

    id: Annotated[str, Field(min_length=1)]
    priced_as: str | None = None
    source: str = ""
    checked: date | None = None


class CorrectionFile(Strict):
    """One provider's corrections."""

    provider: Annotated[str, Field(min_length=1)]
    entries: list[Entry] = Field(default_factory=list)
    aliases: list[Alias] = Field(default_factory=list)
    moving: list[str | Moving] = Field(default_factory=list)


class Corrections:
    """All corrections, indexed by provider and lower-case id. Within a provider the order of the files is kept."""

    def __init__(self, documents: Iterable[CorrectionFile]) -> None:
        self._by_model: dict[tuple[str, str], list[tuple[int, Entry]]] = {}
        self._aliases: dict[tuple[str, str], list[Alias]] = {}
        self._moving: dict[tuple[str, str], Moving] = {}
        self._values: dict[tuple[str, str], set[str]] = {}
        self._priced: set[tuple[str, str]] = set()
        self.providers: set[str] = set()
        self.entries = self.aliases = 0
        for document in documents:
            self._add(document)

    def _add(self, document: CorrectionFile) -> None:
        provider = document.provider
        self.providers.add(provider)
        for entry in document.entries:
            self.entries += 1
            for model in entry.models:
                self._by_model.setdefault((provider, model.lower()), []).append((self.entries, entry))
                if entry.makes_a_model:
                    self._priced.add((provider, model.lower()))
            for key, values in entry.conditions.items():
                self._values.setdefault((provider, key), set()).update(values)
        for alias in document.aliases:
            self.aliases += 1
            self._aliases.setdefault((provider, alias.alias.lower()), []).append(alias)
        for item in document.moving:
            moving = Moving(id=item) if isinstance(item, str) else item
            self._moving[(provider, moving.id.lower())] = moving

    def lists(self, provider: str, model: str) -> bool:
        """True if an entry gives the id a standard price: it is then an id of the book, whatever the base data says."""
        return (provider, model) in self._priced

    def models_of(self, provider: str) -> set[str]:
        return {model for owner, model in self._by_model if owner == provider}

    def entries_for(self, provider: str, own: str, names: Iterable[str]) -> tuple[Entry, ...]:
        """Entries for an event whose own id is `own` and which is also known as `names`, in file order."""
        found: dict[int, Entry] = {}
        for name in {"*", own, *names}:
            listed = self._by_model.get((provider, name), ())
            found.update((rank, entry) for rank, entry in listed if name in ("*", own) or not entry.exact)
        return tuple(found[rank] for rank in sorted(found))

    def tables(self) -> list[tuple[str, Mapping[str, Price | Missing]]]:
        """What all entries say, of every model; with the provider."""
        return [(provider, entry.table) for (provider, _), listed in self._by_model.items() for _, entry in listed]

    def aliases_for(self, provider: str, ref: str) -> list[Alias]:
        return self._aliases.get((provider, ref), [])

    def aliases_of(self, provider: str, model: str) -> list[str]:
        """Ids that were ever declared to mean a model of the book."""
        declared = (alias for (owner, _), several in self._aliases.items() if owner == provider for alias in several)
        return sorted({alias.alias.lower() for alias in declared if alias.model.lower() == model})

    def moving_for(self, provider: str, ref: str) -> Moving | None:
        return self._moving.get((provider, ref))

    def values_of(self, provider: str, condition: str) -> set[str]:
        """Values of a condition that some entry of the provider knows."""
        return self._values.get((provider, condition), set())


def load_corrections(folders: Iterable[Path]) -> list[CorrectionFile]:
    """All correction files of the folders, in order of folder and name. Raises ConfigError with all problems."""
    return load_models(CorrectionFile, folders)


def _price(key: str, value: Decimal | TieredAmount | None, reason: str) -> Price | Missing:
    if value is None:
        why = f": {reason}" if reason else ""
        return Missing(UnpricedReason.NO_PRICE_FOR_METER, f"the book has no price {key}{why}")
    if isinstance(value, TieredAmount):
        return Tiered(value.base, tuple(sorted((tier.start, tier.price) for tier in value.tiers)))
    return value
