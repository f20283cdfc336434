"""What explains a finding, as it is kept with it (JSON), in lines for people.

What is kept may be of an older or a newer version: what is not understood is left out, and never an error.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from stream_jobs.anomalies.words import series_name
from stream_jobs.base.instants import parse_utc
from stream_jobs.base.readable import exact, money

FACTORS: Final[Mapping[str, str]] = {
    "volume": "number of requests",
    "mix": "mix of models",
    "tokens_per_request": "tokens per request",
    "cache": "prompt caching",
    "price": "price per token",
    "cost_per_request": "cost per request",
    "without_requests": "credits, fees and storage",
}
MOST_SETS: Final = 3
MOST_PEOPLE: Final = 5
MOST_REQUESTS: Final = 5
_NEGLIGIBLE: Final = Decimal("0.01")
_HUNDRED: Final = Decimal(100)
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class ExplainedBy:
    """Entries that have these values in common, and what of the excess they explain."""

    values: Mapping[str, str]
    explains: Decimal
    share: Decimal | None
    factor: str = ""


@dataclass(frozen=True, slots=True)
class DearRequest:
    """One of the dearest requests."""

    event_id: str
    cost: Decimal
    at: datetime | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cause:
    """Money in USD."""

    sentences: tuple[str, ...] = ()  # explain's own
    sets: tuple[ExplainedBy, ...] = ()
    factors: tuple[tuple[str, Decimal], ...] = ()  # of the excess, the largest first
    people: tuple[tuple[str, Decimal], ...] = ()
    requests: tuple[DearRequest, ...] = ()
    compared: str = ""  # with what: the same hours of earlier weeks

    @property
    def known(self) -> bool:
        return bool(self.sentences or self.sets or self.factors or self.people or self.requests)

    def lines(self, most: int | None = None) -> list[str]:
        """Sentences, the most telling first. Texts are as they came: whoever shows them escapes."""
        return list(self._lines())[:most]

    def _lines(self) -> Iterator[str]:
        yield from self.sentences
        for one in () if self.sentences else self.sets[:MOST_SETS]:
            share = f", {one.share * _HUNDRED:.0f} % of it" if one.share is not None else ""
            factor = f", by its {FACTORS.get(one.factor, one.factor)}" if one.factor else ""
            yield f"{series_name(one.values)}: {_signed(one.explains)}{share}{factor}"
        whole = sum((abs(part) for _, part in self.factors), Decimal(0))
        told = [
            f"{FACTORS.get(name, name)} {_signed(part)}"
            for name, part in self.factors
            if abs(part) > whole * _NEGLIGIBLE
        ]
        if told:
            yield f"by factor: {', '.join(told)}"
        if self.people:
            yield f"users: {', '.join(f'{name} {_signed(part)}' for name, part in self.people[:MOST_PEOPLE])}"
        if self.requests:
            dear = (f"{one.event_id} {money(one.cost)}" for one in self.requests[:MOST_REQUESTS])
            yield f"dearest requests: {', '.join(dear)}"
        if self.compared:
            yield f"compared with {self.compared}"


def cause_of(text: str) -> Cause:
    """What a finding's `cause` says; nothing of it is known where that is no JSON of explain's."""
    try:
        document = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return Cause()
    if not isinstance(document, dict):
        return Cause()
    explained = document.get("explanation", document)
    explained = explained if isinstance(explained, dict) else {}
    parts = _pairs(explained.get("decomposition"))
    parts = sorted((pair for pair in parts if pair[0] != "total" and pair[1]), key=lambda pair: -abs(pair[1]))
    said, compared = document.get("sentences"), document.get("compared")
    return Cause(
        sentences=tuple(text for text in said if isinstance(text, str)) if isinstance(said, list) else (),
        compared=compared if isinstance(compared, str) else "",
        sets=_known(_set, explained.get("sets")),
        factors=tuple(parts),
        people=_known(_person, document.get("users")),
        requests=_known(_request, document.get("requests")),
    )


def _known(read: Callable[[Mapping[str, Any]], _Part | None], items: object) -> tuple[_Part, ...]:
    """What is understood of a list."""
    found = map(read, (item for item in items if isinstance(item, dict))) if isinstance(items, list) else ()
    return tuple(part for part in found if part is not None)


def _set(item: Mapping[str, Any]) -> ExplainedBy | None:
    explains = _amount(item.get("explains"))
    if explains is None:
        return None
    factor = item.get("factor")
    return ExplainedBy(
        _texts(item.get("values")), explains, _amount(item.get("share")), factor if isinstance(factor, str) else ""
    )


def _person(item: Mapping[str, Any]) -> tuple[str, Decimal] | None:
    name, part = item.get("user_id"), _amount(item.get("excess"))
    return (name, part) if isinstance(name, str) and part is not None else None


def _request(item: Mapping[str, Any]) -> DearRequest | None:
    event_id, cost = item.get("event_id"), _amount(item.get("cost"))
    if cost is None or not isinstance(event_id, str):
        return None
    values = {key: value for key, value in item.items() if key not in ("event_id", "cost", "at")}
    return DearRequest(event_id, cost, _instant(item.get("at")), _texts(values))


def _instant(value: object) -> datetime | None:
    try:
        return parse_utc(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _pairs(value: object) -> list[tuple[str, Decimal]]:
    found = value.items() if isinstance(value, dict) else ()
    return [(name, amount) for name, item in found if (amount := _amount(item)) is not None]


def _texts(value: object) -> dict[str, str]:
    found = value.items() if isinstance(value, dict) else ()
    return {name: item for name, item in found if isinstance(item, str)}


def _amount(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount.adjusted()) <= 30 else None


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount >= 0 else ''}{money(amount)}" if amount else exact(amount)
