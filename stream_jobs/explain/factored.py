"""A cost as a product: requests, tokens of a request, what caches make of them, and the price of what is left.

cost = requests * (tokens / requests) * (billed / tokens) * (cost / billed)

Tokens are counted in units that cost the same, so that a long answer weighs more than a long question: one token of
fresh input is 1, one of another meter as much as it costs in comparison. `billed` are the same where a token that was
read from a cache counts only what a read costs. Where a cell's own costs tell these weights they are taken from there
(least squares over its rows, before); else they are what lists of prices have most often.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_jobs.explain.amounts import exact
from stream_jobs.explain.model import Amounts, Cells, Codes, Exact, Floats
from stream_jobs.explain.table import INPUT, OUTPUT, READ, TOKENS, UNCACHED, WRITE

USUAL: Final[Mapping[str, int]] = {UNCACHED: 1000, READ: 100, WRITE: 1250, OUTPUT: 4000}
"""In thousandths of a token of fresh input."""
_ROWS_PER_METER: Final = 6
_FITS: Final = 0.98
_MAX_FITS: Final = 300


@dataclass(frozen=True, slots=True)
class Factored:
    """Per row. `tokens` and `billed` are None where no tokens are known, `billed` also where caches are not."""

    requests: Amounts
    cost: Amounts
    tokens: Amounts | None
    billed: Amounts | None


def factored(cells: Cells, groups: Codes, count: int) -> Factored:
    """`groups` says which rows have one list of prices."""
    meters = _apart(cells.meters)
    if not meters:
        return Factored(cells.requests, cells.cost, None, None)
    weights = _weights(cells, meters, groups, count)
    cached = {READ, WRITE} & meters.keys()
    fresh = {meter: weights[UNCACHED] if meter in cached else weights[meter] for meter in meters}
    tokens = _weighted(meters, fresh, groups)
    return Factored(cells.requests, cells.cost, tokens, _weighted(meters, weights, groups) if cached else None)


def _apart(meters: Mapping[str, Amounts]) -> dict[str, Amounts]:
    """Meters that do not overlap."""
    if not meters.keys() - {TOKENS}:
        return {UNCACHED: meters[TOKENS]} if meters else {}  # of one kind, whose weight is 1
    unit = max(amounts.unit for amounts in meters.values())
    same = {
        name: Amounts(amounts.before * (unit // amounts.unit), amounts.after * (unit // amounts.unit), unit)
        for name, amounts in meters.items()
        if name not in (TOKENS, INPUT)
    }
    if INPUT not in meters:
        return same
    factor = unit // meters[INPUT].unit
    pairs = [[whole * factor for whole in (meters[INPUT].before, meters[INPUT].after)]]
    pairs += [[-same[name].before, -same[name].after] for name in (READ, WRITE) if name in same]
    rest = [sum(column[1:], column[0]) for column in zip(*pairs, strict=True)]
    if any((column < 0).any() for column in rest):  # not what the ledger has: caches were left out of the input
        rest = pairs[0]
    return {UNCACHED: Amounts(rest[0], rest[1], unit), **same}


def _weights(cells: Cells, meters: Mapping[str, Amounts], groups: Codes, count: int) -> dict[str, Codes]:
    """Of each group, in thousandths."""
    names = list(meters)
    weights = {name: np.full(count, USUAL[name], np.int64) for name in {*names, UNCACHED}}
    if UNCACHED not in names or len(names) == 1:
        return weights
    tokens = np.stack([meters[name].before.astype(float) for name in names], axis=1)
    cost = cells.cost.before.astype(float)
    rows = np.bincount(groups, minlength=count)
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(rows)
    for group in np.argsort(-rows, kind="stable")[:_MAX_FITS].tolist():
        if rows[group] < _ROWS_PER_METER * len(names):
            break
        chosen = order[ends[group] - rows[group] : ends[group]]
        fitted = _fitted(tokens[chosen], cost[chosen])
        if fitted is not None:
            of_one = fitted / fitted[names.index(UNCACHED)]
            for name, weight in zip(names, of_one.tolist(), strict=True):
                weights[name][group] = round(1000 * weight)
    return weights


def _fitted(tokens: Floats, cost: Floats) -> Floats | None:
    """The price of each meter, where the rows tell them all."""
    held = cost > 0
    size = tokens[held].sum(axis=1)
    if held.sum() < _ROWS_PER_METER * tokens.shape[1] or (size <= 0).any() or (tokens[held].sum(axis=0) <= 0).any():
        return None
    weight = 1 / np.sqrt(size)
    left, right = tokens[held] * weight[:, None], cost[held] * weight
    prices, _, rank, _ = np.linalg.lstsq(left, right, rcond=None)
    unexplained = np.square(right - left @ prices).sum() / np.square(right - right.mean()).sum() if len(right) else 1.0
    if rank < tokens.shape[1] or (prices <= 0).any() or not unexplained <= 1 - _FITS:
        return None
    of_one = prices / prices.max()
    return prices if of_one.min() > 1e-3 else None


def _weighted(meters: Mapping[str, Amounts], weights: Mapping[str, Codes], groups: Codes) -> Amounts:
    unit = next(iter(meters.values())).unit

    def summed(columns: list[Exact]) -> Exact:
        parts = [column.astype(object) * weights[name][groups] for name, column in zip(meters, columns, strict=True)]
        return exact(list(sum(parts[1:], parts[0])))

    before, after = (
        summed([getattr(amounts, period) for amounts in meters.values()]) for period in ("before", "after")
    )
    return Amounts(before, after, 1000 * unit)
