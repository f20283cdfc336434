"""What a recent mix of usage costs at other dates than today's: prices that are known to change, in the future too.

Every part of the mix is priced by the engine itself at each stretch of time between two of its changes: the book's own
dates, corrections and rate cards, contracts that begin and end. So a factor is exact for each cost, and only the mix is
assumed to stay. The same looks back: by the factors of the past a history can be brought to today's prices, or a price
that changed looks like growth.

An event keeps its hour and its day of the week: what is cheaper at night is no change of the terms.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from stream_jobs.facts import Facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.changing import Price, changes_of, price_of, terms_of

Cost = Literal["list", "contracted", "effective"]
COSTS: Final[tuple[Cost, ...]] = ("list", "contracted", "effective")
MAX_CHANGES: Final = 50
"""So many are told, the largest first; all of them are in the factors."""
_NOTHING: Final = (Fraction(0),) * len(COSTS)
_WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)


class Used(NamedTuple):
    """A part of the mix: events that are priced alike."""

    facts: Facts
    """Of one of them. Its usage is that of one event, or the mean of all as fractions: then all are on the same side of
    every length of context at which prices change."""
    events: int


@dataclass(frozen=True, slots=True)
class Change:
    """At an instant the mix begins to cost something else."""

    at: datetime
    factor: float  # what it costs from then on, as a multiple of before
    what: tuple[str, ...]  # "contract X ends", "list price of provider/model"

    @property
    def words(self) -> str:
        """For people: when, by how much, and what it is."""
        return f"{self.at:%Y-%m-%d}: {(self.factor - 1) * 100:+.1f} % ({', '.join(self.what)})"


@dataclass(frozen=True, slots=True)
class Ahead:
    """Of one mix, relative to what it costs now."""

    factors: Mapping[Cost, tuple[float, ...]]
    """One for each cell: the mean over its time of the price of the mix, exactly 1.0 where it is today's; all 1 if the
    mix costs nothing today."""
    changes: tuple[Change, ...]  # of the effective cost, by time
    kept: tuple[str, ...]
    """What has no price for a part of the time, in words: there the last known one goes on, or the first is taken."""
    unpriced: int  # events of the mix that have no price at any time; they are left out

    @property
    def moves(self) -> bool:
        """Whether any factor is not 1."""
        return any(factor != 1 for factors in self.factors.values() for factor in factors)


def price_factors(book: PriceBook, mix: Sequence[Used], edges: Sequence[datetime], now: datetime) -> Ahead:
    """Over the cells between each two of `edges` (aware, rising), before and after `now`, whose prices are 1.0.

    Raises ValueError for edges that do not rise.
    """
    # In a zone of their own two instants would be told apart by its clock, which jumps.
    edges, now = [edge.astimezone(UTC) for edge in edges], now.astimezone(UTC)
    if any(one >= two for one, two in pairwise(edges)):
        raise ValueError("the edges of cells must rise")
    first, last = (min(edges[0], now), max(edges[-1], now)) if edges else (now, now)
    moved: dict[datetime, tuple[Fraction, ...]] = {}  # what all begins to cost more at an instant, by cost
    named: dict[datetime, dict[str, None]] = {}
    kept: dict[str, None] = {}
    unpriced = 0
    for used in mix:
        prices = _over_time(book, used.facts, first, last)
        if all(price.costs is None for _, price in prices):
            unpriced += used.events
            continue
        kept.update(dict.fromkeys(_gaps(prices)))
        before: Price | None = None
        for start, price in _without_gaps(prices):
            if before is not None and price.costs == before.costs:
                continue
            if before is not None:
                named.setdefault(start, {}).update(dict.fromkeys(terms_of(book, used.facts, before, price, start)))
            more = _more(used.events, price, before)
            moved[start] = _added(moved.get(start, _NOTHING), more)
            before = price
    steps = _steps(moved)
    today = steps[bisect_right([at for at, _ in steps], now) - 1][1]
    factors = {cost: _means(steps, number, today[number], edges) for number, cost in enumerate(COSTS)}
    return Ahead(factors, _told(steps, named), tuple(kept), unpriced)


def _over_time(book: PriceBook, facts: Facts, first: datetime, last: datetime) -> list[tuple[datetime, Price]]:
    """Its price from each instant on, from `first` until after `last`."""
    starts = [first, *(at for at in changes_of(book, facts) if first < at <= last)]
    ends = [*starts[1:], last + _WEEK]
    return [
        (start, price_of(book, facts._replace(occurred_at=_within(start, end, facts.occurred_at))))
        for start, end in zip(starts, ends, strict=True)
    ]


def _within(start: datetime, end: datetime, own: datetime) -> datetime:
    """An instant of [start, end) at the hour and on the day of the week of `own`, or at least at its hour."""
    for step in (_WEEK, _DAY):
        at = own + -((own - start) // step) * step  # the first one from `start` on
        if start <= at < end:
            return at
    return start


def _gaps(prices: Sequence[tuple[datetime, Price]]) -> Iterator[str]:
    """Where it has no price, for people."""
    ever: Price | None = None
    before: Price | None = None
    for start, price in prices:
        if price.costs is None and ever is not None and before is ever:
            yield f"{ever.where} has no price from {start:%Y-%m-%d} on ({price.why}): its last known one is kept"
        elif price.costs is not None and ever is None and before is not None:
            what = f"{price.where} has no price before {start:%Y-%m-%d}"
            yield f"{what} ({before.why}): its first known one is taken"
        ever, before = price if price.costs is not None else ever, price


def _without_gaps(prices: Sequence[tuple[datetime, Price]]) -> Iterator[tuple[datetime, Price]]:
    last = next(price for _, price in prices if price.costs is not None)
    for start, price in prices:
        last = price if price.costs is not None else last
        yield start, last


def _more(events: int, price: Price, before: Price | None) -> tuple[Fraction, ...]:
    costs, was = price.costs or _NOTHING, (before and before.costs) or _NOTHING
    return tuple(events * (cost - old) for cost, old in zip(costs, was, strict=True))


def _added(one: Sequence[Fraction], two: Sequence[Fraction]) -> tuple[Fraction, ...]:
    return tuple(cost + other for cost, other in zip(one, two, strict=True))


_Steps = list[tuple[datetime, tuple[Fraction, ...]]]


def _steps(moved: Mapping[datetime, tuple[Fraction, ...]]) -> _Steps:
    """What all costs from each instant on."""
    steps: _Steps = [(datetime.min.replace(tzinfo=UTC), _NOTHING)]
    for at in sorted(moved):
        steps.append((at, _added(steps[-1][1], moved[at])))
    return steps


def _means(steps: _Steps, number: int, today: Fraction, edges: Sequence[datetime]) -> tuple[float, ...]:
    if today <= 0:
        return (1.0,) * max(len(edges) - 1, 0)
    starts = [at for at, _ in steps]
    found: list[float] = []
    for begin, end in pairwise(edges):
        one, two = bisect_right(starts, begin) - 1, bisect_right(starts, end - timedelta(microseconds=1))
        within = [(max(begin, at), costs[number]) for at, costs in steps[one:two]]
        ends = [*(at for at, _ in within[1:]), end]
        spent = sum(cost * _micros(until - at) for (at, cost), until in zip(within, ends, strict=True))
        found.append(float(spent / _micros(end - begin) / today))
    return tuple(found)


def _micros(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _told(steps: _Steps, named: Mapping[datetime, Mapping[str, None]]) -> tuple[Change, ...]:
    """Of the effective cost, which is the last of them. What begins to cost anything at all has no factor."""
    changes = [
        Change(at, float(costs[-1] / before[-1]), tuple(named[at]))
        for (_, before), (at, costs) in pairwise(steps)
        if before[-1] > 0 and costs[-1] != before[-1]
    ]
    largest = sorted(changes, key=lambda change: -abs(change.factor - 1))[:MAX_CHANGES]
    return tuple(sorted(largest, key=lambda change: change.at))
