"""What a token of each meter costs in comparison with one of fresh input, for each list of prices.

Three sources, the surest first: rows that the same prices tell exactly, before and after; weights such as lists of
prices have under which what was paid per weighted token is the same before and after (by chance one table of thousands
has that); many rows before that a price for each meter tells nearly. Where none is to be had, what most lists have.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

import numpy as np

from stream_jobs.explain.model import Amounts, Codes, Floats
from stream_jobs.explain.table import OUTPUT, READ, UNCACHED, WRITE

ONE: Final = 12_000_000
"""The weight of a token of fresh input; weights are whole, and thirds and quarters among them exact."""
USUAL: Final[Mapping[str, int]] = {UNCACHED: ONE, READ: ONE // 10, WRITE: 5 * ONE // 4, OUTPUT: 4 * ONE}
_LISTED: Final = tuple((read, write) for read in (0.1, 0.25, 0.5, 0.2) for write in (1.25, 2.0, 1.0))
"""Of tokens read from a cache and written to one, in lists of prices."""
_MOST_OUTPUT: Final = 12.0
_SAME_PRICE: Final = (1e-13, 1e-7)
"""To the last digit of all, or else to what rounding costs leaves."""
_ROWS_PER_METER: Final = 6
_FITS: Final = 0.98
_EXACT: Final = 1e-12
"""Of the sum of squares: costs are rounded."""
_LEAST_WEIGHT: Final = 1e-3
_MAX_FITS: Final = 300


def weights_of(cost: Amounts, meters: Mapping[str, Amounts], groups: Codes, count: int) -> dict[str, Codes]:
    """Of each meter, for each of the groups (0 to count - 1), which have one list of prices each. `meters` do not
    overlap."""
    names = list(meters)
    weights = {name: np.full(count, USUAL[name], np.int64) for name in {*names, UNCACHED}}
    if UNCACHED not in names or len(names) == 1:
        return weights
    before, after = (
        (np.stack([getattr(meters[name], period).astype(float) for name in names]), getattr(cost, period).astype(float))
        for period in ("before", "after")
    )
    steady = _steady(names, before, after, groups, count, weights)
    rows = np.bincount(groups, minlength=count)
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(rows)
    for group in np.argsort(-rows, kind="stable")[:_MAX_FITS].tolist():
        chosen = order[ends[group] - rows[group] : ends[group]]
        was, now = ((tokens[:, chosen], costs[chosen]) for tokens, costs in (before, after))
        both = np.concatenate([was[0], now[0]], axis=1), np.concatenate([was[1], now[1]])
        found = _by_exact_rows(names, *both)
        if found is None and not steady[group]:
            found = _by_many_rows(names, *was)
        for name, weight in (found or {}).items():
            weights[name][group] = weight
    return weights


def _steady(
    names: Sequence[str],
    before: tuple[Floats, Floats],
    after: tuple[Floats, Floats],
    groups: Codes,
    count: int,
    weights: Mapping[str, Codes],
) -> Codes:
    """Sets the weights of groups in which some of lists make the price the same before and after; says of which."""

    def summed(period: tuple[Floats, Floats]) -> tuple[dict[str, Floats], Floats]:
        tokens, cost = period
        sums = dict.fromkeys(USUAL, np.zeros(count))
        for name, column in zip(names, tokens, strict=True):
            sums[name] = np.asarray(np.bincount(groups, column, count), np.float64)
        return sums, np.asarray(np.bincount(groups, cost, count), np.float64)

    (was, paid), (now, pays) = summed(before), summed(after)
    known = np.zeros(count, bool)
    usual = USUAL[OUTPUT] / ONE
    for same_price, (number, (read, write)) in product(_SAME_PRICE, enumerate(_LISTED)):
        old, new = (sums[UNCACHED] + read * sums[READ] + write * sums[WRITE] for sums in (was, now))
        apart = paid * now[OUTPUT] - pays * was[OUTPUT]
        output = np.divide(pays * old - paid * new, apart, out=np.full(count, usual), where=apart != 0)
        output = np.round(12 * np.clip(output, 1, _MOST_OUTPUT)) / 12
        for answer in (np.full(count, usual), output) if not number else (output,):
            left, right = paid * (new + answer * now[OUTPUT]), pays * (old + answer * was[OUTPUT])
            same = ~known & (left > 0) & (right > 0) & (np.abs(left - right) <= same_price * np.minimum(left, right))
            known |= same
            for name, weight in ((READ, read), (WRITE, write), (OUTPUT, answer)):
                if name in names:
                    weights[name][same] = np.rint(ONE * np.broadcast_to(weight, (count,))[same])
    return np.asarray(known)


def _by_exact_rows(names: Sequence[str], tokens: Floats, cost: Floats) -> dict[str, int] | None:
    """Where more rows than there are prices have no other explanation than these. Input that is cached alike in all
    rows has one price, however it is made up."""
    held = [number for number in range(len(names)) if tokens[number].any()]
    found = _fitted([names[number] for number in held], tokens[held], cost, 1, _EXACT)
    if found is None and OUTPUT in names and len(held) > 2:
        usual = [USUAL[names[number]] / ONE * tokens[number] for number in held if names[number] != OUTPUT]
        together = np.stack([np.sum(usual, axis=0), tokens[list(names).index(OUTPUT)]])
        found = _fitted((UNCACHED, OUTPUT), together, cost, 1, _EXACT)
    return found


def _by_many_rows(names: Sequence[str], tokens: Floats, cost: Floats) -> dict[str, int] | None:
    held = [number for number in range(len(names)) if tokens[number].any()]
    return _fitted([names[number] for number in held], tokens[held], cost, _ROWS_PER_METER, 1 - _FITS)


def _fitted(
    names: Sequence[str], tokens: Floats, cost: Floats, rows_per_meter: int, unexplained: float
) -> dict[str, int] | None:
    """By least squares, where the rows tell the prices of all these meters and leave no more than that share."""
    paid = cost > 0
    tokens, cost = tokens[:, paid], cost[paid]
    size = tokens.sum(axis=0)
    if UNCACHED not in names or len(names) < 2 or len(cost) <= rows_per_meter * len(names) or (size <= 0).any():
        return None
    scale = 1 / np.sqrt(size)
    left, right = (tokens * scale).T, cost * scale
    prices, _, rank, _ = np.linalg.lstsq(left, right, rcond=1e-9)
    of_all = np.square(right if unexplained == _EXACT else right - right.mean()).sum()
    if rank < len(names) or (prices <= 0).any() or not np.square(right - left @ prices).sum() <= unexplained * of_all:
        return None
    if prices.min() < _LEAST_WEIGHT * prices.max():
        return None
    of_one = prices / prices[list(names).index(UNCACHED)]
    return {name: _whole(weight) for name, weight in zip(names, of_one.tolist(), strict=True)}


def _whole(weight: float) -> int:
    """To hundredths or thirds and quarters, where it is next to one: lists of prices have those."""
    for parts in (100, 12):
        near = round(parts * weight)
        if near and abs(parts * weight - near) <= 1e-6 * near:
            return near * (ONE // parts)
    return round(ONE * weight)
