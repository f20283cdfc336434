"""The smallest sets of values that explain what moved: a penalised scan over conjunctions of attribution values.

A set has the weighted cost F before and A after, of which E was to be expected after had nothing moved. How much better
a rate of its own tells both is the likelihood ratio of two Poisson samples (Przyborowski and Wilenski, 1940),
A ln(A / E) + F ln(F / (F + A - E)), in units in which chance makes the variance 1: each row is divided by what noise.py
tells of it. Unlike a test against a fixed expectation it knows that what was before is a sample too, so a part of the
cause that happened not to be there before is no better a name than the cause. It adds up over parts: all of the cause
has more than any part of it, and a wider set, in which the rest did not move, has less (as in the scan statistics of
Kulldorff, 1997).

All values and all pairs of values are looked at, further values only of the best; each value said costs nats, as does
each name there is to choose from. What was found is expected from then on, and the scan goes
on: so a rise and a fall that cancel out at the top are both found.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pyarrow as pa

from stream_jobs.explain.model import Cells, Codes, Floats, Mask

PER_LITERAL: Final = 3.0
MAX_LITERALS: Final = 4
MAX_PAIRED: Final = 100_000_000
"""Rows times pairs of dimensions: 400 MB."""
_WIDENED: Final = 24
_BEAM: Final = 12
PURE: Final = 0.9
"""Of all that moved in a set: it is nearly that."""
_LEAST: Final = 1e-12
_ENOUGH: Final = 4.0
_MANY_GROUPS: Final = 8
_CHI_SQUARED: Final = {0.5: 0.455, 0.9: 2.706}
"""Quantiles of the square of a standard normal deviate."""
_HALF: Final = 0.5
"""Of a unit of noise, so that what was never there has finite odds."""
_CLEAR: Final = 0.25
"""Of a growth: the standard error with which a value tells whether it grew by it."""
_MOST_CHANCE: Final = 0.25
"""A variance: values that move more by themselves do not all move alike."""
_MOST_MOVE: Final = 4.0
_HALVINGS: Final = 16
_WORTH: Final = 0.5
"""Of the best score so far: a set with less is not looked into further."""
_LITTLE: Final = 0.2
"""Of what was before in a set: a part that holds less of it, and all that moved, is what moved."""
Literals = tuple[tuple[int, int], ...]
"""(dimension, value), by dimension."""
_Scored = tuple[float, Literals]


@dataclass(frozen=True, slots=True)
class Rows:
    """Weighted: what was before, what is after, and what was to be expected after of both together."""

    before: Floats
    after: Floats
    expected: Floats

    def take_out(self, kept: Mask) -> "Rows":
        """Nothing in all other rows."""
        return Rows(self.before * kept, self.after * kept, self.expected * kept)

    def take(self, rows: Codes) -> "Rows":
        return Rows(self.before[rows], self.after[rows], self.expected[rows])


@dataclass(frozen=True, slots=True)
class Found:
    """A set, its rows and its score in nats."""

    literals: Literals
    rows: Codes
    score: float  # less `price`
    price: float  # what it costs to say these values
    one: int | None = None  # the row that nearly all of it is, where that is a single request


@dataclass(frozen=True, slots=True)
class _Grouping:
    """The combinations of values of some dimensions that occur: which of them each row has, and a row of each."""

    dimensions: tuple[int, ...]
    of_row: Codes
    example: Codes


class Scan:
    """Looks for sets in one table, time and again with other expectations."""

    def __init__(self, cells: Cells) -> None:
        self._codes = [dimension.codes for dimension in cells.dimensions]
        self._sizes = [len(dimension.values) for dimension in cells.dimensions]
        costs = [np.maximum(column.astype(np.float64), 0) for column in (cells.cost.before, cells.cost.after)]
        self._groupings = list(self._all_groupings(Rows(costs[0], costs[1], (costs[0] + costs[1]) / 2)))

    def _all_groupings(self, rows: Rows) -> Iterator[_Grouping]:
        count = len(rows.before)
        single = []
        for number in (number for number, size in enumerate(self._sizes) if size > 1):
            codes, size = self._codes[number], self._sizes[number]
            single.append(_Grouping((number,), codes, _examples(codes, size)))
        yield from single
        # What is kept in memory is bounded: of very many cells, pairs of the dimensions that tell most by themselves.
        single.sort(key=lambda one: -float(_gains(one.of_row, rows, len(one.example)).max(initial=0.0)))
        kept = len(single)
        while kept > 2 and kept * (kept - 1) // 2 * count > MAX_PAIRED:
            kept -= 1
        for first, second in combinations(sorted(one.dimensions[0] for one in single[:kept]), 2):
            both = self._codes[first] * self._sizes[second] + self._codes[second]
            encoded = pa.array(both).dictionary_encode()
            of_row = encoded.indices.to_numpy()
            yield _Grouping((first, second), of_row, _examples(of_row, len(encoded.dictionary)))

    def best(self, rows: Rows, known: Collection[Literals] = ()) -> Found | None:
        """The set that explains most, of weighted rows, beside those that are known; None where there is none."""
        pool: list[tuple[float, Literals]] = []
        for grouping in self._groupings:
            count = len(grouping.example)
            gains = _gains(grouping.of_row, rows, count) - self._price(grouping.dimensions, count)
            for index in _largest(gains, _WIDENED):
                row = int(grouping.example[index])
                literals = tuple((number, int(self._codes[number][row])) for number in grouping.dimensions)
                pool.append((float(gains[index]), literals))
        pool.sort(key=_by_score)
        tried = {literals for _, literals in pool}
        worth = _WORTH * pool[0][0] if pool else 0.0
        front = [item for item in pool if len(item[1]) == 2 and item[0] >= worth][:_WIDENED]
        for _ in range(2, min(MAX_LITERALS, len(self._codes))):
            wider = [item for _, literals in front for item in self._widened(literals, rows, tried)]
            pool += wider
            front = sorted((item for item in wider if item[0] >= worth), key=_by_score)[:_BEAM]
        pool = [item for item in pool if item[1] not in known]
        if not pool:
            return None
        score, literals = self._purest(min(pool, key=_by_score), pool, rows)
        return Found(literals, self.rows(literals), score, self._price_of(literals))

    def _purest(self, best: _Scored, pool: list[_Scored], rows: Rows) -> _Scored:
        """A part of the best set that scores nearly as much, holds nearly all that moved in it and little of what was
        there before: a user who is new, and not the model of nearly everybody that he uses."""
        held = self.rows(best[1])
        before, moved = float(rows.before[held].sum()), float((rows.after - rows.expected)[held].sum())
        parts: list[tuple[float, _Scored]] = []
        for item in pool:
            if item[0] < PURE * best[0] or item == best:
                continue
            own = self.rows(item[1])
            was, share = float(rows.before[own].sum()), float((rows.after - rows.expected)[own].sum()) / (moved or 1.0)
            if was <= _LITTLE * before and share >= PURE and len(own) < len(held) and np.isin(own, held).all():
                parts.append((was, item))
        return min(parts, key=lambda part: (part[0], _by_score(part[1])))[1] if parts else best

    def _widened(self, literals: Literals, every: Rows, tried: set[Literals]) -> Iterator[tuple[float, Literals]]:
        rows = self.rows(literals)
        taken = {number for number, _ in literals}
        for number, size in enumerate(self._sizes):
            if number in taken or size < 2:
                continue
            codes = self._codes[number][rows]
            present = np.flatnonzero(np.bincount(codes, minlength=size))
            if len(present) < 2:
                continue
            gains = _gains(codes, every.take(rows), size)
            index = int(np.argmax(gains))
            wider = tuple(sorted((*literals, (number, index))))
            if wider not in tried:
                tried.add(wider)
                yield float(gains[index]) - self._price_of(wider), wider

    def left(self, rows: Rows) -> float:
        """What no set has explained, in nats: of single values, the mean over dimensions."""
        single = [grouping for grouping in self._groupings if len(grouping.dimensions) == 1]
        gains = [_gains(one.of_row, rows, len(one.example)).sum() for one in single]
        return float(np.mean(gains)) if gains else 0.0

    def chance(self, rows: Rows) -> Callable[[Literals], float]:
        """How much sums over some dimensions move by themselves beside what the weights say, as people or models do:
        the variance of the logarithm that the values of these dimensions have in common, of what no set tells. Of
        dimensions with few values, as of that of the others which moves least."""
        found: dict[tuple[int, ...], float] = {}
        for grouping in self._groupings:
            count = len(grouping.example)
            was, now, due = (
                np.asarray(np.bincount(grouping.of_row, column, count), np.float64)
                for column in (rows.before, rows.after, rows.expected)
            )
            known = was + now >= _ENOUGH
            if known.sum() >= _MANY_GROUPS:
                found[grouping.dimensions] = _moves(was[known], now[known], due[known])
        single = [value for dimensions, value in found.items() if len(dimensions) == 1]
        usual = min(single or [*found.values(), 0.0])  # the more rows a value has, the more moves cancel out

        def variance(literals: Literals) -> float:
            numbers = [number for number, _ in literals]
            held = [found.get(dimensions, usual) for dimensions in combinations(numbers, min(2, len(numbers)))]
            return max(held)

        return variance

    def medians(self, before: Floats, after: Floats) -> list[float]:
        """Of each dimension, after / before of the value in the middle, by weight."""
        found = []
        for one in self._groupings:
            if len(one.dimensions) == 1:
                was, now = (np.bincount(one.of_row, column, len(one.example)) for column in (before, after))
                ratio = np.divide(now, was, out=np.full(len(was), np.inf), where=was > 0)
                order = np.argsort(ratio, kind="stable")
                weight = np.cumsum((was + now)[order])
                found.append(float(ratio[order][np.searchsorted(weight, weight[-1] / 2)]))
        return found

    def alike(self, rows: Rows, outside: Mask, growth: float) -> bool:
        """Whether in each dimension, of what no set holds, most of the money of before and most of the values that are
        large enough to tell grew by about that (a logarithm) rather than by nothing or far more. Values that are in
        sets altogether did not, if they are large enough; those that are new tell nothing."""
        chance = self.chance(rows.take_out(outside))
        for one in self._groupings:
            if len(one.dimensions) > 1:
                continue
            count = len(one.example)
            moves = min(chance(((one.dimensions[0], 0),)), _MOST_CHANCE)
            was, now, before, after = (
                np.asarray(np.bincount(one.of_row, column, count), np.float64)
                for column in (rows.before * outside, rows.after * outside, rows.before, rows.after)
            )
            near = np.abs(np.log((now + _HALF) / (was + _HALF)) - growth) < abs(growth) * _HALF
            tells, told = (
                (np.sqrt(1 / (old + _HALF) + 1 / (new + _HALF) + moves) < abs(growth) * _CLEAR) & (old > 0)
                for old, new in ((was, now), (before, after))
            )
            near &= tells
            apart = (tells & ~near) | (told & (was <= 0))
            few, little = near.sum() <= apart.sum(), was[near].sum() < was[tells & ~near].sum()
            if tells.any() and (few or little):
                return False
        return True

    def _price_of(self, literals: Literals) -> float:
        names = float(np.prod([float(self._sizes[number]) for number, _ in literals]))
        return self._price(tuple(number for number, _ in literals), min(names, float(len(self._codes[0]))))

    def _price(self, dimensions: tuple[int, ...], count: float) -> float:
        return PER_LITERAL * len(dimensions) + float(np.log(count))

    def named(self, row: int, rows: Rows) -> Found:
        """What tells one row: the fewest of its values beside which nearly nothing moved; all of them if need be."""
        values = [(number, int(codes[row])) for number, codes in enumerate(self._codes) if self._sizes[number] > 1]
        moved = np.abs(rows.after - rows.expected)
        best: Literals = tuple(values)
        for length in range(1, min(MAX_LITERALS, len(values))):
            beside = {}
            for name in combinations(values, length):
                held = self.rows(name)
                beside[name] = float(moved[held].sum()), float(rows.before[held].sum())
            purest = min(beside, key=lambda name: beside[name])
            if moved[row] >= PURE * beside[purest][0]:
                best = purest
                break
        held = self.rows(best)
        sums = Rows(*(np.array([column[held].sum()]) for column in (rows.before, rows.after, rows.expected)))
        price = self._price_of(best)
        return Found(best, held, float(gain(sums)[0]) - price, price, row)

    def rows(self, literals: Literals) -> Codes:
        """That have all of these values."""
        mask = np.ones(len(self._codes[0]), bool)
        for number, value in literals:
            mask &= self._codes[number] == value
        return np.flatnonzero(mask)

    def other_names(self, found: Found) -> list[Literals]:
        """Fewest values first: all that have the very same rows and no value too many."""
        constant: list[tuple[int, int]] = []
        for number, codes in enumerate(self._codes):
            value = int(codes[found.rows[0]])
            if self._sizes[number] > 1 and (codes[found.rows] == value).all():
                constant.append((number, value))
        names: list[Literals] = []
        for length in range(1, min(len(constant), max(len(found.literals), 2)) + 1):
            for literals in combinations(constant, length):
                if any(set(name) <= set(literals) for name in names):
                    continue
                if len(self.rows(literals)) == len(found.rows):
                    names.append(literals)
        return names


def gain(rows: Rows) -> Floats:
    """In nats, for sums in units in which their variance is themselves."""
    rest = np.maximum(rows.before + rows.after - rows.expected, 0.0)
    found = _surprise(rows.after, rows.expected) + _surprise(rows.before, rest)
    return np.asarray(np.maximum(found, 0.0))


def odds_ratio(before: Floats, after: Floats, expected: Floats) -> Floats:
    """The logarithm of how many times more is after, beside before, than was to be expected."""
    rest = np.maximum(before + after - expected, 0.0)
    return np.asarray(np.log((after + _HALF) / (expected + _HALF)) - np.log((before + _HALF) / (rest + _HALF)))


def _moves(before: Floats, after: Floats, expected: Floats) -> float:
    """The variance beyond counting (1 / before + 1 / after) with which the squares of logarithms have the quantiles of
    a normal distribution's."""
    square = odds_ratio(before, after, expected) ** 2
    counted = 1 / (before + _HALF) + 1 / (after + _HALF)
    most = 0.0
    for level, usual in _CHI_SQUARED.items():
        low, high = 0.0, _MOST_MOVE
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            wide = float(np.quantile(square / (counted + middle), level)) > usual
            low, high = (middle, high) if wide else (low, middle)
        most = max(most, low)
    return most


def _gains(groups: Codes, rows: Rows, count: int) -> Floats:
    columns = (rows.before, rows.after, rows.expected)
    return gain(Rows(*(np.asarray(np.bincount(groups, column, count), np.float64) for column in columns)))


def _surprise(found: Floats, expected: Floats) -> Floats:
    """found * ln(found / expected)"""
    ratio = np.maximum(found, _LEAST) / np.maximum(expected, _LEAST)
    return np.asarray(found * np.log(ratio))


def _examples(of_row: Codes, count: int) -> Codes:
    """The first row of each."""
    example = np.zeros(count, np.int64)
    example[of_row[::-1]] = np.arange(len(of_row))[::-1]
    return example


def _largest(gains: Floats, number: int) -> Sequence[int]:
    if len(gains) > number:
        chosen = np.argpartition(-gains, number - 1)[:number]
        return [int(index) for index in chosen]
    return range(len(gains))


def _by_score(item: tuple[float, Literals]) -> tuple[float, int, Literals]:
    return -item[0], len(item[1]), item[1]
