"""Incidents do not poison a fit: what the anomalies job found, and is over, is not known to those who forecast. Plain.

A level that stays is no incident: a forecast has to follow it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from stream_jobs.forecasts.grid import Grid, Step
from stream_jobs.forecasts.model import Floats, Past

KINDS: Final = frozenset({"spike", "drop", "silence", "dear_request"})
"""Of findings: what passes. A shift, a ramp and a new series go on."""
LONGEST: Final = timedelta(hours=72)
"""What lasts for longer is how things are by now."""
SHARE: Final = 0.1
"""Of a cell: what moved less of it than that leaves it usable."""
MOST: Final = 0.25
"""Of the last cells of a series: where more would go, all stay, for then incidents are what is usual."""
LOOKED_AT: Final[Mapping[Step, int]] = {"hour": 14 * 24, "day": 56}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of one series: when it was unusual, and by how much in all."""

    dims: tuple[str, ...]
    vals: tuple[str, ...]
    start: datetime
    end: datetime
    excess: float  # USD more than expected; less: negative


def is_incident(kind: str, closing: str, lasted: timedelta) -> bool:
    """`closing`: as in anomaly_findings; what became the new normal is a level."""
    return kind in KINDS and closing != "new_normal" and lasted <= LONGEST


def without_incidents(past: Past, stretches: Iterable[Stretch]) -> Floats:
    """The values, NaN in cells of which a stretch of the same series moved a tenth or more."""
    values = past.values.copy()
    places = {
        (key.dims, key.vals): place
        for place, key in enumerate(past.keys)
        if not key.budget_id and key.measure == "effective_cost"
    }
    moved: dict[int, Floats] = {}
    for stretch in stretches:
        place = places.get((stretch.dims, stretch.vals))
        if place is not None and stretch.end > stretch.start:
            moved.setdefault(place, np.zeros(values.shape[1]))
            _spread(moved[place], past.grid, past.first, stretch)
    lately = LOOKED_AT[past.grid.step]
    for place, by_cell in moved.items():
        usual = np.abs(values[place] - by_cell)
        gone = np.abs(by_cell) > SHARE * np.maximum(usual, np.abs(values[place]))
        if gone[-lately:].sum() <= MOST * min(lately, len(gone)):
            values[place, gone] = np.nan
    return values


def _spread(into: Floats, grid: Grid, first: int, stretch: Stretch) -> None:
    """What it moved, by cell: evenly over its time."""
    length = (stretch.end - stretch.start).total_seconds()
    cell = max(first, grid.cell_at(stretch.start))
    while cell < first + len(into) and grid.start(cell) < stretch.end:
        within = min(stretch.end, grid.start(cell + 1)) - max(stretch.start, grid.start(cell))
        into[cell - first] += stretch.excess * within.total_seconds() / length
        cell += 1
