"""Why a cost moved: `explain(cells)`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import numpy as np

from stream_jobs.base.money import PICO_PER_USD, usd_from_pico
from stream_jobs.explain.amounts import total
from stream_jobs.explain.decompose import decompose, most, told_together
from stream_jobs.explain.factored import factored
from stream_jobs.explain.mixing import mixing_cells
from stream_jobs.explain.model import Amounts, Cells, Codes, ExplainingSet, Explanation, Factor, Floats
from stream_jobs.explain.noise import dispersion
from stream_jobs.explain.search import Found, Literals, Scan

MAX_SETS: Final = 6
LEAST_NATS: Final = 4.0
LEAST_SHARE: Final = 0.02
"""Of the largest that was found: what explains less says nothing."""
_ROUNDS: Final = 2


def explain(cells: Cells) -> Explanation:
    """By factor and by the smallest sets of values. The same cells in any order give the same answer."""
    names, cell_of, count = mixing_cells(cells)
    factors = factored(cells, cell_of, count)
    everything = np.arange(len(cells))
    whole = decompose(factors, everything, cell_of)
    before, after = total(cells.cost.before), total(cells.cost.after)
    excess = after - before
    scan = Scan(cells)
    sets: list[ExplainingSet] = []
    rest = excess
    taken = np.zeros(len(cells), bool)
    for found in _sets(cells, scan):
        fresh = found.rows[~taken[found.rows]]
        explains = _change(cells.cost, fresh)
        taken[found.rows] = True
        rest -= explains
        sets.append(_told(cells, scan, found, explains, excess, decompose(factors, found.rows, cell_of)))
    return Explanation(
        before=usd_from_pico(before),
        after=usd_from_pico(after),
        excess=usd_from_pico(excess),
        requests_before=_count(cells.requests, "before", everything),
        requests_after=_count(cells.requests, "after", everything),
        factor=most(whole, excess),
        decomposition={str(name): part for name, part in _usd(whole).items()} | {"total": usd_from_pico(excess)},
        told_together=told_together(factors),
        cells=names,
        common=None,
        sets=tuple(sets),
        unexplained=usd_from_pico(rest),
    )


def _sets(cells: Cells, scan: Scan) -> list[Found]:
    if not len(cells):
        return []
    before, after = (np.maximum(_usd_floats(column), 0.0) for column in (cells.cost.before, cells.cost.after))
    requests = sum(float(column.sum()) for column in (cells.requests.before, cells.requests.after))
    phi, sigma2 = dispersion(before, after, requests / cells.requests.unit)
    found: list[Found] = []
    expected = before.copy()
    while len(found) < MAX_SETS:
        weight = 1 / (phi + sigma2 * (before + after))
        one = scan.best(expected * weight, after * weight)
        if one is None or one.score < LEAST_NATS or any(one.literals == other.literals for other in found):
            break
        found.append(one)
        expected = _scaled(expected, after, one.rows)
    moved = {one.literals: abs(float((after - before)[one.rows].sum())) for one in found}
    largest = max(moved.values(), default=0.0)
    kept = [one for one in found if moved[one.literals] >= LEAST_SHARE * largest]
    return sorted(kept, key=lambda one: -moved[one.literals])


def _scaled(expected: Floats, after: Floats, rows: Codes) -> Floats:
    """As if the set had been expected to be what it became."""
    scaled = expected.copy()
    was, now = float(expected[rows].sum()), float(after[rows].sum())
    scaled[rows] = expected[rows] * (now / was) if was > 0 else after[rows]
    return scaled


def _told(
    cells: Cells, scan: Scan, found: Found, explains: int, excess: int, factors: Mapping[Factor, int]
) -> ExplainingSet:
    before, after = total(cells.cost.before[found.rows]), total(cells.cost.after[found.rows])
    names = scan.other_names(found)
    sizes = [len(dimension.values) for dimension in cells.dimensions]
    names.sort(key=lambda name: (len(name), -sum(sizes[number] for number, _ in name), name))
    return ExplainingSet(
        values=_named(cells, names[0]),
        equivalent=tuple(_named(cells, name) for name in names[1:]),
        before=usd_from_pico(before),
        after=usd_from_pico(after),
        excess=usd_from_pico(after - before),
        explains=usd_from_pico(explains),
        share=round(explains / excess, 6) if excess else None,
        times=round(after / before, 6) if before > 0 else None,
        requests_before=_count(cells.requests, "before", found.rows),
        requests_after=_count(cells.requests, "after", found.rows),
        factor=most(factors, after - before),
        factors=_usd(factors),
        score=round(found.score, 3),
    )


def _named(cells: Cells, literals: Literals) -> dict[str, str]:
    return {cells.dimensions[number].name: cells.dimensions[number].values[value] for number, value in literals}


def _usd(parts: Mapping[Factor, int]) -> dict[Factor, Decimal]:
    return {name: usd_from_pico(part) for name, part in parts.items()}


def _change(amounts: Amounts, rows: Codes) -> int:
    return total(amounts.after[rows]) - total(amounts.before[rows])


def _count(amounts: Amounts, period: str, rows: Codes) -> float:
    whole = total(getattr(amounts, period)[rows])
    return whole // amounts.unit if whole % amounts.unit == 0 else whole / amounts.unit


def _usd_floats(pico: object) -> Floats:
    return np.asarray(pico).astype(float) / PICO_PER_USD
