"""The list prices of a book as rows, worked out for each combination of conditions by itself: what `listed` must say.

Slow: the engine is asked at every instant and in every part of the week at which any price of the model may change.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.engine import Brackets, Engine, Resolved
from stream_jobs.pricing.listed import Price, _combinations, _facts, _sold, parts_of
from stream_jobs.pricing.over_time import EVER, FOR_GOOD, NO_END, WEEK_S, Span, Week, _instant, rates_of, usd
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.units import PER


def plainly(book: PriceBook, *providers: str) -> Iterator[Price]:
    """In the order of `token_prices`; of a book without models of one's own."""
    base = f"genai-prices {book.describe()['genai_prices']}"
    for provider, model in _sold(book):
        if provider not in providers:
            continue
        engine = book.engine.alone()
        found: dict[Price, list[Span]] = {}
        for ref in book.catalog.refs(provider, model):
            for conditions in _combinations(book, provider, ref):
                resolved = engine.resolved(_facts(provider, ref, conditions))
                if isinstance(resolved, Missing):
                    continue
                for price, span in _over_time(book, engine, provider, ref, resolved, base):
                    found.setdefault(price._replace(provider=provider, model=model), []).append(span)
        for price, spans in found.items():
            for start, end in _united(spans):
                yield price._replace(valid_from=start, valid_to=end)


def _united(spans: list[Span]) -> list[Span]:
    """The same instants in as few spans as there can be."""
    marks = sorted({at for span in spans for at in span})
    held = [(a, b) for a, b in pairwise(marks) if any(start <= a and b <= end for start, end in spans)]
    starts = [a for a, _ in held if not any(end == a for _, end in held)]
    ends = [b for _, b in held if not any(start == b for start, _ in held)]
    return list(zip(starts, ends, strict=True))


def _over_time(
    book: PriceBook, engine: Engine, provider: str, ref: str, resolved: Resolved, base: str
) -> Iterator[tuple[Price, Span]]:
    found: dict[tuple[Price, Week], list[Span]] = {}
    bounds = [EVER, *(at for at in resolved.starts if EVER < at < FOR_GOOD), FOR_GOOD]
    for start, end in pairwise(bounds):
        identity = book.catalog.identify(provider, ref, None, start)
        if not isinstance(identity, Identity):
            continue
        weeks: dict[Price, list[Week]] = {}
        for begin, until in pairwise([0, *(second for second in resolved.seconds if 0 < second < WEEK_S), WEEK_S]):
            if (instant := _instant(start, end, begin, until)) is None:
                continue
            for price in _at(engine, identity, resolved, instant, base):
                said = weeks.setdefault(price, [])
                said[-1:] = [(said[-1][0], until)] if said and said[-1][1] == begin else [*said[-1:], (begin, until)]
        for price, several in weeks.items():
            for week in several:
                found.setdefault((price, week), []).append((start, end))
    for (price, (week_from, week_to)), spans in found.items():
        for span in spans:
            yield price._replace(week_from=week_from, week_to=week_to), span


def _at(engine: Engine, identity: Identity, resolved: Resolved, at: datetime, base: str) -> Iterator[Price]:
    answer = resolved.at(at)
    if isinstance(answer, Missing):
        return
    starts = [0, *(start + 1 for start in answer.starts)] if isinstance(answer, Brackets) else [0]
    for first in starts:
        index = bisect_right(starts, first)
        last = starts[index] - 1 if index < len(starts) else NO_END
        compiled = answer.at(first) if isinstance(answer, Brackets) else answer
        for meter, rate in rates_of(compiled):
            key, tier, conditions = parts_of(rate.sku)
            others = tuple(sorted((name, value) for name, value in conditions.items() if name != "service_tier"))
            source = engine.speaker(identity, key, conditions, at)
            listed, per = rate.terms.listed, PER[key]
            yield Price(
                "", "", meter, rate.sku, tier or "standard", others, first, last, 0, WEEK_S, EVER, EVER, (), "list",
                usd(listed), usd(listed * per), per, "base" if source is None else "correction", source or base,
            )  # fmt: skip
