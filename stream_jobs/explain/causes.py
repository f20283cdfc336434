"""What moved, put together: a growth that all have in common, and sets that were different, one after the other.

A set is looked for, what it became is expected from then on, and the next is looked for in what is left. In the end
each set must still tell something beside the others: one that two later ones tell better is dropped.

A single request tells nothing by itself, as there is no knowing what another would have cost. One that is most of what
is left is named all the same, and as what it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stream_jobs.explain.model import Floats, Mask
from stream_jobs.explain.noise import dispersion
from stream_jobs.explain.search import PURE, Found, Literals, Rows, Scan, gain, odds_ratio

MAX_SETS: Final = 6
LEAST_NATS: Final = 4.0
LEAST_SHARE: Final = 0.05
"""Of the largest that was found: what explains less says nothing."""
LEAST_MOVE: Final = 0.03
"""Of all that there was to be expected, or is: whoever asks why it moved is not helped by less."""
LEAST_GROWTH: Final = 0.05
MOST_GROWTH: Final = 7.0
"""Of the logarithm: less is not said, and more is no growth."""
GROWTH_NATS: Final = 6.0
SET_NATS: Final = 10.0
MUCH: Final = 0.2
EXPLAINED: Final = 0.67
MOST: Final = 0.5
"""A growth is common where at least so much of what was before is in no set."""
ALL_OF_IT: Final = 0.95
"""Of what moved: where a set alone tells so much, nothing is common; and of all that moved at any row, up or down:
where sets tell so much, nothing else moved, and they are named however small they are."""
DEAR: Final = 0.1
"""Of everything, and MOST of what is left: a single request that moved so much is named."""
_SHARPER: Final = (4.0, 16.0, 64.0, 256.0)
_ROUNDS: Final = 3
_STEPS: Final = 6
_LEAST: Final = 1e-30
_HALF: Final = 0.5
"""Of a unit of noise, so that what was never there before has finite odds."""


@dataclass(frozen=True, slots=True)
class Table:
    """Costs of rows in USD, how many requests there were before and after together, and whether at neither time more
    than one."""

    before: Floats
    after: Floats
    requests: Floats
    single: Mask
    sharpness: float = 1.0
    """How many times less chance there is than requests make, where nearly nothing moves."""

    def weight(self, times: float) -> Floats:
        """Of each row: 1 / what chance makes of a dollar there, were that the growth."""
        return self._weight(times, np.maximum) * self.sharpness

    def own_weight(self, times: float) -> Floats:
        """The same in the money of each row's own requests, so that many cheap ones tell as much as many dear ones."""
        return self._weight(times, lambda phi, own: np.where(own > 0, own, phi))

    def _weight(self, times: float, of_one: Callable[[float, Floats], Floats]) -> Floats:
        """`of_one`: the money of one request of each row, from that of all and the row's own."""
        was, now = self.before * times, self.after
        phi, sigma2 = dispersion(was, now, float(self.requests.sum()))
        # Alike in both, or rows that happened to be small before would count for more than those that are after.
        size = 4 * was * now / np.maximum(was + now, _LEAST)
        return np.asarray((1 + times) / 2 / (of_one(phi, self._of_one(phi)) + sigma2 * size))

    def _of_one(self, phi: float) -> Floats:
        """The money of one request of each row, and how requests differ: where a request is dear, few of them are much
        money and tell little."""
        size = self.before + self.after
        own = np.divide(size, self.requests, out=np.zeros(len(size)), where=self.requests > 0)
        mean = float((own * size).sum()) / max(float(size.sum()), _LEAST)
        return np.asarray(own * max(phi / max(mean, _LEAST), 1.0))

    def still(self) -> bool:
        """Whether most of the money is in rows that did not move at all."""
        size = self.before + self.after
        return float(size[self.before == self.after].sum()) >= MOST * float(size.sum())

    def mostly(self, found: Found, times: float) -> bool:
        """Whether much was moved, and most of it by this set: then it is named, however much chance there is."""
        moved = self.after - self.before * times
        excess = float(moved.sum())
        return self.much(times) and float(moved[found.rows].sum()) / excess >= EXPLAINED

    def much(self, times: float) -> bool:
        """Whether much was moved at all."""
        excess = float((self.after - self.before * times).sum())
        return excess != 0 and abs(excess) >= MUCH * float(self.before.sum()) * times

    def rows(self, odds: Floats, weight: Floats) -> Rows:
        """`odds`: what is expected after, of each dollar before."""
        expected = (self.before + self.after) * (odds / (1 + odds))
        return Rows(self.before * weight, self.after * weight, expected * weight)


@dataclass(frozen=True, slots=True)
class Causes:
    """All times `times`, and sets that were different, the one that moved most money first."""

    times: float
    sets: list[Found]
    odds: Floats  # as all of these tell it
    weight: Floats

    def outside(self) -> Mask:
        """Rows that no set holds."""
        rest = np.ones(len(self.odds), bool)
        for one in self.sets:
            rest[one.rows] = False
        return rest


def causes(scan: Scan, table: Table, *, alike: bool = False) -> Causes:
    """What tells most. `alike`: all is new, or gone, and in that no row differs."""
    if alike:
        return _with_single(scan, table, _at(scan, table, 1.0, 0))
    found = _with_single(scan, table, _most_telling(scan, table))
    return _plain(scan, table, _sharper(scan, table, found))


def _plain(scan: Scan, table: Table, found: Causes) -> Causes:
    """Where no set is named: one that is most of what moved (all of it, where a growth would be common) beside a rest
    that hardly did, with as little chance as it takes to see it. Of a handful of rows half of which moved nothing tells
    what is chance."""
    if found.sets or not table.much(1.0):
        return found
    for other in _with_less_chance(scan, table):
        if len(other.sets) != 1 or not table.mostly(other.sets[0], 1.0) or not _is_beside(table, other):
            continue
        if found.times == 1 or _leaves_nothing(table, other):
            return other
    return found


def _with_less_chance(scan: Scan, table: Table) -> Iterator[Causes]:
    """What is named where nothing grows in common, with ever less chance."""
    return (_at(scan, replace(table, sharpness=sharpness), 1.0) for sharpness in _SHARPER)


def _leaves_nothing(table: Table, found: Causes) -> bool:
    """Whether the rows of no set are none of the excess, or nearly none."""
    moved = table.after - table.before
    return bool(abs(moved[found.outside()].sum()) <= (1 - ALL_OF_IT) * abs(moved.sum()))


def _is_beside(table: Table, found: Causes) -> bool:
    """Whether what is in no set moved far less than its sets."""
    outside = found.outside()
    rest, moved = (
        abs(np.log(max(float(table.after[rows].sum()), _LEAST) / max(float(table.before[rows].sum()), _LEAST)))
        for rows in (outside, ~outside)
    )
    return bool(table.before[outside].sum() >= MUCH * table.before.sum() and rest < moved / 3)


def _sharper(scan: Scan, table: Table, found: Causes) -> Causes:
    """Where the rest does not move at all: with as little chance as it takes to tell all that moved."""
    if found.times != 1 or not table.still() or _all_that_moved(table, 1.0, found.sets):
        return found
    for other in _with_less_chance(scan, table):
        if _all_that_moved(table, 1.0, other.sets):
            return _with_single(scan, table, other)
    return found


def _with_single(scan: Scan, table: Table, found: Causes) -> Causes:
    """With single requests that are most of what is left."""
    moved, sets = table.after - table.before * found.times, list(found.sets)
    least = DEAR * max(float(table.before.sum()) * found.times, float(table.after.sum()))
    rows = table.rows(found.odds, np.ones(len(moved)))
    for row in np.argsort(-np.abs(moved), kind="stable")[:MAX_SETS].tolist():
        size, rest = abs(moved[row]), abs(float(moved[replace(found, sets=sets).outside()].sum()))
        if not table.single[row] or size < max(least, _LEAST):
            continue
        holding = [number for number, one in enumerate(sets) if row in one.rows]
        for number in holding:
            if size >= PURE * np.abs(moved[sets[number].rows]).sum():
                sets[number] = replace(sets[number], one=row)
        if not holding and size >= MOST * rest and len(sets) < MAX_SETS and (one := scan.named(row, rows)).literals:
            sets.append(one)
    sets.sort(key=lambda one: -abs(float(moved[one.rows].sum())))
    return replace(found, sets=sets)


def _most_telling(scan: Scan, table: Table) -> Causes:
    best = plain = _at(scan, table, 1.0)
    if not (table.before.any() and table.after.any()):
        return best
    for times in sorted({_growth(scan, table), _usual(table, plain), _rest(table, plain)} - {1.0}):
        other = _at(scan, table, times)
        if _better(scan, table, other, best):
            best = other
    # What tells most is the growth of most values; what is said is that of the money, which leaves nothing over.
    return best if best.times == 1 else replace(best, times=_rest(table, best))


def _rest(table: Table, found: Causes) -> float:
    """What all grew by that no set holds; 1 where that is no growth."""
    outside = found.outside()
    was, now = float(table.before[outside].sum()), float(table.after[outside].sum())
    times = now / was if was > 0 else 1.0
    return times if LEAST_GROWTH < abs(np.log(max(times, _LEAST))) < MOST_GROWTH else 1.0


def _usual(table: Table, plain: Causes) -> float:
    """What half of the money grew by, as the sets tell it: where all values of a dimension are named, it may be all."""
    order = np.argsort(plain.odds, kind="stable")
    money = np.cumsum(table.before[order])
    times = float(plain.odds[order][np.searchsorted(money, money[-1] / 2)])
    return times if LEAST_GROWTH < abs(np.log(max(times, _LEAST))) < MOST_GROWTH else 1.0


def _at(scan: Scan, table: Table, times: float, at_most: int = MAX_SETS) -> Causes:
    """The sets, were that the growth."""
    weight = table.weight(times)
    base = np.full(len(weight), times)
    odds, sets = base, list[Found]()
    for _ in range(2 * at_most):
        if len(sets) == at_most:
            break
        one = scan.best(table.rows(odds, weight), {found.literals for found in sets})
        if one is None or one.score < LEAST_NATS:
            break
        sets = _needed(table, base, weight, [*sets, one])
        odds = _told(table, base, weight, sets)
    if sets and at_most > 1:
        chance = scan.chance(table.rows(odds, weight))
        sets = [one for one in sets if _beyond(table, weight, times, one, chance) or table.mostly(one, times)]
        odds = _told(table, base, weight, sets)
    moved, told = [], table.before * times
    for one in sets:
        was, now = float(told[one.rows].sum()), float(table.after[one.rows].sum())
        moved.append(abs(now - was))
        told = told.copy()
        told[one.rows] = told[one.rows] * (now / was) if was > 0 else table.after[one.rows]
    everything = max(float(table.before.sum()) * times, float(table.after.sum()))
    least = LEAST_SHARE * max(moved, default=0.0)
    if not _all_that_moved(table, times, sets):
        least = max(least, LEAST_MOVE * everything)
    order = sorted(range(len(sets)), key=lambda index: -moved[index])
    return Causes(times, [sets[index] for index in order if moved[index] >= least], odds, weight)


def _all_that_moved(table: Table, times: float, sets: list[Found]) -> bool:
    """Whether nearly nothing moved, up or down, in any row that the sets do not hold."""
    moved = np.abs(table.after - table.before * times)
    held = np.zeros(len(moved), bool)
    for one in sets:
        held[one.rows] = True
    return float(moved[held].sum()) >= ALL_OF_IT * float(moved.sum())


def _beyond(table: Table, weight: Floats, times: float, found: Found, chance: Callable[[Literals], float]) -> bool:
    """Whether the set moved more than values of its dimensions do by themselves: of the variance of its logarithm,
    which a gain is half the square of the logarithm in units of, more is chance than the weights say."""
    was, now = (float((column * weight)[found.rows].sum()) for column in (table.before, table.after))
    due = (was + now) * times / (1 + times)
    moved = float(odds_ratio(*(np.array([value]) for value in (was, now, due)))[0])
    told = found.score + found.price
    return told / (1 + 2 * told * chance(found.literals) / max(moved * moved, _LEAST)) - found.price >= LEAST_NATS


def _needed(table: Table, base: Floats, weight: Floats, sets: list[Found]) -> list[Found]:
    """Without those that the others tell."""
    kept = list(sets)
    for one in sets[:-1]:
        others = [other for other in kept if other is not one]
        rows = table.rows(_told(table, base, weight, others), weight).take(one.rows)
        sums = Rows(*(np.array([column.sum()]) for column in (rows.before, rows.after, rows.expected)))
        if float(gain(sums)[0]) - one.price < LEAST_NATS:
            kept = others
    return kept


def _told(table: Table, base: Floats, weight: Floats, sets: list[Found]) -> Floats:
    """The odds of each row, with all sets as they became."""
    odds = base
    for _ in range(_ROUNDS if len(sets) > 1 else 1):  # sets may overlap
        for one in sets:
            odds = _fitted(table, odds, weight, one)
    return odds


def _fitted(table: Table, odds: Floats, weight: Floats, found: Found) -> Floats:
    """As if the set had been expected to be what it became."""
    fitted, rows = odds.copy(), found.rows
    own = weight[rows]
    was, now = (float((column[rows] * own).sum()) + _HALF for column in (table.before, table.after))
    both = (table.before + table.after)[rows] * own
    for _ in range(_STEPS):
        part = fitted[rows] / (1 + fitted[rows])
        after, before = float((both * part).sum()) + _HALF, float((both * (1 - part)).sum()) + _HALF
        fitted[rows] *= (now / after) * (before / was)
    return fitted


def _growth(scan: Scan, table: Table) -> float:
    """What all may have grown by: what the rows grew by that the most telling set does not hold, were that so."""
    medians = [median for median in scan.medians(table.before, table.after) if np.isfinite(median) and median > 0]
    times = float(np.median(medians)) if medians else 1.0
    if abs(np.log(times)) < LEAST_GROWTH:
        return 1.0
    for _ in range(_ROUNDS):
        rest = _at(scan, table, times, at_most=1).outside()
        was, now = float(table.before[rest].sum()), float(table.after[rest].sum())
        if was <= 0 or now <= 0:
            break
        times = now / was
    return times if LEAST_GROWTH < abs(np.log(times)) < MOST_GROWTH else 1.0


def _better(scan: Scan, table: Table, grown: Causes, plain: Causes) -> bool:
    """Whether growth explains clearly more, in the finer of the two weights. It is no growth where most is in sets,
    where a set tells all of it, where most values of a dimension do not grow by it, or where the money does not."""
    outside = grown.outside()
    if table.before[outside].sum() < MOST * table.before.sum() or _told_by_one(table, plain):
        return False
    told = table.rows(np.full(len(outside), grown.times), table.own_weight(grown.times))
    if not scan.alike(told, outside, float(np.log(grown.times))):
        return False
    if not _fits(table, grown):
        return False
    size = table.before + table.after
    weight = max((grown.weight, plain.weight), key=lambda weight: float((weight * size).sum()))
    left = [scan.left(table.rows(one.odds, weight)) + SET_NATS * len(one.sets) for one in (grown, plain)]
    return left[0] + GROWTH_NATS < left[1]


def _told_by_one(table: Table, plain: Causes) -> bool:
    """Whether a single set, which is not most of everything, is all that moved."""
    if len(plain.sets) != 1 or plain.times != 1:
        return False
    moved, held = table.after - table.before, plain.sets[0].rows
    few = table.before[held].sum() < MOST * table.before.sum()
    return bool(few) and float(moved.sum()) != 0 and _leaves_nothing(table, plain)


def _fits(table: Table, grown: Causes) -> bool:
    """Whether the money that no set holds grew by about that: it explains no more than there is."""
    return bool(abs(np.log(_rest(table, grown) / grown.times)) < abs(np.log(grown.times)) * MOST)
