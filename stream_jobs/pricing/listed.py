"""The price book as rows: what a unit of each meter costs, under which conditions, and when.

It is what the engine charges, made with the engine itself. A row is for one SKU and one meter of it. Which row the line
of an event has: the SKU (and the model), the meter, the input tokens of the whole request within [context_from,
context_to], the instant within [valid_from, valid_to), its second of the week (from Monday 00:00 UTC) within
[week_from, week_to). Conditions are those of the SKU: what a region or a deployment means somewhere is worked out.
"""

from collections.abc import Container, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product
from typing import Final, NamedTuple

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import CONDITIONS, NOTHING, Facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.compiled import TEXT_PARTS, Compiled, Rate
from stream_jobs.pricing.engine import Brackets, Engine, Resolved
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.tokens import INPUT_PARTS, OUTPUT_PARTS, meter_of
from stream_jobs.pricing.units import PER

WEEK_S: Final = 7 * 86_400
EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""From the beginning."""
FOR_GOOD: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Until something else is written."""
NO_END: Final = 2**63 - 1
"""Of a context that has no end."""
MAX_COMBINATIONS: Final = 4_000
"""Of one model's conditions; a file that names more is listed in part, its first ones."""
PLACES: Final = 18
_EXACT: Final = Context(prec=60)
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


class Listed(NamedTuple):
    """A list price before it is known from when to when it holds."""

    meter: str
    sku: str
    context_from: int
    context_to: int
    pico: Fraction  # per unit of the meter
    layer: str
    source: str


def token_prices(book: PriceBook, providers: Container[str] | None = None) -> Iterator[Price]:
    """The list prices of everything that is sold by tokens, calls and pages, by these providers or by all."""
    base = f"genai-prices {book.describe()['genai_prices']}"
    for provider, model in _sold(book):
        if providers is not None and provider not in providers:
            continue
        engine = book.engine.alone()  # for each model: what was worked out for it is let go of
        seen: dict[int, Resolved] = {}
        found: dict[Price, list[tuple[datetime, datetime]]] = {}
        for ref in book.catalog.refs(provider, model):
            for conditions in _combinations(book, provider, ref):
                resolved = engine.resolve(_facts(provider, ref, conditions))
                # What leads to the same prices has one answer, whatever it is called.
                if isinstance(resolved, Resolved) and id(resolved) not in seen:
                    seen[id(resolved)] = resolved
                    for price in _over_time(book, engine, provider, model, ref, resolved, base):
                        spans = found.setdefault(price._replace(valid_from=EVER, valid_to=EVER), [])
                        spans.append((price.valid_from, price.valid_to))
        for price, spans in found.items():
            for start, end in _together(spans):
                yield price._replace(valid_from=start, valid_to=end)
    for owner, item in book.engine.self_hosted.declared:
        for pattern in item.models:
            rates = book.engine.self_hosted.rates(item, owner, pattern)
            for meter, rate in _rates(rates):
                one = Listed(meter, rate.sku, 0, NO_END, rate.terms.listed, "rate card", "")
                yield _priced(one, owner, pattern, (item.valid_from or EVER, item.valid_to or FOR_GOOD), (0, WEEK_S))


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


def _over_time(
    book: PriceBook, engine: Engine, provider: str, model: str, ref: str, resolved: Resolved, base: str
) -> Iterator[Price]:
    found: dict[tuple[Listed, tuple[int, int]], list[tuple[datetime, datetime]]] = {}
    for start, end in pairwise([EVER, *(at for at in resolved.starts if EVER < at < FOR_GOOD), FOR_GOOD]):
        identity = book.catalog.identify(provider, ref, None, start)
        if not isinstance(identity, Identity):
            continue
        for listed, weeks in _in_weeks(engine, identity, resolved, start, end, base).items():
            for week in weeks:
                spans = found.setdefault((listed, week), [])
                if spans and spans[-1][1] == start:
                    spans[-1] = (spans[-1][0], end)
                else:
                    spans.append((start, end))
    for (listed, week), spans in found.items():
        for span in spans:
            yield _priced(listed, provider, model, span, week)


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


def _in_weeks(
    engine: Engine, identity: Identity, resolved: Resolved, start: datetime, end: datetime, base: str
) -> dict[Listed, list[tuple[int, int]]]:
    """What is charged between two instants, and in which parts of the week."""
    found: dict[Listed, list[tuple[int, int]]] = {}
    for begin, until in pairwise([0, *(second for second in resolved.seconds if 0 < second < WEEK_S), WEEK_S]):
        instant = _instant(start, end, begin, until)
        answer = None if instant is None else resolved.at(instant)
        if answer is None or isinstance(answer, Missing):
            continue
        assert instant is not None
        for listed in _of_answer(engine, identity, answer, instant, base):
            weeks = found.setdefault(listed, [])
            if weeks and weeks[-1][1] == begin:
                weeks[-1] = (weeks[-1][0], until)
            else:
                weeks.append((begin, until))
    return found


def _instant(start: datetime, end: datetime, begin: int, until: int) -> datetime | None:
    """One of [start, end) that lies in that part of the week; None if there is none."""
    monday = datetime(start.year, start.month, start.day, tzinfo=UTC) - timedelta(days=start.weekday())
    for week in (0, 7):
        first = max(start, monday + timedelta(days=week, seconds=begin))
        if first < min(end, monday + timedelta(days=week, seconds=until)):
            return first
    return None


def _of_answer(
    engine: Engine, identity: Identity, answer: Compiled | Brackets, at: datetime, base: str
) -> Iterator[Listed]:
    starts = [0, *answer.starts] if isinstance(answer, Brackets) else [0]
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], NO_END], strict=True)):
        first = start + 1 if index else 0
        compiled = answer.at(first) if isinstance(answer, Brackets) else answer
        for meter, rate in _rates(compiled):
            key, _, conditions = parts_of(rate.sku)
            correction = engine.speaker(identity, key, conditions, at)
            said = ("base", base) if correction is None else ("correction", correction)
            yield Listed(meter, rate.sku, first, end, rate.terms.listed, *said)


def _rates(compiled: Compiled) -> Iterator[tuple[str, Rate]]:
    """Every rate by the meter of a receipt's line."""
    seen: set[tuple[str, str]] = set()
    plain = compiled.text["output_tokens"]  # what is written and costs the same is one line
    told = [part for part in TEXT_PARTS if part not in OUTPUT_PARTS or compiled.text[part] is not plain]
    found: list[tuple[str, Rate | Missing | None]] = [(part, compiled.text[part]) for part in told]
    for part in told:
        side = "input" if part in INPUT_PARTS or part == "input_tokens" else "output"
        found += [(meter_of(side, part, kind), compiled.cell(part, kind)) for kind in compiled.kinds]
    found += compiled.flats.items()
    found += [(f"tool.{kind}", rate) for kind, rate in compiled.tools.items()]
    found.append(("requests", compiled.request))
    for meter, rate in found:
        if isinstance(rate, Rate) and (meter, rate.sku) not in seen:
            seen.add((meter, rate.sku))
            yield meter, rate


@lru_cache(maxsize=4096)
def parts_of(sku: str) -> tuple[str, str, dict[str, str]]:
    """Price key, service tier and other conditions of a SKU of tokens."""
    what, *rest = sku.split(";")
    said = dict(text.split("=", 1) for text in rest if "=" in text and not text.startswith("input>"))
    return what.rsplit("/", 1)[-1], said.get("service_tier", ""), said


def _priced(listed: Listed, provider: str, model: str, span: tuple[datetime, datetime], week: tuple[int, int]) -> Price:
    key, tier, conditions = parts_of(listed.sku)
    per = PER.get(key, 1)
    others = tuple(sorted((name, value) for name, value in conditions.items() if name != "service_tier"))
    return Price(
        provider, model, listed.meter, listed.sku, tier or "standard", others, listed.context_from, listed.context_to,
        *week, *span, (), "list", usd(listed.pico), usd(listed.pico * per), per, listed.layer, listed.source,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def usd(pico: Fraction) -> Decimal:
    """USD to 18 places, half to even: exact for what is not a price per hour told by the second."""
    scaled = Fraction(pico) * 10**PLACES / PICO_PER_USD
    return _EXACT.scaleb(Decimal(round(scaled)), -PLACES)
