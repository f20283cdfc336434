"""What a stretch of time holds, and what was to be expected of it, read from the ledger in bounded time.

Expected are the same hours of earlier weeks; where the ledger has none of these, those of earlier days, and else what
came just before; scaled to what the detector expected of the series. Of what is short, whole hours around it are taken:
five minutes of a week ago say little. Where the ledger itself takes too long, the rollups answer, which know no users.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from stream_jobs.anomalies.evidence import OTHERS, Evidence, conditions_of
from stream_jobs.anomalies.model import COST, EVENTS, FindingRow
from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.explain import joined
from stream_jobs.series.history import LEDGER, SOURCES, Source
from stream_jobs.series.measures import Measure, column, label_parameters
from stream_jobs.store.client import StoreClient, StoreQueryError

log = logging.getLogger(__name__)

EXPLAINED: Final = ("provider", "model", "team", "project", "feature", "customer", "user_id", "environment")
"""By which a cause is looked for."""
CARRIED: Final = ("owner", "cost_center", "workload_type")
"""For the labels of alerts, and the scopes of planned events."""
METERS: Final[tuple[Measure, ...]] = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
MAX_CELLS: Final = 10_000
MAX_READ_S: Final = 5
WEEKS: Final = tuple(timedelta(days=days) for days in (7, 14))
DAYS: Final = tuple(timedelta(days=days) for days in (1, 2, 3))
SHORTEST: Final = timedelta(hours=1)
FROM_LEDGER: Final = timedelta(hours=26)
"""What is longer is asked from a rollup at once."""
MAX_REQUESTS: Final = 3
_SETTINGS: Final = f"SETTINGS max_execution_time = {MAX_READ_S}, max_threads = 1"
"""On one core: booking goes on meanwhile."""
_MINUTE: Final = timedelta(minutes=1)
_SECOND: Final = timedelta(seconds=1)
_TIMEOUTS: Final = frozenset({159, 160, 241})
"""ClickHouse's codes: it takes too long, would take too long, takes too much memory."""
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class DearRequest:
    """A single charge."""

    event_id: str
    at: datetime
    cost: Decimal
    model: str
    user_id: str


class Reader:
    """Raises StoreUnavailableError when the store does not answer, StoreQueryError when nothing answers in time."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def read(self, row: FindingRow, end: datetime, also: Sequence[str] = ()) -> Evidence:
        """Of the finding's stretch, from its start to `end`. `also`: dimensions beside EXPLAINED and CARRIED."""
        start = row.starts_at.replace(second=0, microsecond=0)
        end = max(end, start + _MINUTE)
        if end - start > FROM_LEDGER:  # whole hours: a rollup can tell
            start, end = start.replace(minute=0), end.replace(minute=0, second=0, microsecond=0)
        wanted = dict.fromkeys((*EXPLAINED, *CARRIED, *row.series.dims, *also))
        error: StoreQueryError | None = None
        for source in _sources(start, end):
            names = [name for name in wanted if source.dimensions is None or name in source.dimensions]
            if not set(row.series.dims) <= set(names):
                continue
            try:
                return self._from(source, names, row, start, end)
            except StoreQueryError as refused:
                if refused.code not in _TIMEOUTS:
                    raise
                log.warning("%s does not say within %d s what %s held", source.table, MAX_READ_S, row.series.name)
                error = refused
        raise error or StoreQueryError(f"no table knows {', '.join(row.series.dims)}", None)

    def dearest(self, conditions: Mapping[str, str], start: datetime, end: datetime) -> list[DearRequest]:
        """The dearest charges of what has these values."""
        where, parameters = _having(conditions, column)
        rows = self._store.rows(
            f"SELECT event_id, occurred_at, effective_cost, {column('model')}, user_id FROM ledger "
            f"WHERE {_within('occurred_at', 0)}{where} AND entry_kind = 'charge' AND effective_cost > 0 "
            f"ORDER BY effective_cost DESC, event_id LIMIT {MAX_REQUESTS} {_SETTINGS}",
            _bounds([(start, end)]) | parameters,
        )
        return [
            DearRequest(str(event_id), as_utc(cast(datetime, at)), cast(Decimal, cost), str(model), str(user))
            for event_id, at, cost, model, user in rows
        ]

    def _from(self, source: Source, names: Sequence[str], row: FindingRow, start: datetime, end: datetime) -> Evidence:
        after = self._sums(source, names, [(start, end)])
        found: tuple[pa.Table, Fraction, str] | None = None
        for shifts, compared in (
            (WEEKS, "the same hours of earlier weeks"),
            (DAYS, "the same hours of earlier days"),
            ((max(end - start, SHORTEST),), "what came just before"),
        ):
            around = _widened(start, end)
            windows = [(around[0] - shift, min(around[1] - shift, start)) for shift in shifts]
            before = self._sums(source, names, windows)
            was = _total(before, row)
            if was > 0 and row.measure in (COST, EVENTS):
                found = before, max(Fraction(0), Fraction(row.expected) / Fraction(was)), compared
                break
            if found is None and before.num_rows:
                lengths = sum((two - one for one, two in windows), timedelta(0))
                found = before, Fraction((end - start) // _SECOND, lengths // _SECOND), compared
        before, scale, compared = found or (after.slice(0, 0), Fraction(0), "nothing: there was none before")
        return Evidence(start, end, joined(before, after, scale), tuple(names), compared)

    def _sums(self, source: Source, names: Sequence[str], windows: Sequence[Window]) -> pa.Table:
        """By cell; what is beyond MAX_CELLS is one cell of OTHERS."""
        fields = ", ".join(f"toString({source.column(name)}) AS dim_{number}" for number, name in enumerate(names))
        groups = ", ".join(f"dim_{number}" for number in range(len(names)))
        amounts: dict[str, str] = {"requests": "events", "cost": "effective_cost", **{name: name for name in METERS}}
        sums = ", ".join(
            f"sum({source.sums(cast(Measure, measure))[0]}) AS {name}_" for name, measure in amounts.items()
        )
        where = " OR ".join(f"({_within(source.at, number)})" for number in range(len(windows)))
        settings = _SETTINGS
        parameters = {**_bounds(windows), **label_parameters(names)}
        cells = self._store.arrow(
            f"SELECT {fields}, {sums} FROM {source.table} WHERE {where} GROUP BY {groups} "
            f"ORDER BY abs(cost_) DESC, requests_ DESC, {groups} LIMIT {MAX_CELLS} {settings}",
            parameters,
        )
        table = pa.table(
            {name: cells[f"dim_{number}"].cast(pa.string()) for number, name in enumerate(names)}
            | {name: cells[f"{name}_"].cast(pa.decimal128(38, 12)) for name in amounts}
        )
        if table.num_rows < MAX_CELLS:
            return table
        (whole,) = self._store.rows(f"SELECT {sums} FROM {source.table} WHERE {where} {settings}", _bounds(windows))
        rest: dict[str, Any] = dict.fromkeys(names, OTHERS)
        for name, total in zip(amounts, whole, strict=True):
            rest[name] = Decimal(str(total or 0)) - (pc.sum(table[name]).as_py() or Decimal(0))
        return pa.concat_tables([table, pa.Table.from_pylist([rest], schema=table.schema)])


def _sources(start: datetime, end: datetime) -> Iterator[Source]:
    """Which can answer for a stretch with such bounds, the one that knows most first."""
    bounds = [unix_micros(start), unix_micros(end)]
    if end - start <= FROM_LEDGER:
        yield LEDGER
    yield from (source for source in SOURCES if source.dimensions is not None and source.has((), bounds))
    if end - start > FROM_LEDGER:
        yield LEDGER


def _widened(start: datetime, end: datetime) -> Window:
    missing = max(timedelta(0), SHORTEST - (end - start))
    minutes = -(-(missing // 2) // _MINUTE) * _MINUTE
    return start - minutes, end + minutes


def _within(at: str, number: int) -> str:
    first, end = (f"fromUnixTimestamp64Micro({{{name}_{number}:Int64}}, 'UTC')" for name in ("first", "end"))
    return f"{at} >= {first} AND {at} < {end}"


def _bounds(windows: Sequence[Window]) -> dict[str, Any]:
    firsts = {f"first_{number}": unix_micros(start) for number, (start, _) in enumerate(windows)}
    return firsts | {f"end_{number}": unix_micros(end) for number, (_, end) in enumerate(windows)}


def _having(conditions: Mapping[str, str], expression: Any) -> tuple[str, dict[str, Any]]:
    parts = [f" AND {expression(name)} = {{value_{number}:String}}" for number, name in enumerate(conditions)]
    values = {f"value_{number}": value for number, value in enumerate(conditions.values())}
    return "".join(parts), {**values, **label_parameters(conditions)}


def _total(before: pa.Table, row: FindingRow) -> Decimal:
    """Of the finding's series, in requests or in cost."""
    rows = before
    for name, value in conditions_of(row.series).items():
        rows = rows.filter(pc.equal(rows[name], value))
    amount = pc.sum(rows["requests" if row.measure == EVENTS else "cost"]).as_py()
    return Decimal(amount or 0)
