"""A cost as a sum of products: requests, tokens of a request, what caches make of them, and the price of what is left.

cost = requests * (input / requests) * (billed / input) * price + requests * (output / requests) * price

The cache is a matter of the input alone: where answers grow, no hit rate moved. Tokens are counted in units that cost
the same (weights.py), so there is one price: cost / (billed + output). `input` counts a token that was read from a
cache like a fresh one, `billed` only what a read costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stream_jobs.explain.amounts import exact
from stream_jobs.explain.model import Amounts, Cells, Codes, Exact
from stream_jobs.explain.table import INPUT, OUTPUT, READ, TOKENS, UNCACHED, WRITE
from stream_jobs.explain.weights import weights_of


@dataclass(frozen=True, slots=True)
class Factored:
    """Per row, tokens in one unit. `input` and `output` are None where nobody counted them, `billed` where nobody
    counted what of the input was cached, and what not."""

    requests: Amounts
    cost: Amounts
    input: Amounts | None = None
    billed: Amounts | None = None
    output: Amounts | None = None


def factored(cells: Cells, groups: Codes, count: int) -> Factored:
    """`groups` says which rows have one list of prices."""
    meters = apart(cells.meters)
    weights = weights_of(cells.cost, meters, groups, count)
    return weighted(cells, meters, {name: weights[name][groups] for name in weights})


def apart(meters: Mapping[str, Amounts]) -> dict[str, Amounts]:
    """Meters that do not overlap, in one unit."""
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


def weighted(cells: Cells, meters: Mapping[str, Amounts], weights: Mapping[str, Codes]) -> Factored:
    """With the weight of each meter in each row."""
    inputs = [name for name in meters if name != OUTPUT]
    cached = UNCACHED in meters and len(inputs) > 1
    return Factored(
        cells.requests,
        cells.cost,
        _sum({name: (meters[name], weights[UNCACHED if cached else name]) for name in inputs}),
        _sum({name: (meters[name], weights[name]) for name in inputs}) if cached else None,
        _sum({OUTPUT: (meters[OUTPUT], weights[OUTPUT])}) if OUTPUT in meters else None,
    )


def _sum(columns: Mapping[str, tuple[Amounts, Codes]]) -> Amounts | None:
    def summed(period: str) -> Exact:
        parts = [getattr(amounts, period).astype(object) * weight for amounts, weight in columns.values()]
        return exact(list(np.sum(parts, axis=0)))

    if not columns:
        return None
    return Amounts(summed("before"), summed("after"), next(iter(columns.values()))[0].unit)
