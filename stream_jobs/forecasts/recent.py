"""What a series was before its forecast begins, for who looks at both."""

from collections.abc import Mapping
from datetime import datetime
from math import isnan
from typing import cast

from spendstream_schemas.scope import Condition
from stream_jobs.base.instants import time_zone
from stream_jobs.budget_terms.resolve import budget_from_json
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.model import Watched
from stream_jobs.forecasts.past import PastReader
from stream_jobs.forecasts.read import OneSeries
from stream_jobs.series.history import History
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.store.client import StoreClient

CELLS = {"hour": 7 * 24, "day": 60}
MOST_VALUES = 1_000


def read_recent(store: StoreClient, one: OneSeries) -> list[tuple[datetime, float | None]]:
    """Where each cell begins, and what came in it; None: nobody knows. Nothing of a series that the ledger cannot be
    asked for any more. Raises StoreUnavailableError, ConfigError for a budget whose definition cannot be used."""
    grid = Grid(one.made.grain, time_zone(one.zone))
    scope = _scope_of(store, one.series.budget_id) if one.series.budget_id else {}
    if scope is None:
        return []
    spec = SeriesSpec(scope, one.series.dims, one.series.measure, grid.calendar)
    reader = PastReader(History(store), MOST_VALUES)
    origin = grid.cell_at(one.made.known_until)
    past = reader.read(grid, [Watched(spec, one.series.budget_id)], CELLS[grid.step], origin)
    for key, row in zip(past.keys, past.values.tolist(), strict=True):
        if key.vals == one.series.vals:
            starts = (grid.start(past.first + place) for place in range(len(row)))
            return [(at, None if isnan(came) else came) for at, came in zip(starts, row, strict=True)]
    return []


def _scope_of(store: StoreClient, budget_id: str) -> Mapping[str, Condition] | None:
    rows = store.rows(
        "SELECT definition FROM budget_definitions WHERE budget_id = {id:String} AND NOT removed "
        "ORDER BY at DESC LIMIT 1",
        {"id": budget_id},
    )
    return budget_from_json(cast(str, rows[0][0])).scope if rows else None
