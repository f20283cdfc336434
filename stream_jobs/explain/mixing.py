"""Which dimensions make the cells of a mix: those that what a request costs depends on.

Cells must be coarse. Among users who send a request a week each, nearly every cell is new or gone, and a price that
doubled would pass for a mix that moved.
"""

from typing import Final

import numpy as np

from stream_jobs.explain.model import Cells, Codes, Floats

PRICED_BY: Final = ("meter", "provider", "model", "region", "service_tier", "accelerator", "sku")
"""What lists of prices have. Where a table has none of these, its costs say which dimension does as much."""
_FEW_REQUESTS: Final = 10
_MAX_SPARSE: Final = 0.2
_MAX_CELLS: Final = 10_000
_BEYOND_CHANCE: Final = 4.0  # F, of an analysis of variance


def mixing_cells(cells: Cells) -> tuple[tuple[str, ...], Codes, int]:
    """The dimensions, the cell of each row, and how many cells there are."""
    requests = [np.maximum(amounts.astype(float), 0) for amounts in (cells.requests.before, cells.requests.after)]
    weight = (requests[0] + requests[1]) / cells.requests.unit
    names = {dimension.name: dimension.codes for dimension in cells.dimensions}
    chosen: tuple[str, ...] = ()
    of_row, count = np.zeros(len(cells), np.int64), min(len(cells), 1)
    for name in _named(names) or _telling(cells, requests, weight):
        finer, number = _finer(of_row, names[name])
        if number <= _MAX_CELLS and not _sparse(finer, weight):
            chosen, of_row, count = (*chosen, name), finer, number
    return chosen, of_row, count


def _named(names: dict[str, Codes]) -> list[str]:
    return [name for name in PRICED_BY if name in names]


def _telling(cells: Cells, requests: list[Floats], weight: Floats) -> list[str]:
    """The dimension that tells most of what a request costs, by its cost before (after, where nothing was)."""
    before = requests[0].any()
    sent = requests[0 if before else 1]
    cost = (cells.cost.before if before else cells.cost.after).astype(float)
    if not sent.any():
        return []
    mean = cost.sum() / sent.sum()
    told = {}
    for dimension in cells.dimensions:
        count = len(dimension.values)
        if _sparse(dimension.codes, weight) or count < 2:
            continue
        of_value = np.bincount(dimension.codes, sent, count)
        expected = np.divide(
            np.bincount(dimension.codes, cost, count), of_value, out=np.full(count, mean), where=of_value > 0
        )
        between = float((of_value * np.square(expected - mean)).sum())
        rows = sent > 0
        own = np.divide(cost, sent, out=np.zeros(len(cost)), where=rows)
        within = float((sent * np.square(own - expected[dimension.codes]))[rows].sum())
        freedom = int(rows.sum()) - int((of_value > 0).sum())
        noise = within / freedom if freedom > 0 else 0.0
        if between > _BEYOND_CHANCE * noise * (count - 1):
            told[dimension.name] = between - noise * (count - 1)
    return [max(sorted(told), key=lambda name: told[name])] if told else []


def _finer(of_row: Codes, codes: Codes) -> tuple[Codes, int]:
    distinct, finer = np.unique(of_row * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)
    return finer.astype(np.int64), len(distinct)


def _sparse(of_row: Codes, weight: Floats) -> bool:
    """Whether many requests are of cells that have few."""
    sums = np.bincount(of_row, weight)
    return float(sums[sums < _FEW_REQUESTS].sum()) > _MAX_SPARSE * float(weight.sum())
