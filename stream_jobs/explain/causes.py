"""What moved, put together: a growth that all have in common, and sets that were different, one after the other.

A set is looked for, its rows are scaled to what they became, and the next is looked for in what is left. In the end each
set must still tell something beside the others: one that two later ones tell better is dropped.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_jobs.explain.model import Floats, Mask
from stream_jobs.explain.noise import dispersion
from stream_jobs.explain.search import Found, Scan, gain

MAX_SETS: Final = 6
LEAST_NATS: Final = 4.0
LEAST_SHARE: Final = 0.05
"""Of the largest that was found: what explains less says nothing."""
LEAST_GROWTH: Final = 0.05
"""Of the logarithm: less is not said."""
GROWTH_NATS: Final = 6.0
SET_NATS: Final = 6.0
MOST: Final = 0.5
"""A growth is common where at least so much of what was before is in no set."""
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Causes:
    """All times `times`, and sets that were different, the one that moved most money first."""

    times: float
    sets: list[Found]
    expected: Floats  # of each row, as all of these tell it
    weight: Floats  # of each row: 1 / what chance makes of a dollar there

    def outside(self) -> Mask:
        """Rows that no set holds."""
        rest = np.ones(len(self.expected), bool)
        for one in self.sets:
            rest[one.rows] = False
        return rest


def causes(scan: Scan, before: Floats, after: Floats, requests: float) -> Causes:
    """Of rows with these costs in USD and so many requests before and after together."""
    best = _at(scan, before, after, requests, 1.0)
    if before.any() and after.any():
        times = _growth(scan, before, after, requests)
        if times != 1:
            other = _at(scan, before, after, requests, times)
            if _better(scan, other, best, before, after):
                return other
    return best


def _at(scan: Scan, before: Floats, after: Floats, requests: float, times: float, at_most: int = MAX_SETS) -> Causes:
    """The sets, were that the growth."""
    base = before * times
    phi, sigma2 = dispersion(base, after, requests)
    expected, weight = base, 1 / (phi + 2 * sigma2 * base)
    sets: list[Found] = []
    for _ in range(2 * at_most):
        if len(sets) == at_most:
            break
        one = scan.best(expected * weight, after * weight, {found.literals for found in sets})
        if one is None or one.score < LEAST_NATS:
            break
        sets.append(one)
        weight = 1 / (phi + 2 * sigma2 * _scaled(expected, after, weight, one))
        sets = _needed(base, after, weight, sets)
        expected = _told(base, after, weight, sets)
    money = np.ones(len(base))
    moved, told = [], base
    for one in sets:
        moved.append(abs(float((after - told)[one.rows].sum())))
        told = _scaled(told, after, money, one)
    least = LEAST_SHARE * max(moved, default=0.0)
    order = sorted(range(len(sets)), key=lambda index: -moved[index])
    return Causes(times, [sets[index] for index in order if moved[index] >= least], expected, weight)


def _needed(base: Floats, after: Floats, weight: Floats, sets: list[Found]) -> list[Found]:
    """Without those that the others tell."""
    kept = list(sets)
    for one in sets[:-1]:
        others = [other for other in kept if other is not one]
        expected = _told(base, after, weight, others)
        rows = one.rows
        was, now = (np.array([float((column * weight)[rows].sum())]) for column in (expected, after))
        if float(gain(was, now)[0]) - one.price < LEAST_NATS:
            kept = others
    return kept


def _told(base: Floats, after: Floats, weight: Floats, sets: list[Found]) -> Floats:
    """What is expected of each row, with all sets as they became."""
    expected = base
    for _ in range(_ROUNDS if len(sets) > 1 else 1):  # sets may overlap
        for one in sets:
            expected = _scaled(expected, after, weight, one)
    return expected


def _scaled(expected: Floats, after: Floats, weight: Floats, found: Found) -> Floats:
    """As if the set had been expected to be what it became."""
    scaled, rows = expected.copy(), found.rows
    was, now = (float((column[rows] * weight[rows]).sum()) for column in (expected, after))
    scaled[rows] = expected[rows] * (now / was) if was > 0 else after[rows]
    return scaled


def _growth(scan: Scan, before: Floats, after: Floats, requests: float) -> float:
    """What all may have grown by: what the rows grew by that the most telling set does not hold, were that so."""
    medians = [median for median in scan.medians(before, after) if np.isfinite(median) and median > 0]
    times = float(np.median(medians)) if medians else 1.0
    if abs(np.log(times)) < LEAST_GROWTH:
        return 1.0
    for _ in range(_ROUNDS):
        rest = _at(scan, before, after, requests, times, at_most=1).outside()
        was, now = float(before[rest].sum()), float(after[rest].sum())
        if was <= 0 or now <= 0:
            break
        times = now / was
    return times if abs(np.log(times)) > LEAST_GROWTH else 1.0


def _better(scan: Scan, grown: Causes, plain: Causes, before: Floats, after: Floats) -> bool:
    """Whether growth explains clearly more, in the finer of the two weights. It is no growth where most is in sets."""
    rest = grown.outside()
    if before[rest].sum() < MOST * before.sum():
        return False
    weight = max((grown.weight, plain.weight), key=lambda weight: float((weight * (before + after)).sum()))
    left = [scan.left(one.expected * weight, after * weight) + SET_NATS * len(one.sets) for one in (grown, plain)]
    return left[0] + GROWTH_NATS < left[1]
