"""Why a cost moved: `explain(cells)`."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import numpy as np

from stream_jobs.base.money import PICO_PER_USD, usd_from_pico
from stream_jobs.explain.amounts import total
from stream_jobs.explain.causes import Table, causes
from stream_jobs.explain.decompose import decompose, most, told_together
from stream_jobs.explain.factored import factored
from stream_jobs.explain.mixing import mixing_cells
from stream_jobs.explain.model import Amounts, Cells, Codes, Common, ExplainingSet, Explanation, Factor, Floats
from stream_jobs.explain.search import Found, Literals, Scan


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
    new, gone = (not before and not _any(cells, "before"), not after and not _any(cells, "after"))
    times, found_sets = _causes(cells, scan, alike=new or gone)
    for found in found_sets:
        fresh = found.rows[~taken[found.rows]]
        explains = _change(cells.cost, fresh)
        taken[found.rows] = True
        rest -= explains
        sets.append(_told(cells, scan, found, explains, excess, decompose(factors, found.rows, cell_of)))
    common = None
    if excess and (new or gone):
        common = Common(None if new else 0.0, usd_from_pico(rest))
        rest = 0
    elif times != 1:
        grown = round(Fraction(times - 1) * total(cells.cost.before[~taken]))
        rest -= grown
        common = Common(round(times, 6), usd_from_pico(grown))
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
        everywhere={one.name: one.values[0] for one in cells.dimensions if len(one.values) == 1},
        common=common,
        sets=tuple(sets),
        unexplained=usd_from_pico(rest),
    )


def _any(cells: Cells, period: str) -> bool:
    """Whether there was a cost or a request."""
    return any(bool(getattr(column, period).any()) for column in (cells.cost, cells.requests))


def _causes(cells: Cells, scan: Scan, *, alike: bool) -> tuple[float, list[Found]]:
    """What is common to all, and the sets."""
    if not len(cells):
        return 1.0, []
    before, after = (_usd_floats(column) for column in (cells.cost.before, cells.cost.after))
    credit = np.maximum(-np.minimum(before, after), 0.0)  # a credit that comes is as much less as a cost that goes
    before, after = before + credit, after + credit
    sent = cells.requests
    requests = (sent.before + sent.after).astype(np.float64) / sent.unit
    single = np.logical_and(sent.before <= sent.unit, sent.after <= sent.unit) & (requests > 0)
    found = causes(scan, Table(before, after, np.maximum(requests, 0.0), single.astype(bool)), alike=alike)
    return found.times, found.sets


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
        one_request=None if found.one is None else _dearest(cells, found.one),
    )


def _dearest(cells: Cells, row: int) -> Decimal:
    return usd_from_pico(max(int(cells.cost.before[row]), int(cells.cost.after[row])))


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
