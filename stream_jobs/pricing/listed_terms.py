"""The price book as rows, second part: what rate cards list, and what is agreed above all list prices.

How a row is read is said in `listed.py`. A row of contracted or effective cost is there where it differs from the cost
before it (list, contracted, effective): without one the price before it is the price. Of several rows whose scope an
event's tags have, the one with the most tags is the event's.

Contracts may name an id of a model, such as a dated one, and not the model. What was served under such an id has rows
of contracted and effective cost whose model is that id; they go before the model's own. Of the ids that a pattern fits,
those that the book knows are listed.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import partial
from itertools import pairwise, product
from typing import Any, Final

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.facts import NOTHING, Facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.listed import NO_TAGS, Price, parts_of, token_prices
from stream_jobs.pricing.over_time import EVER, FOR_GOOD, NO_END, WEEK_S, usd
from stream_jobs.pricing.overlays import RESOURCE_KEYS, Overlay, Overlays
from stream_jobs.pricing.rate_cards import Card, Hourly
from stream_jobs.pricing.resources import Resources
from stream_jobs.pricing.tokens import UnpricedError

MAX_SCOPES: Final = 64
"""Of one price: so many combinations of tags that contracts name; beyond it, the tags of each contract alone."""
MAX_PLACES: Final = 2_000
"""Of one accelerator: regions times types of instances."""
ELSEWHERE: Final = "*"
"""Any region, or any type of instance, that no other row names."""
_UNHEARD_OF: Final = "spendstream-elsewhere"
_OPTIONS: Final = ("on_demand", "reserved", "spot", "committed")
Costs = tuple[Fraction, Fraction, Fraction]
"""List, contracted and effective pico-USD per unit of the meter."""
Sources = tuple[str, str]
"""Where contracted and effective cost were agreed."""
Scope = frozenset[tuple[str, str]]


def prices(book: PriceBook, providers: Container[str] | None = None) -> Iterator[Price]:
    """Every price of the book: list prices, and behind each the contracted and effective ones that differ from it. With
    providers: of tokens only theirs."""
    overlays = book.engine.overlays
    own: dict[tuple[str, str], list[str]] = {}
    for price in token_prices(book, providers):
        yield price
        if price.layer != "rate card":
            model = price.provider, price.model
            if model not in own:
                own[model] = _ids(book, *model)
            yield from _agreed(overlays, price, own[model])
    yield from _resources(book.resources, overlays)


def _ids(book: PriceBook, provider: str, model: str) -> list[str]:
    """The ids of a model that contracts name, where they do not name the model by the same word."""
    patterns = {word for word in book.engine.overlays.models_named(provider) if not fnmatchcase(model, word)}
    if not patterns:
        return []
    meanings = book.catalog.meanings
    known = dict.fromkeys([*book.catalog.names_of(provider, model), *sorted(patterns)])
    named = [one for one in known if one != model and any(fnmatchcase(one, word) for word in patterns)]
    return [one for one in named if any((said.own, said.model) == (one, model) for said in meanings(provider, one))]


def _agreed(overlays: Overlays, price: Price, ids: Iterable[str]) -> Iterator[Price]:
    """What contracts make of a list price of tokens; `ids` of its model may have terms of their own."""
    if not overlays.overlays:
        return
    plain = list(_contracts(overlays, price, (price.model,)))
    yield from plain
    for one in ids:
        models = (one, price.model)
        if list(_contracts(overlays, price, models)) != plain:
            yield from (row._replace(model=one) for row in _contracts(overlays, price, models, whole=True))


def _contracts(overlays: Overlays, price: Price, models: tuple[str, ...], *, whole: bool = False) -> Iterator[Price]:
    """`whole`: contracted and effective cost are said even where they are the cost before."""
    matching = overlays.about(price.provider, models, price.sku)
    listed = Fraction(price.usd) * 10**12 / price.per
    key, _, _ = parts_of(price.sku)

    def costs(scope: Scope, at: datetime) -> tuple[Costs, Sources]:
        about: Any = {"provider": price.provider, "models": models, "sku": price.sku, "price_key": key, "at": at}
        terms = overlays.terms(**about, scope=dict(scope), listed=listed)
        said = overlays.sources(**about, scope=dict(scope))
        return (terms.listed, terms.contracted, terms.effective), said

    found: dict[Price, list[tuple[datetime, datetime]]] = {}
    for start, end in _spans(price.valid_from, price.valid_to, matching):
        holding = [overlay for overlay in matching if overlay.holds(start)]
        at_start = partial(costs, at=start)
        for row in _rows(price, scopes(holding), (listed,) * 3, at_start, whole=whole):
            _extend(found, row, start, end)
    yield from _dated(found)


def scopes(overlays: Iterable[Overlay]) -> list[Scope]:
    """The sets of tags that can make a difference, the smallest first: of each contract, and of several at once."""
    alone = {frozenset(overlay.scope.attribution.items()) for overlay in overlays}
    found: set[Scope] = {frozenset()} | {frozenset((str(name), value) for name, value in scope) for scope in alone}
    single = list(found)
    for scope in single:
        both = {one | scope for one in found if len(dict(one | scope)) == len(one | scope)}
        if len(found | both) > MAX_SCOPES:
            return sorted(single, key=lambda one: (len(one), sorted(one)))
        found |= both
    return sorted(found, key=lambda one: (len(one), sorted(one)))


def _rows(
    price: Price,
    among: Sequence[Scope],
    plain: Costs,
    costs: Callable[[Scope], tuple[Costs, Sources]],
    *,
    whole: bool = False,
) -> Iterator[Price]:
    """The rows of contracted and effective cost, where they say something that the rows before them don't; `whole`: of
    events without tags also where they don't. `plain` is what it costs without any contract."""
    said: dict[str, list[tuple[Scope, Fraction]]] = {"contracted": [], "effective": []}
    for scope in among:
        (listed, contracted, effective), sources = costs(scope)
        for cost, before, value, usual, source in (
            ("contracted", listed, contracted, plain[1], sources[0]),
            ("effective", contracted, effective, plain[2], sources[1]),
        ):
            narrower = {amount for other, amount in said[cost] if other < scope} or {before}
            if narrower != {value} or (whole and not scope):
                said[cost].append((scope, value))
                yield price._replace(
                    scope=tuple(sorted(scope)), cost=cost, usd_per_unit=usd(value), usd=usd(value * price.per),
                    layer="rate card" if price.layer == "rate card" and value == usual else "contract",
                    source=price.source if value == usual else source,
                )  # fmt: skip


def _spans(start: datetime, end: datetime, overlays: Iterable[Overlay]) -> list[tuple[datetime, datetime]]:
    inside = {at for overlay in overlays for at in overlay.boundaries() if start < at < end}
    return list(pairwise([start, *sorted(inside), end]))


def _extend(found: dict[Price, list[tuple[datetime, datetime]]], row: Price, start: datetime, end: datetime) -> None:
    spans = found.setdefault(row._replace(valid_from=EVER, valid_to=EVER), [])
    if spans and spans[-1][1] == start:
        spans[-1] = (spans[-1][0], end)
    else:
        spans.append((start, end))


def _dated(found: Mapping[Price, list[tuple[datetime, datetime]]]) -> Iterator[Price]:
    for row, spans in found.items():
        for start, end in spans:
            yield row._replace(valid_from=start, valid_to=end)


def _resources(resources: Resources, overlays: Overlays) -> Iterator[Price]:
    """GPUs, CPUs and SKUs of rate cards, as the engine prices an event about each in every place that a card names."""
    plain = resources.alone()
    for provider, model, usage, cards in resources.sold():
        bounds = {EVER, FOR_GOOD, *(at for card in cards for at in card.boundaries()), *overlays.boundaries()}
        spans = [span for span in pairwise(sorted(bounds)) if EVER <= span[0] < span[1] <= FOR_GOOD]
        options = ("standard",) if "quantity" in usage else _OPTIONS
        for (region, instance), option in product(_places(cards), options):
            facts = _facts(provider, usage, option, region, instance)
            found: dict[Price, list[tuple[datetime, datetime]]] = {}
            for start, end in spans:
                among = scopes(overlay for overlay in overlays.overlays if overlay.holds(start))
                about = provider, model, overlays
                for row in _priced(resources, plain, facts._replace(occurred_at=start), among, about):
                    where = [("instance_type", instance), ("region", region)]
                    place = tuple((name, value) for name, value in where if value is not None)
                    _extend(
                        found, row._replace(provider=provider, model=model, tier=option, conditions=place), start, end
                    )
            yield from _dated(found)


def _places(cards: Sequence[Card]) -> list[tuple[str | None, str | None]]:
    """Region and type of instance of an event: none, one that a card names, and one that none does, in all combinations
    (of very many, those of each card)."""
    own = [(_named(card, "regions", "home"), _named(card, "instance_types", "sizes")) for card in cards]
    regions, types = ({name for names in found for name in names} for found in zip(*own, strict=True))
    everywhere, alike = sorted(regions), sorted(types)
    if len(everywhere) * len(alike) <= MAX_PLACES:
        own = [(everywhere, alike)]
    hourly = any(isinstance(card, Hourly) for card in cards)
    found: dict[tuple[str | None, str | None], None] = {}
    for places, instances in own:
        ends = [*instances, None, ELSEWHERE] if hourly else [None]
        found.update(dict.fromkeys(product([*places, None, ELSEWHERE], ends)))
    return list(found)


def _named(card: Card, *fields: str) -> list[str]:
    return [name for field in fields for name in getattr(card, field, None) or ()]


def _facts(provider: str, usage: Mapping[str, object], option: str, region: str | None, instance: str | None) -> Facts:
    said = {**usage, "purchase_option": option, "instance_type": _heard(instance)}
    kind = "metered" if "quantity" in usage else "compute"
    return Facts(
        EVER,
        kind,
        said,
        provider,
        None,
        None,
        None,
        _heard(region),
        None,
        "",
        "ok",
        False,
        (),
        NOTHING,
        NO_TAGS,
        NOTHING,
    )


def _heard(name: str | None) -> str | None:
    return _UNHEARD_OF if name == ELSEWHERE else name


def _priced(
    resources: Resources, plain: Resources, facts: Facts, among: Sequence[Scope], about: tuple[str, str, Overlays]
) -> Iterator[Price]:
    """The rows of one instant, without their names."""
    provider, model, overlays = about
    for meter, (sku, costs) in _lines(plain, facts, frozenset()).items():
        key = "unit" if meter == "quantity" else f"{'gpu' if meter == 'gpu_seconds' else 'vcpu'}_hour"
        per = RESOURCE_KEYS[key]
        row = Price(
            "", "", meter, sku, "", (), 0, NO_END, 0, WEEK_S, EVER, EVER, (), "list", usd(costs[0]),
            usd(costs[0] * per), per, "rate card", "",
        )  # fmt: skip
        yield row
        named: Any = {
            "provider": provider.lower(),
            "models": ("" if meter == "cpu_seconds" else model.lower(),),
            "sku": sku.partition(";")[0],
            "price_key": key,
            "at": facts.occurred_at,
        }

        def said(scope: Scope, meter: str = meter, named: Any = named) -> tuple[Costs, Sources]:
            return _lines(resources, facts, scope)[meter][1], overlays.sources(**named, scope=dict(scope))

        yield from _rows(row, among, costs, said)


def _lines(resources: Resources, facts: Facts, scope: Scope) -> dict[str, tuple[str, Costs]]:
    """SKU and costs by meter; of what is not sold, nothing. The cost of a million hours has the digits of a price."""
    tags = dict(scope)
    facts = facts._replace(tags=tuple(tags.get(name, "") for name in ATTRIBUTION_FIELDS))
    try:
        lines = resources.metered(facts)[1] if facts.kind == "metered" else resources.compute(facts)[1]
    except UnpricedError:
        return {}
    return {
        line.meter: (line.sku, tuple(Fraction(cost) / Fraction(line.quantity) for cost in line[5:8]))  # type: ignore[misc]
        for line in lines
    }
