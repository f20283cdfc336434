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
from stream_jobs.budget_terms.document import TOTAL
from stream_jobs.budget_terms.resolve import budget_from_json
from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasts.course import Course, course_of
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.model import Past, Watched
from stream_jobs.forecasts.past import PastReader
from stream_jobs.forecasts.plan import FARTHEST_DAYS
from stream_jobs.forecasts.read import COST, Ahead, BudgetAhead, OneSeries, read_ahead, read_series
from stream_jobs.forecasts.windows import Window, total_of, window_of
from stream_jobs.series.facts import Values
from stream_jobs.series.history import History
from stream_jobs.series.measures import places_of
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.store.client import StoreClient

CELLS: Final = {"hour": 7 * 24, "day": 60}
MOST_VALUES: Final = 1_000
_WINDOW: Final = re.compile(r"(\d{1,5})([hd])")
_PERIODS: Final = (
    "SELECT budget_id, JSONExtractString(definition, 'period'), JSONExtractString(definition, 'period', 'rolling') "
    "FROM budget_definitions WHERE NOT startsWith(note, 'refused: ') ORDER BY budget_id, at DESC LIMIT 1 BY budget_id"
)
_STANDING: Final = "SELECT budget_id, vals, amount, currency, rate, spent FROM budget_status"


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


def read_lengths(store: StoreClient) -> dict[str, int | None]:
    """Of budgets that have no end, by their ids: the hours of those that are windows; None: all that is ever spent.
    Raises StoreUnavailableError."""
    found: dict[str, int | None] = {}
    for budget_id, word, rolling in cast(list[tuple[str, str, str]], store.rows(_PERIODS)):
        length = _WINDOW.fullmatch(rolling)
        if word == TOTAL:
            found[budget_id] = None
        elif length:
            found[budget_id] = int(length[1]) * (24 if length[2] == "d" else 1)
    return found


def read_windows(
    store: StoreClient, lengths: Mapping[str, int | None], found: Mapping[OneSeries, Sequence[Ahead]]
) -> dict[OneSeries, Window]:
    """What budgets without an end will hold. `lengths`: of `read_lengths`. Windows that are longer than what is read of
    the past are left out. Raises as `read_recent` does."""
    standing = {(row[0], tuple(row[1])): row[2:] for row in cast(list[tuple[Any, ...]], store.rows(_STANDING))}
    pasts: dict[str, Past | None] = {}
    since: dict[tuple[str, datetime], dict[Values, Decimal]] = {}
    windows: dict[OneSeries, Window] = {}
    for one, ahead in found.items():
        budget_id = one.series.budget_id
        own = budget_id, one.series.vals
        if not ahead or one.series.measure != COST or own not in standing or budget_id not in lengths:
            continue
        hours = lengths[budget_id]
        amount, currency, rate, spent = standing[own]
        unit = Unit(currency, rate) if currency and rate > 0 else Unit()
        if hours is None:
            start = ahead[0].at
            if (budget_id, start) not in since:
                its = [other for other in found if other.series.budget_id == budget_id]
                since[budget_id, start] = _spent_since(store, its, start)
            came = since[budget_id, start].get(one.series.vals, Decimal(0))
            windows[one] = total_of(unit, amount, spent, came, ahead)
        elif one.made.grain == "hour" and 0 < hours <= CELLS["hour"]:
            if budget_id not in pasts:
                pasts[budget_id] = read_past(store, one)
            windows[one] = window_of(hours, unit, amount, _came(pasts[budget_id], one), ahead)
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


def _spent_since(store: StoreClient, its: Sequence[OneSeries], start: datetime) -> dict[Values, Decimal]:
    """Of a budget, by values: from where its forecast begins up to now, which is expected there and spent already."""
    series = its[0].series
    scope, now = _scope_of(store, series.budget_id), store.now()
    if scope is None or now <= start:
        return {}
    spec = SeriesSpec(scope, series.dims, series.measure, Grid("hour").calendar)
    among = [one.series.vals for one in its] if spec.per else None
    found: dict[Values, Decimal] = {}
    for cell in History(store).read(spec, "hour", start, now, among).values():
        for values, sums in cell.items():
            found[values] = found.get(values, Decimal(0)) + Decimal(sums.amount).scaleb(-places_of(spec.measure))
    return found


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
