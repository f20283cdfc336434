"""Why a cost moved: `explain(cells)`."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from stream_jobs.base.money import PICO_PER_USD, usd_from_pico
from stream_jobs.explain.amounts import total
from stream_jobs.explain.decompose import decompose, most, told_together
from stream_jobs.explain.factored import factored
from stream_jobs.explain.mixing import mixing_cells
from stream_jobs.explain.model import Amounts, Cells, Codes, Common, ExplainingSet, Explanation, Factor, Floats, Mask
from stream_jobs.explain.noise import dispersion
from stream_jobs.explain.search import Found, Literals, Scan

MAX_SETS: Final = 6
LEAST_NATS: Final = 4.0
LEAST_SHARE: Final = 0.05
"""Of the largest that was found: what explains less says nothing."""
LEAST_GROWTH: Final = 0.05
GROWTH_NATS: Final = 6.0
MOST: Final = 0.5
PRICE_OF_A_SET: Final = 6.0


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
    times, found_sets = _sets(cells, scan)
    for found in found_sets:
        fresh = found.rows[~taken[found.rows]]
        explains = _change(cells.cost, fresh)
        taken[found.rows] = True
        rest -= explains
        sets.append(_told(cells, scan, found, explains, excess, decompose(factors, found.rows, cell_of)))
    common = None
    if times != 1:
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
        common=common,
        sets=tuple(sets),
        unexplained=usd_from_pico(rest),
    )


def _sets(cells: Cells, scan: Scan) -> tuple[float, list[Found]]:
    """What is common to all, and the sets."""
    if not len(cells):
        return 1.0, []
    before, after = (np.maximum(_usd_floats(column), 0.0) for column in (cells.cost.before, cells.cost.after))
    requests = sum(float(column.sum()) for column in (cells.requests.before, cells.requests.after))
    requests /= cells.requests.unit
    best = _at(scan, before, after, requests, 1.0)
    if before.any() and after.any():
        for times in _growths(scan, before, after):
            other = _at(scan, before, after, requests, times)
            other = _at(scan, before, after, requests, _outside(other, before, after))
            if _better(scan, other, best, before, after):
                best = other
    return best.times, best.sets


@dataclass(frozen=True, slots=True)
class _Model:
    """All times `times`, and sets that were different."""

    times: float
    sets: list[Found]
    expected: Floats
    weight: Floats  # of each row: 1 / what chance makes of a dollar there

    def outside(self) -> Mask:
        """Rows that no set holds."""
        rest = np.ones(len(self.expected), bool)
        for one in self.sets:
            rest[one.rows] = False
        return rest


def _better(scan: Scan, grown: _Model, plain: _Model, before: Floats, after: Floats) -> bool:
    """Whether growth explains clearly more, in the finer of the two weights. It is no growth where most is in sets."""
    rest = grown.outside()
    if before[rest].sum() < MOST * before.sum():
        return False
    weight = max((grown.weight, plain.weight), key=lambda weight: float((weight * (before + after)).sum()))
    left = [scan.left(one.expected * weight, after * weight) + PRICE_OF_A_SET * len(one.sets) for one in (grown, plain)]
    return left[0] + GROWTH_NATS < left[1]


def _growths(scan: Scan, before: Floats, after: Floats) -> list[float]:
    """What all may have grown by."""
    medians = [median for median in scan.medians(before, after) if np.isfinite(median) and median > 0]
    times = float(np.median(medians)) if medians else 1.0
    return [times] if abs(np.log(times)) > LEAST_GROWTH else []


def _outside(model: _Model, before: Floats, after: Floats) -> float:
    """What the rows that no set holds grew by."""
    rest = model.outside()
    was, now = float(before[rest].sum()), float(after[rest].sum())
    return now / was if was > 0 and now > 0 else model.times


def _at(scan: Scan, before: Floats, after: Floats, requests: float, times: float) -> _Model:
    """The sets where all grew that much."""
    expected = before * times
    phi, sigma2 = dispersion(expected, after, requests)
    weight = 1 / (phi + 2 * sigma2 * expected)
    found: list[Found] = []
    moved: list[float] = []
    told = expected.copy()  # in money: what the sets leave is no more than what they told
    while len(found) < MAX_SETS:
        one = scan.best(expected * weight, after * weight)
        if one is None or one.score < LEAST_NATS or any(one.literals == other.literals for other in found):
            break
        found.append(one)
        moved.append(abs(float((after - told)[one.rows].sum())))
        told = _scaled(told, after, np.ones(len(told)), one.rows)
        expected = _scaled(expected, after, weight, one.rows)
        weight = 1 / (phi + 2 * sigma2 * expected)
    least = LEAST_SHARE * max(moved, default=0.0)
    order = sorted(range(len(found)), key=lambda index: -moved[index])
    return _Model(times, [found[index] for index in order if moved[index] >= least], expected, weight)


def _scaled(expected: Floats, after: Floats, weight: Floats, rows: Codes) -> Floats:
    """As if the set had been expected to be what it became."""
    scaled = expected.copy()
    was, now = (float((column[rows] * weight[rows]).sum()) for column in (expected, after))
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
