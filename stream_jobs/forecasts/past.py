"""What series were, read from the ledger's rollups: every cell of them is over, and known or NaN."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from stream_jobs.base.instants import unix_micros
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.model import LEVELS, Floats, Key, Past, Watched
from stream_jobs.forecasts.silence import before_the_first, unknown_cells
from stream_jobs.series.facts import Cells, Values
from stream_jobs.series.history import History
from stream_jobs.series.measures import Measure, places_of
from stream_jobs.series.spec import SeriesSpec

LATELY: Final = {"hour": 28 * 24, "day": 90}
"""Cells: who matters is who spent in these."""
DEPLOYMENT: Final = ("provider", "model")
DEMAND: Final[tuple[Measure, ...]] = ("events", "tokens")


def scopes(grid: Grid) -> list[Watched]:
    """The total, and whatever is watched beside it."""
    return [Watched(SeriesSpec({}, per, "effective_cost", grid.calendar)) for per in ((), *((one,) for one in LEVELS))]


def demand(grid: Grid, most: int) -> list[Watched]:
    """Requests and tokens of the `most` deployments of models that have most requests: wherever they run, and by
    region where the ledger has it."""
    per: tuple[tuple[str, ...], ...] = (DEPLOYMENT, (*DEPLOYMENT, "region"))
    return [
        Watched(SeriesSpec({}, one, measure, grid.calendar), most=most, weighed_by="events")
        for one in per
        for measure in DEMAND
    ]


def drivers(grid: Grid) -> list[Watched]:
    """Requests and tokens of the same series as `scopes` has."""
    return [
        Watched(SeriesSpec({}, one.dims, measure, grid.calendar), weighed_by=one.spec.measure)
        for one in scopes(grid)
        for measure in DEMAND
    ]


class PastReader:
    """Raises StoreUnavailableError."""

    def __init__(self, history: History, most_values: int) -> None:
        self._history = history
        self._most_values = most_values

    def read(self, grid: Grid, watched: Sequence[Watched], cells: int, origin: int) -> Past:
        """`cells` cells before `origin`. What nobody can know of is NaN: before a series began, and where nothing was
        heard of anybody though something should have been."""
        since, until = grid.start(origin - cells), grid.start(origin)
        starts = [unix_micros(grid.start(cell)) for cell in range(origin - cells, origin)]
        places = {start: place for place, start in enumerate(starts)}
        everything = self._rows(scopes(grid)[0], grid, places, since, until)
        unknown = unknown_cells(everything[0][1] if everything else np.zeros(cells), grid.step)
        keys: list[Key] = []
        rows: list[Floats] = []
        for one in watched:
            for key, row in self._rows(one, grid, places, since, until):
                keys.append(key)
                rows.append(row)
        values = np.array(rows) if rows else np.zeros((0, cells))
        values[:, unknown] = np.nan
        values[before_the_first(values)] = np.nan
        first = int(np.flatnonzero(~unknown)[0]) if not unknown.all() else cells
        return Past(grid, origin - cells + first, keys, values[:, first:])

    def _rows(
        self, watched: Watched, grid: Grid, places: dict[int, int], since: datetime, until: datetime
    ) -> list[tuple[Key, Floats]]:
        spec, among = watched.spec, None
        if spec.per:
            # Who matters is asked first: of a hundred thousand customers nobody reads the hours.
            lately = max(since, grid.start(grid.cell_at(until) - LATELY[grid.step]))
            weighed = replace(spec, measure=watched.weighed_by or spec.measure)
            most = self._most_values if watched.most is None else watched.most
            among = self._history.heaviest(weighed, grid.step, lately, until, most)
        found = _arrays(self._history.read(spec, grid.step, since, until, among), places, places_of(spec.measure))
        return [
            (Key(watched.budget_id, watched.dims, values, spec.measure), row) for values, row in sorted(found.items())
        ]


def _arrays(cells: Cells, places: dict[int, int], decimals: int) -> dict[Values, Floats]:
    """By values: what came in each cell, in units of the measure; 0 where nothing did."""
    found: dict[Values, Floats] = {}
    unit = 10.0**-decimals
    for start, by_values in cells.items():
        for values, sums in by_values.items():
            row = found.get(values)
            if row is None:
                row = found[values] = np.zeros(len(places))
            row[places[start]] += sums.amount * unit
    return found
