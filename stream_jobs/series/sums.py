"""What a reader of deltas asks the ledger, in sums of exactly the rows that it knows of.

Each partition of usage events is booked block after block, each at a later instant than the one before, and a block's
rows come into the ledger all at once. So one instant per partition (the vector) says which blocks a sum holds, and the
same question gives the same answer however much is booked meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import pyarrow as pa

from spendstream_schemas.scope import Condition, glob_regex
from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.series.counters import Counters, Loaded
from stream_jobs.series.delta import Origin
from stream_jobs.series.facts import BESIDE, Cells, Sums, Values
from stream_jobs.series.measures import Measure, column, exact_column, label_parameters, sql_of
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.store.client import StoreClient

SETTLED: Final = timedelta(days=35)
"""No partition's owner sleeps so long and then goes on: what was booked earlier belongs to every sum."""
MAX_CELLS: Final = 5_000
"""Of one question: a server allows a parameter 131,072 bytes."""
MICROS: Final = 1_000_000
Vector = Mapping[Origin, datetime]
"""Of each partition, the booking time of the last block that is counted."""


class LedgerSums:
    """Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._settled = store.now() - SETTLED

    def vector(self, since: datetime | None = None) -> dict[Origin, datetime]:
        """The last block of each partition that is in the ledger now; only of those that have booked `since`."""
        rows = self._store.rows(
            "SELECT topic_id, partition, max(booked_at) FROM ledger WHERE adjustment_run = '' "
            "AND booked_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC') GROUP BY topic_id, partition",
            {"since": unix_micros(since or self._settled)},
        )
        return {Origin(str(topic), int(str(part))): as_utc(cast(datetime, at)) for topic, part, at in rows}

    def sums(self, spec: SeriesSpec, cells: Sequence[tuple[int, int]], vector: Vector) -> Loaded:
        """Of these cells (start and end, in microseconds since 1970; rising, without overlap), by values."""
        return self._sums(spec, cells, vector, ("", {}))

    def sums_where(
        self, spec: SeriesSpec, cells: Sequence[tuple[int, int]], vector: Vector, rows: tuple[str, dict[str, Any]]
    ) -> Loaded:
        """The same, only of the values that there are in rows of the ledger for which a condition holds, in its words
        and with its parameters."""
        if not spec.per:
            return self.sums(spec, cells, vector)
        fields = ", ".join(column(name) for name in spec.per)
        where, _ = scope_condition(spec.scope, spec.per)
        among = f" AND tuple({fields}) IN (SELECT DISTINCT tuple({fields}) FROM ledger WHERE {rows[0]}{where})"
        return self._sums(spec, cells, vector, (among, rows[1]))

    def _sums(
        self, spec: SeriesSpec, cells: Sequence[tuple[int, int]], vector: Vector, among: tuple[str, dict[str, Any]]
    ) -> Loaded:
        loaded = Loaded()
        for run in runs(cells):
            rows = self._ask(spec, run, vector, among)
            starts, values, *sums = rows.itercolumns()
            keys = _values(values, len(spec.per))
            for cells_of, columns in (
                (loaded.blocks, sums[: len(Sums._fields)]),
                (loaded.corrections, sums[len(Sums._fields) :]),
            ):
                _put(cells_of, starts.to_pylist(), keys, _sums_of(spec.measure, columns))
        return loaded

    def load(self, counters: Counters, cells: Sequence[int], vector: Vector) -> None:
        """These cells (rising) of the counters follow the ledger from here on."""
        if cells:
            counters.load(cells, self.sums(counters.spec, [(cell, counters.end_of(cell)) for cell in cells], vector))

    def load_new(self, counters: Counters, cells: Sequence[int], vector: Vector, horizon: int | None) -> None:
        """The same for those that are not loaded yet. No entry that is counted is later than the minute `horizon` (in
        microseconds since 1970): what begins after it is empty, and the ledger need not be asked. None: that is not
        known."""
        new = [cell for cell in cells if not counters.is_loaded(cell)]
        asked = new if horizon is None else [cell for cell in new if cell <= horizon]
        self.load(counters, asked, vector)
        counters.load(new[len(asked) :], Loaded())  # they rise

    def corrected(self, counters: Counters, vector: Vector) -> Cells:
        """What corrections have added by now to the cells that are loaded, for Counters.correct."""
        cells = [(cell, counters.end_of(cell)) for cell in counters.cells]
        return self.sums(counters.spec, cells, vector).corrections

    def latest(self, now: datetime) -> int:
        """The minute of the latest entry, or now if none is from the future; in microseconds since 1970."""
        rows = self._store.rows(
            "SELECT toUnixTimestamp(max(occurred_at)) FROM ledger "
            "WHERE occurred_at > fromUnixTimestamp64Micro({now:Int64}, 'UTC')",
            {"now": unix_micros(now)},
        )
        return max(unix_micros(now), int(str(rows[0][0])) * MICROS)

    def corrections(self) -> tuple[object, ...]:
        """Something that changes whenever a correction was posted."""
        return self._store.rows(
            "SELECT (SELECT (count(), max(at)) FROM adjustment_chunks), "
            "(SELECT (count(), max(at)) FROM reconciliation_batches), "  # retention takes some while others come
            "(SELECT count() FROM adjustment_runs)"  # one that is ended where it is may have posted a last time
        )[0]

    def _ask(
        self, spec: SeriesSpec, bounds: Sequence[int], vector: Vector, among: tuple[str, dict[str, Any]]
    ) -> pa.Table:
        """`bounds` are the starts of cells that follow each other, and the end of the last one."""
        where, parameters = scope_condition(spec.scope, spec.per)
        fields = ", ".join(column(name) for name in spec.per)
        counted, known = _counted(vector, self._settled)
        added = [sql_of(name) for name in (spec.measure, *BESIDE)]
        sums = ", ".join(f"sumIf({sql}, adjustment_run {by} '')" for by in ("=", "!=") for sql in added)
        return self._store.arrow(
            "SELECT roundDown(toUnixTimestamp(occurred_at), {starts:Array(UInt32)}) AS cell, "
            f"CAST([{fields}], 'Array(String)') AS vals, {sums} "
            "FROM ledger WHERE occurred_at >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
            "AND occurred_at < fromUnixTimestamp64Micro({end:Int64}, 'UTC') "
            f"AND (adjustment_run != '' OR {counted}){where}{among[0]} GROUP BY cell, vals",
            {
                "starts": [bound // MICROS for bound in bounds[:-1]],
                "first": bounds[0],
                "end": bounds[-1],
                **known,
                **parameters,
                **among[1],
            },
        )


def _values(column: pa.ChunkedArray, count: int) -> list[Values]:
    """Of each row its texts, of which all have so many."""
    if not count:
        return [()] * len(column)
    flat = column.combine_chunks().flatten().to_pylist()
    return list(zip(*[iter(flat)] * count, strict=True))


def _sums_of(measure: Measure, columns: Sequence[pa.ChunkedArray]) -> list[Sums]:
    """Of each row; none at all where every one of them is nothing, as most often what corrections have added."""
    added = [exact_column(name, column) for name, column in zip((measure, *BESIDE), columns, strict=True)]
    return list(map(Sums, *added)) if any(map(any, added)) else []


def _put(cells: Cells, starts: Sequence[int], keys: Sequence[Values], sums: Sequence[Sums]) -> None:
    if not sums:
        return
    nothing = Sums()
    for start, values, one in zip(starts, keys, sums, strict=True):
        if one != nothing:
            cells.setdefault(start * MICROS, {})[values] = one


def runs(cells: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Cells that touch, together, MAX_CELLS at most: their starts and the last one's end."""
    runs: list[list[int]] = []
    for start, end in sorted(cells):
        if runs and runs[-1][-1] == start and len(runs[-1]) <= MAX_CELLS:
            runs[-1].append(end)
        else:
            runs.append([start, end])
    return runs


def _counted(vector: Vector, settled: datetime) -> tuple[str, dict[str, Any]]:
    """The condition that a block of the vector booked the row."""
    origins = [f"{origin.partition}/{origin.topic_id}" for origin in vector]
    if not origins:
        return "booked_at <= fromUnixTimestamp64Micro({settled:Int64}, 'UTC')", {"settled": unix_micros(settled)}
    condition = (
        "toUnixTimestamp64Micro(booked_at) <= transform(concat(toString(partition), '/', topic_id), "
        "{origins:Array(String)}, {instants:Array(Int64)}, {settled:Int64})"
    )
    instants = [unix_micros(instant) for instant in vector.values()]
    return condition, {"origins": origins, "instants": instants, "settled": unix_micros(settled)}


def scope_condition(
    scope: Mapping[str, Condition],
    per: Sequence[str] = (),
    column: Callable[[str], str] = column,
    prefix: str = "scope",
) -> tuple[str, dict[str, Any]]:
    """' AND ...' with its parameters: the rows of the scope that have a value for each of `per`. `column` gives a
    table's expression for a dimension, by default the ledger's; `prefix` tells the parameters of two scopes apart."""
    parts = [f"{column(name)} != ''" for name in per]
    parameters: dict[str, Any] = {**label_parameters((*scope, *per))}
    for number, (name, condition) in enumerate(scope.items()):
        parameter = f"{prefix}_{number}"
        if condition.any_of is not None:
            parts.append(f"{column(name)} IN {{{parameter}:Array(String)}}")
            parameters[parameter] = list(condition.any_of)
        elif condition.none_of is not None:
            parts.append(f"{column(name)} NOT IN {{{parameter}:Array(String)}}")
            parameters[parameter] = list(condition.none_of)
        elif condition.glob is not None:
            parts.append(f"{column(name)} != '' AND match({column(name)}, {{{parameter}:String}})")
            parameters[parameter] = f"{glob_regex(*condition.globs)}$"
        else:
            parts.append(f"{column(name)} {'=' if condition.missing else '!='} ''")
    return "".join(f" AND {part}" for part in parts), parameters
