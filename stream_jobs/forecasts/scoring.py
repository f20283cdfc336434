"""What was forecast of cells that are over, beside what came. Plain."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.model import Floats, Key

AHEAD: Final[Mapping[Step, tuple[int, ...]]] = {"hour": (3, 8, 24, 48, 72), "day": (1, 3, 7, 14, 30, 90, 400)}
"""How far ahead something was said: up to so many steps. What is farther counts with the last."""
NAIVE: Final[Mapping[Step, tuple[int, int]]] = {"hour": (24, 14 * 24), "day": (7, 56)}
"""What is repeated, and for how many cells: a series' scale is how far that was off."""


@dataclass(frozen=True, slots=True)
class Said:
    """One forecast of one cell."""

    key: Key
    cell: int
    ahead: int  # 1: the first step after all that was known
    p10: float
    p50: float
    p90: float
    scale: float  # of the series, when it was said; 0: not known


@dataclass(slots=True)
class Score:
    """Forecasts of one cell and one range of steps ahead."""

    n: int = 0
    inside: int = 0
    below: int = 0
    above: int = 0
    scaled: int = 0
    error: float = 0.0

    def add(self, said: Said, came: float) -> None:
        """What came may be negative, for credits; what was said never is."""
        self.n += 1
        self.below += came < said.p10
        self.above += came > said.p90
        self.inside += said.p10 <= came <= said.p90
        if said.scale > 0:
            self.scaled += 1
            self.error += abs(came - said.p50) / said.scale


def scored(
    step: Step, said: Iterable[Said], came: Mapping[tuple[Key, int], float]
) -> dict[tuple[Key, int, int], Score]:
    """By series, cell and range (its last step). `came`: by series and cell; what is not in it is not known."""
    ranges = AHEAD[step]
    found: dict[tuple[Key, int, int], Score] = {}
    for one in said:
        actual = came.get((one.key, one.cell))
        if actual is not None and one.ahead > 0:
            ahead = ranges[min(bisect_left(ranges, one.ahead), len(ranges) - 1)]
            found.setdefault((one.key, one.cell, ahead), Score()).add(one, actual)
    return found


def naive_scale(row: Floats, step: Step) -> float:
    """How far the day before, or the same weekday of the week before, was off of late; 0: not known."""
    lag, lately = NAIVE[step]
    row = row[-(lately + lag) :]
    if len(row) <= lag:
        return 0.0
    off = np.abs(row[lag:] - row[:-lag])
    off = off[~np.isnan(off)]
    return float(off.mean()) if len(off) else 0.0
