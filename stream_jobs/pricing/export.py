"""The price book as a list that the SDK's guard reads: what models cost at an instant, and which do which type of task.

The prices are the contracted ones of a standard request of text: terms for everybody, not those of one team. Where they
differ by the hour, the dearest of the week is listed; where they will change, the list says when.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import Field

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.money import usd_text
from stream_jobs.facts import NOTHING, Facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.compiled import Compiled, Rate
from stream_jobs.pricing.corrections import Strict
from stream_jobs.pricing.engine import Brackets, Resolved
from stream_jobs.pricing.rates import Missing

FORMAT: Final = 1
_MILLION: Final = 1_000_000
_NO_TAGS: Final = ("",) * len(ATTRIBUTION_FIELDS)


class TaskModel(Strict):
    """A model that does a type of task."""

    provider: Annotated[str, Field(min_length=1, max_length=64)]
    model: Annotated[str, Field(min_length=1, max_length=128)]
    quality: Annotated[int, Field(ge=0, le=1000)] = 0
    capabilities: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(default_factory=list)
    context_tokens: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None


class TasksFile(Strict):
    """Which models do which type of task, by one's own evaluation."""

    tasks: dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[list[TaskModel], Field(min_length=1)]]


def price_list(
    book: PriceBook, at: datetime, providers: Iterable[str] = (), tasks: TasksFile | None = None
) -> dict[str, Any]:
    """The list as JSON values. Of these providers, or of all; with tasks and no providers, of their models only."""
    named = {book.catalog.provider(name) or name for name in providers}
    listed = dict.fromkeys((owner, model) for owner, model in book.catalog.models() if owner in named)
    given = {} if tasks is None else tasks.tasks
    if given:
        listed |= dict.fromkeys((item.provider, item.model) for items in given.values() for item in items)
    elif not named:
        listed = dict.fromkeys(book.catalog.models())
    prices = [found for owner, model in listed if (found := _entry(book, owner, model, at)) is not None]
    return {
        "format": FORMAT,
        "price_book_version": book.version,
        "at": at.isoformat(),
        "prices": prices,
        "tasks": {name: [_option(item) for item in items] for name, items in given.items()},
    }


def unlisted(document: dict[str, Any]) -> list[str]:
    """The models of tasks that have no price in the list, each as "provider/model"."""
    priced = {(item["provider"], item["model"]) for item in document["prices"]}
    models = [(item["provider"], item["model"]) for items in document["tasks"].values() for item in items]
    return sorted({f"{provider}/{model}" for provider, model in models if (provider, model) not in priced})


def _option(item: TaskModel) -> dict[str, Any]:
    return item.model_dump(exclude_none=True)


def _entry(book: PriceBook, provider: str, model: str, at: datetime) -> dict[str, Any] | None:
    """None for a model without one price for text both ways at that instant (those that write images have two)."""
    resolved = book.resolve(_plain(provider, model, at))
    if isinstance(resolved, Missing):
        return None
    answers = [resolved.at(instant) for instant in _instants(resolved, at)]
    tables = [None if isinstance(found, Missing) else _tiers(found) for found in answers]
    if None in tables:
        return None
    tiers = max((tiers for tiers in tables if tiers), key=lambda tiers: max(tier[1] + tier[2] for tier in tiers))
    return {
        "provider": provider,
        "model": model,
        "until": next((start.isoformat() for start in resolved.starts if start > at), None),
        "tiers": [
            {
                "above": above,
                "input_usd_per_million": _usd(inputs * _MILLION),
                "output_usd_per_million": _usd(outputs * _MILLION),
                "usd_per_request": _usd(request),
            }
            for above, inputs, outputs, request in tiers
        ],
    }


def _instants(resolved: Resolved, at: datetime) -> Iterator[datetime]:
    """The instant, and one in each part of the week in which prices may differ."""
    yield at
    monday = datetime(at.year, at.month, at.day, tzinfo=UTC) - timedelta(days=at.weekday())
    until = next((start for start in resolved.starts if start > at), None)
    for second in (0, *resolved.seconds) if resolved.seconds else ():
        instant = monday + timedelta(seconds=second)
        instant += timedelta(days=7) if instant < at else timedelta()
        if until is None or instant < until:
            yield instant


_Tier = tuple[int, Fraction, Fraction, Fraction]
"""Above so many input tokens: pico-USD per token of input and of output, and per request."""


def _tiers(found: Compiled | Brackets) -> list[_Tier] | None:
    starts = [0, *found.starts] if isinstance(found, Brackets) else [0]
    tiers: list[_Tier] = []
    for start in starts:
        compiled = found.at(start + 1) if isinstance(found, Brackets) else found
        inputs, outputs, request = compiled.text["input_tokens"], compiled.text["output_tokens"], compiled.request
        tools = _fee_of_tools(compiled)
        if (
            compiled.splits_kinds
            or not (isinstance(inputs, Rate) and isinstance(outputs, Rate))
            or isinstance(request, Missing)
            or tools is None
        ):
            return None
        fee = Fraction(0) if request is None else request.terms.contracted
        tiers.append((start, inputs.terms.contracted, outputs.terms.contracted, fee + tools))
    return tiers


def _fee_of_tools(compiled: Compiled) -> Fraction | None:
    """What the tools cost that a request calls of itself; None where nobody knows how often."""
    if not compiled.adds:
        return Fraction(0)
    rate = compiled.tools[compiled.adds]
    calls = compiled.adds_per_request
    return None if calls is None or isinstance(rate, Missing) else calls * rate.terms.contracted


def _usd(pico: Fraction) -> str:
    """USD of pico-USD, rounded up to a whole one: the guard counts in those."""
    return usd_text(-(-pico.numerator // pico.denominator))


def _plain(provider: str, model: str, at: datetime) -> Facts:
    """A standard request of text."""
    return Facts(
        at, "tokens", NOTHING, provider, model, None, None, None, None, "", "ok", False, (), NOTHING, _NO_TAGS, NOTHING
    )
