"""Which cells without anything were silent, and which are not known. Plain.

Nothing in a row of cells says which: nobody asked for anything, or nothing was heard of it. A night is silent every
night; a pipeline that was down is not. So a cell without anything of anybody is silent where its like were as well, and
where the silence has lasted for longer than anybody leaves a pipeline down.
"""

from typing import Final

import numpy as np

from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.model import Flags, Floats

LIKE: Final[dict[Step, int]] = {"hour": 24, "day": 7}
"""Cells that are alike are so many apart."""
LOOKED_AT: Final = 7
"""The like of a cell, in each direction."""
NO_OUTAGE: Final[dict[Step, int]] = {"hour": 168, "day": 14}
"""Cells: nobody leaves a pipeline down for that long."""


def unknown_cells(everything: Floats, step: Step) -> Flags:
    """Of the total, cell by cell: whether what came then is not known, as is what was before anything came."""
    empty = everything == 0
    unknown = np.zeros(len(empty), dtype=bool)
    if empty.all():
        unknown[:] = True
        return unknown
    begun = int(np.flatnonzero(~empty)[0])
    unknown[:begun] = True
    for start, end in _stretches(empty, begun):
        if end - start < NO_OUTAGE[step]:
            for cell in range(start, end):
                unknown[cell] = not _is_usual(empty, cell, (begun, start, end), LIKE[step])
    return unknown


def _stretches(empty: Flags, begun: int) -> list[tuple[int, int]]:
    """Where nothing came: [start, end) of each."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], empty[begun:], [False])).astype(np.int8)))
    return [(begun + int(start), begun + int(end)) for start, end in edges.reshape(-1, 2)]


def _is_usual(empty: Flags, cell: int, stretch: tuple[int, int, int], apart: int) -> bool:
    """Whether half of its like, outside of the stretch itself, were empty too."""
    begun, start, end = stretch
    like = [
        cell + number * apart
        for number in range(-LOOKED_AT, LOOKED_AT + 1)
        if begun <= cell + number * apart < len(empty) and not start <= cell + number * apart < end
    ]
    return bool(like) and 2 * int(empty[like].sum()) >= len(like)


def before_the_first(values: Floats) -> Flags:
    """(series, cells): what was before anything came of a series is no part of its history."""
    some = np.nan_to_num(values) != 0
    return np.asarray(np.cumsum(some, axis=1) == 0)
