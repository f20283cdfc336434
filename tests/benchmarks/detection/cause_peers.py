"""Other rules that name causes, restated in our words. Each returns the values of the set that it names first."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from stream_jobs.explain import Cells
from tests.benchmarks.detection.generator import Floats

_EACH: Final = 0.1  # adtributor's T_EEP: less of the excess is no candidate
_TOGETHER: Final = 0.67  # and its T_EP


def largest_mover(cells: Cells) -> dict[str, str] | None:
    """The single value whose cost moved most in the direction of the whole, of all dimensions but those in which it is
    the only value."""
    best: tuple[float, dict[str, str]] | None = None
    for name, values, before, after in _by_value(cells):
        moved = (after - before) * (1 if after.sum() >= before.sum() else -1)
        index = int(np.argmax(moved))
        if len(values) > 1 and (best is None or moved[index] > best[0]):
            best = float(moved[index]), {name: values[index]}
    return best[1] if best else None


def adtributor(cells: Cells) -> dict[str, str] | None:
    """Bhagwan et al., NSDI 2014: in each dimension the values by surprise (Jensen-Shannon divergence of their shares),
    as long as they explain a tenth of the excess each, until two thirds are explained; the dimension with the largest
    surprise is named, and of it the value with the largest."""
    best: tuple[float, dict[str, str]] | None = None
    for name, values, before, after in _by_value(cells):
        excess = float(after.sum() - before.sum())
        if not before.sum() or not after.sum() or not excess:
            continue
        was, now = before / before.sum(), after / after.sum()
        middle = np.maximum((was + now) / 2, 1e-300)
        surprise = (was * np.log(np.maximum(was, 1e-300) / middle) + now * np.log(np.maximum(now, 1e-300) / middle)) / 2
        explained, taken = 0.0, 0.0
        first: int | None = None
        for index in np.argsort(-surprise, kind="stable").tolist():
            part = float(after[index] - before[index]) / excess
            if part > _EACH:
                first = index if first is None else first
                explained, taken = explained + part, taken + float(surprise[index])
            if explained > _TOGETHER:
                break
        if first is not None and explained > _TOGETHER and (best is None or taken > best[0]):
            best = taken, {name: values[first]}
    return best[1] if best else None


def _by_value(cells: Cells) -> Iterator[tuple[str, list[str], Floats, Floats]]:
    for dimension in cells.dimensions:
        sums = [
            np.bincount(dimension.codes, column.astype(float), len(dimension.values)).astype(np.float64)
            for column in (cells.cost.before, cells.cost.after)
        ]
        yield dimension.name, list(dimension.values), sums[0], sums[1]
