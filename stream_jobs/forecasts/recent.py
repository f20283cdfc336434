"""What a series was before its forecast begins, for who looks at both; and the course of a budget's period."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import isnan
from typing import Any, Final, cast

from spendstream_schemas.scope import Condition
from stream_jobs.base.instants import from_unix_micros, time_zone
from stream_jobs.base.money import PICO_PLACES
from stream_jobs.budget_terms.resolve import budget_from_json
from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasts.course import Course, course_of
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.model import Past, Watched
from stream_jobs.forecasts.past import PastReader
from stream_jobs.forecasts.plan import FARTHEST_DAYS
from stream_jobs.forecasts.read import COST, Ahead, BudgetAhead, OneSeries, read_ahead, read_series
from stream_jobs.forecasts.windows import Window, window_of
from stream_jobs.series.history import History
from stream_jobs.series.measures import places_of
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.store.client import StoreClient

CELLS: Final = {"hour": 7 * 24, "day": 60}
MOST_VALUES: Final = 1_000
_WINDOW: Final = re.compile(r"(\d{1,5})([hd])")
_WINDOWS: Final = (
    "SELECT budget_id, JSONExtractString(definition, 'period', 'rolling') FROM budget_definitions "
    "WHERE NOT startsWith(note, 'refused: ') ORDER BY budget_id, at DESC LIMIT 1 BY budget_id"
)
_STANDING: Final = "SELECT budget_id, vals, amount, currency, rate FROM budget_status"


def read_recent(store: StoreClient, one: OneSeries) -> list[tuple[datetime, float | None]]:
    """Where each cell begins, and what came in it; None: nobody knows. Nothing of a series that the ledger cannot be
    asked for any more. Raises StoreUnavailableError, ConfigError for a budget whose definition cannot be used."""
    past = read_past(store, one)
    if past is None:
        return []
    for key, row in zip(past.keys, past.values.tolist(), strict=True):
        if key.vals == one.series.vals:
            starts = (past.grid.start(past.first + place) for place in range(len(row)))
            return [(at, None if isnan(came) else came) for at, came in zip(starts, row, strict=True)]
    return []


def read_past(store: StoreClient, one: OneSeries) -> Past | None:
    """Of all values that the series is one of. Raises as `read_recent` does."""
    grid = Grid(one.made.grain, time_zone(one.zone))
    scope = _scope_of(store, one.series.budget_id) if one.series.budget_id else {}
    if scope is None:
        return None
    spec = SeriesSpec(scope, one.series.dims, one.series.measure, grid.calendar)
    reader = PastReader(History(store), MOST_VALUES)
    origin = grid.cell_at(one.made.known_until)
    return reader.read(grid, [Watched(spec, one.series.budget_id)], CELLS[grid.step], origin)


def read_windows(store: StoreClient, found: Mapping[OneSeries, Sequence[Ahead]]) -> dict[OneSeries, Window]:
    """Of the budgets among hourly series whose period is a window: what it will hold. Windows that are longer than what
    is read of the past are left out. Raises as `read_recent` does."""
    periods = {str(row[0]): row[1:] for row in store.rows(_WINDOWS)}
    standing = {(row[0], tuple(row[1])): row[2:] for row in cast(list[tuple[Any, ...]], store.rows(_STANDING))}
    pasts: dict[str, Past | None] = {}
    windows: dict[OneSeries, Window] = {}
    for one, ahead in found.items():
        own = one.series.budget_id, one.series.vals
        length = _WINDOW.fullmatch(str(periods.get(one.series.budget_id, ("",))[0]))
        hours = int(length[1]) * (24 if length[2] == "d" else 1) if length else 0
        if (
            one.made.grain != "hour"
            or one.series.measure != COST
            or not 0 < hours <= CELLS["hour"]
            or own not in standing
        ):
            continue
        amount, currency, rate = standing[own]
        if own[0] not in pasts:
            pasts[own[0]] = read_past(store, one)
        came = _came(pasts[own[0]], one)
        unit = Unit(currency, rate) if currency and rate > 0 else Unit()
        windows[one] = window_of(hours, unit, amount, came, ahead)
    return windows


def read_course(
    store: StoreClient, budget: BudgetAhead, scope: Mapping[str, Condition], limit: Decimal
) -> Course | None:
    """Of a budget with this scope, and its values; None where nothing is forecast of it. Raises
    StoreUnavailableError."""
    own = budget.budget_id, budget.values
    series = read_series(store, budget.made) if budget.total is not None else []
    one = next((one for one in series if (one.series.budget_id, one.series.vals) == own), None)
    ahead = read_ahead(store, one, FARTHEST_DAYS) if one is not None else []
    if one is None or not ahead:
        return None
    grid = Grid(one.made.grain, time_zone(one.zone))
    spec = SeriesSpec(scope, one.series.dims, one.series.measure, grid.calendar)
    first, origin = grid.cell_at(budget.period_start), grid.cell_at(ahead[0].at)
    starts = [grid.start(cell) for cell in range(first, origin)]
    scale, came = 10 ** (PICO_PLACES - places_of(spec.measure)), {}
    if starts:
        among = [budget.values] if spec.per else None
        cells = History(store).read(spec, grid.step, starts[0], ahead[0].at, among)
        came = {from_unix_micros(at): found[own[1]].amount * scale for at, found in cells.items() if own[1] in found}
    return course_of(budget, limit, starts, came, ahead)


def _came(past: Past | None, one: OneSeries) -> list[Decimal]:
    for key, row in zip(past.keys, past.values.tolist(), strict=True) if past else ():
        if key.vals == one.series.vals:
            return [Decimal(0) if isnan(came) else Decimal(repr(came)) for came in row]
    return []


def _scope_of(store: StoreClient, budget_id: str) -> Mapping[str, Condition] | None:
    rows = store.rows(
        "SELECT definition FROM budget_definitions WHERE budget_id = {id:String} AND NOT removed "
        "ORDER BY at DESC LIMIT 1",
        {"id": budget_id},
    )
    return budget_from_json(cast(str, rows[0][0])).scope if rows else None
