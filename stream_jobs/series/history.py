"""What a series was: its sums by minute, hour or day, from the rollups where they can tell, else from the ledger.

Hours and days are those of the calendar's zone. A rollup answers if each of its rows lies within one cell and it has
the dimensions and the measure; it is smaller than the ledger, and kept for longer. What has left the table that
answers, by retention, is absent, as nothing is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, cast

from stream_jobs.base.instants import EPOCH, unix_micros
from stream_jobs.series import calendar
from stream_jobs.series.facts import Cells, Sums, Values
from stream_jobs.series.measures import MEASURES, Measure, column, exact, parts_of, sql_of
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import MICROS, runs, scope_condition
from stream_jobs.store.client import StoreClient

Grain = Literal["minute", "hour", "day"]
_MINUTE: Final = timedelta(minutes=1)
_SUMS: Final[Mapping[Measure, str]] = {
    name: name
    for name in (
        *("events", "errors", "list_cost", "contracted_cost", "effective_cost", "avoided_cost", "input_tokens"),
        *("cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "gpu_seconds", "tool_calls"),
    )
} | {"cached": "cached_responses", "unpriced": "unpriced_events"}
"""The rollups' columns."""
_BY_MINUTE: Final = ("project", "team", "environment", "category", "feature", "provider", "model")
_BY_HOUR: Final = (
    *(*_BY_MINUTE, "cost_center", "workload_type", "owner", "budget_code", "customer", "source", "region"),
)

_CONDITIONS: Final = ("price_model", "operation", "service_tier")


@dataclass(frozen=True, slots=True)
class Source:
    """A table that history is read from."""

    table: str
    at: str  # its instant, as a DateTime
    whole: int  # seconds: cells must begin and end with a multiple of it
    dimensions: Sequence[str] | None = None  # None: all, by the ledger's expressions

    def tells(self, spec: SeriesSpec, bounds: Sequence[int]) -> bool:
        """Whether it can answer for cells with these bounds, in microseconds since 1970."""
        known = self.dimensions is None or all(part in _SUMS for part in parts_of(spec.measure))
        return known and self.has((*spec.scope, *spec.per), bounds)

    def has(self, dimensions: Iterable[str], bounds: Sequence[int]) -> bool:
        """Whether it has the dimensions, and each of its rows lies on one side of each bound."""
        if any(bound % (self.whole * MICROS) for bound in bounds):
            return False
        return self.dimensions is None or set(dimensions) <= set(self.dimensions)

    def sums(self, measure: Measure) -> tuple[str, str]:
        """Of the measure, and of events without a price: what to add up."""
        if self.dimensions is None:
            return sql_of(measure), MEASURES["unpriced"].sql
        amount = " + ".join(f"{self.table}.{_SUMS[part]}" for part in parts_of(measure))
        return amount, f"{self.table}.{_SUMS['unpriced']}"

    def column(self, dimension: str) -> str:
        return column(dimension) if self.dimensions is None else dimension


LEDGER: Final = Source("ledger", "occurred_at", 60)
OPERATIONS: Final = Source(
    *("operations_1d", "toDateTime(day, 'UTC')", 86_400),
    (*_BY_HOUR, *_CONDITIONS, "subcategory", "accelerator", "purchase_option"),
)
SOURCES: Final = (
    OPERATIONS,
    Source("cost_1d", "toDateTime(day, 'UTC')", 86_400, (*_BY_HOUR, *_CONDITIONS, "user_id")),
    Source("cost_1h", "hour", 3_600, (*_BY_HOUR, *_CONDITIONS)),
    Source("cost_1m", "minute", 60, _BY_MINUTE),
    LEDGER,
)
"""The smallest first."""


class History:
    """Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def read(
        self,
        spec: SeriesSpec,
        grain: Grain,
        since: datetime,
        until: datetime,
        among: Sequence[Values] | None = None,
    ) -> Cells:
        """Everything that is booked by now, corrections too, in the cells of [since, until): by the start of each, and
        by values; what is nothing is absent. The first cell is the one that holds `since`. What is held is not told
        beside another measure: the rollups do not know it. With `among`, all other values are added up as one, of
        empty texts."""
        bounds = boundaries(spec, grain, since, until)
        source = source_of(spec, bounds)
        found: Cells = {}
        for run in runs(list(pairwise(bounds))):
            self._read(source, spec, run, among, found)
        return found

    def heaviest(self, spec: SeriesSpec, grain: Grain, since: datetime, until: datetime, most: int) -> list[Values]:
        """The values with the largest sums in the cells of [since, until), credits as large as costs; `most` of them,
        the largest first."""
        bounds = boundaries(spec, grain, since, until)
        if not bounds:
            return []
        source = source_of(spec, bounds)
        where, parameters = scope_condition(spec.scope, spec.per, source.column)
        fields = ", ".join(map(source.column, spec.per))
        amount, _ = source.sums(spec.measure)
        rows = self._store.rows(
            f"SELECT CAST([{fields}], 'Array(String)') AS vals FROM {source.table} "
            f"WHERE {source.at} >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') "
            f"AND {source.at} < fromUnixTimestamp64Micro({{end:Int64}}, 'UTC'){where} "
            f"GROUP BY vals ORDER BY abs(sum({amount})) DESC, vals LIMIT {{most:UInt32}}",
            {"first": bounds[0], "end": bounds[-1], "most": most, **parameters},
        )
        return [tuple(cast(list[str], values)) for (values,) in rows]

    def _read(
        self, source: Source, spec: SeriesSpec, run: Sequence[int], among: Sequence[Values] | None, found: Cells
    ) -> None:
        where, parameters = scope_condition(spec.scope, spec.per, source.column)
        fields = ", ".join(map(source.column, spec.per))
        values = f"CAST([{fields}], 'Array(String)')"
        if among is not None:
            others = ", ".join(["''"] * len(spec.per))
            values = f"if(has({{among:Array(Array(String))}}, {values}), {values}, CAST([{others}], 'Array(String)'))"
            parameters = {**parameters, "among": [list(one) for one in among]}
        amount, unpriced = source.sums(spec.measure)
        rows = self._store.rows(
            f"SELECT roundDown(toUnixTimestamp({source.at}), {{starts:Array(UInt32)}}) AS cell, "
            f"{values} AS vals, sum({amount}), sum({unpriced}) FROM {source.table} "
            f"WHERE {source.at} >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') "
            f"AND {source.at} < fromUnixTimestamp64Micro({{end:Int64}}, 'UTC'){where} GROUP BY cell, vals",
            {"starts": [bound // MICROS for bound in run[:-1]], "first": run[0], "end": run[-1], **parameters},
        )
        for start, of, total, without_price in rows:
            sums = Sums(exact(spec.measure, total), int(str(without_price)))
            if sums != Sums():
                found.setdefault(int(str(start)) * MICROS, {})[tuple(cast(list[str], of))] = sums


def source_of(spec: SeriesSpec, bounds: Sequence[int]) -> Source:
    """The smallest table that can answer."""
    return next((source for source in SOURCES if source.tells(spec, bounds)), LEDGER)


def boundaries(spec: SeriesSpec, grain: Grain, since: datetime, until: datetime) -> list[int]:
    """The starts of the cells that hold an instant of [since, until), and the end of the last one, in microseconds
    since 1970; what was before is nobody's."""
    since = max(since, EPOCH)
    if since >= until:
        return []
    if grain == "minute":
        first, last = (unix_micros(instant) // (60 * MICROS) for instant in (since, until - timedelta(microseconds=1)))
        return [minute * 60 * MICROS for minute in range(first, last + 2)]
    cells = (calendar.hours if grain == "hour" else calendar.days)(spec.calendar.zone)
    return [bound for bound in map(unix_micros, cells.boundaries(since, until)) if bound >= 0]
