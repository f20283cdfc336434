"""The price book as rows: what a unit of each meter costs, under which conditions, and when.

It is what the engine charges, made with the engine itself. A row is for one SKU and one meter of it. Which row the line
of an event has: the SKU (and the model), the meter, the input tokens of the whole request within [context_from,
context_to], the instant within [valid_from, valid_to), its second of the week (from Monday 00:00 UTC) within
[week_from, week_to). Conditions are those of the SKU: what a region or a deployment means somewhere is worked out.
"""

from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.facts import CONDITIONS, NOTHING, Facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.compiled import Rate
from stream_jobs.pricing.over_time import EVER, FOR_GOOD, NO_END, WEEK_S, OverTime, Span, rates_of, suffix_of, usd
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.units import PER

MAX_COMBINATIONS: Final = 4_000
"""Of one model's conditions; a file that names more is listed in part, its first ones."""
_ENGINE_WORDS: Final = frozenset({"service_tier", "region", "operation", "fine_tuned"})
NO_TAGS: Final = ("",) * len(ATTRIBUTION_FIELDS)


class Price(NamedTuple):
    """One row. `usd` is for `per` units of the meter, as the book says it; both prices have 18 places."""

    provider: str
    model: str  # id in the book, or the accelerator or SKU of a rate card
    meter: str  # as receipts name it
    sku: str
    tier: str  # service tier or purchase option
    conditions: tuple[tuple[str, str], ...]  # all others of the SKU
    context_from: int
    context_to: int
    week_from: int
    week_to: int
    valid_from: datetime
    valid_to: datetime
    scope: tuple[tuple[str, str], ...]  # of the attribution; contracts
    cost: str  # list, contracted, effective: which cost it is the price of
    usd_per_unit: Decimal
    usd: Decimal
    per: int
    layer: str  # contract, rate card, correction, base
    source: str


def token_prices(book: PriceBook, providers: Container[str] | None = None) -> Iterator[Price]:
    """The list prices of everything that is sold by tokens, calls and pages, by these providers or by all."""
    base = f"genai-prices {book.describe()['genai_prices']}"
    for provider, model in _sold(book):
        if providers is not None and provider not in providers:
            continue
        for price, spans in _of_model(book, provider, model, base).items():
            for start, end in _together(spans):
                yield Price(*price[:10], start, end, *price[12:])
    for owner, item in book.engine.self_hosted.declared:
        for pattern in item.models:
            rates = book.engine.self_hosted.rates(item, owner, pattern)
            for meter, rate in rates_of(rates):
                yield _own(meter, rate, owner, pattern, (item.valid_from or EVER, item.valid_to or FOR_GOOD))


def _of_model(book: PriceBook, provider: str, model: str, base: str) -> dict[Price, list[Span]]:
    """Each price of a model without its time, and when it holds."""
    engine = book.engine.alone()  # for each model: what was worked out for it is let go of
    over_time = OverTime(engine)
    found: dict[Price, list[Span]] = {}
    seen: set[object] = set()
    for ref in book.catalog.refs(provider, model):
        for said in _combinations(book, provider, ref):
            meant = engine.meant(_facts(provider, ref, said))
            if isinstance(meant, Missing):
                continue
            lines, slots = over_time.lines(meant)
            # What leads to the same prices has one answer, whatever it is called.
            if (same := (id(lines), tuple(map(suffix_of, slots)))) in seen:
                continue
            seen.add(same)
            names = [_names(conditions) for conditions in slots]
            for (meter, head, slot, tail, above, to, _, _, speaker), per, usd_per_unit, one, week, spans in lines:
                suffix, tier, others = names[slot]
                price = Price(
                    provider, model, meter, f"{head}{suffix}{tail}", tier, others, above, to, *week, EVER, EVER, (),
                    "list", usd_per_unit, one, per, "base" if speaker is None else "correction",
                    base if speaker is None else speaker,
                )  # fmt: skip
                found.setdefault(price, []).extend(spans)
    return found


def _names(conditions: Mapping[str, str]) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """How a row says conditions: in its SKU, as its tier, and all others."""
    others = tuple(sorted((name, value) for name, value in conditions.items() if name != "service_tier"))
    return suffix_of(conditions), conditions.get("service_tier", "standard"), others


def _together(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Spans that touch or overlap as one: several ids of a model can have its price."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _sold(book: PriceBook) -> Iterator[tuple[str, str]]:
    """Provider and model, those that a provider sells for others too."""
    models = book.catalog.models()
    yield from models
    own = set(models)
    for provider in book.catalog.providers():
        for maker in book.catalog.sellers(provider)[1:]:
            yield from ((provider, model) for owner, model in models if owner == maker and (provider, model) not in own)


def _combinations(book: PriceBook, provider: str, ref: str) -> Iterator[dict[str, str]]:
    """Nothing special, and everything together that a price could be named for."""
    values: dict[str, set[str]] = {}
    for identity in book.catalog.meanings(provider, ref):
        if identity.base is not None and not identity.inherited:
            for variant in identity.base.variants:
                for name, value in variant.when.items():
                    values.setdefault(name, set()).add(value)
        for entry in identity.entries:
            for name, several in entry.conditions.items():
                values.setdefault(name, set()).update(several)
    for name in [name for name, known in values.items() if "*" in known]:
        values[name] |= book.engine.values_of(provider, name)
    if "region" in values:
        named = values["region"]
        values["region"] = {book.providers.regions.one_of(provider, word, named) for word in named}
    values = {name: named - {"*"} for name, named in values.items() if name in CONDITIONS or name in _ENGINE_WORDS}
    if ref.startswith("ft:"):
        values.pop("fine_tuned", None)
    names = sorted(values)
    for number, combination in enumerate(product(*(["", *sorted(values[name])] for name in names))):
        if number == MAX_COMBINATIONS:
            return
        yield {name: value for name, value in zip(names, combination, strict=True) if value}


def _facts(provider: str, model: str, conditions: Mapping[str, str]) -> Facts:
    said = dict(conditions)
    tier, region, operation = said.pop("service_tier", None), said.pop("region", None), said.pop("operation", None)
    given: list[tuple[str, str | bool]] = [
        (name, said[name] == "true" if name == "fine_tuned" else said[name]) for name in CONDITIONS if name in said
    ]
    return Facts(
        FOR_GOOD, "tokens", NOTHING, provider, model, None, tier, region, operation, "", "ok", False, tuple(given),
        NOTHING, NO_TAGS, NOTHING,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def parts_of(sku: str) -> tuple[str, str, dict[str, str]]:
    """Price key, service tier and other conditions of a SKU of tokens."""
    what, *rest = sku.split(";")
    said = dict(text.split("=", 1) for text in rest if "=" in text and not text.startswith("input>"))
    return what.rsplit("/", 1)[-1], said.get("service_tier", ""), said


def _own(meter: str, rate: Rate, provider: str, model: str, span: Span) -> Price:
    """Of a model of one's own."""
    key, tier, conditions = parts_of(rate.sku)
    per = PER.get(key, 1)
    others = tuple(sorted((name, value) for name, value in conditions.items() if name != "service_tier"))
    listed = rate.terms.listed
    return Price(
        provider, model, meter, rate.sku, tier or "standard", others, 0, NO_END, 0, WEEK_S, *span, (), "list",
        usd(listed), usd(listed * per), per, "rate card", "",
    )  # fmt: skip
