"""What the ledger holds by minute and series, in sums of exactly the blocks that a vector adds to another.

So what was booked after a snapshot is read as it was counted: a block that was counted before a minute was judged is in
that minute, and one that was counted later came late, the second time as the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stream_jobs.anomalies.exact import READ
from stream_jobs.anomalies.model import COST, EVENTS, Series
from stream_jobs.anomalies.names import Level
from stream_jobs.anomalies.rows import Late
from stream_jobs.base.instants import unix_micros
from stream_jobs.series.delta import Origin
from stream_jobs.series.facts import Facts
from stream_jobs.series.measures import MEASURES, column, exact, label_parameters, sql_of
from stream_jobs.series.sums import Vector
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import COUNT, INSTANT, MONEY

AT_ONCE: Final = 60
"""Vectors of one question: a server allows a parameter 131,072 bytes, and each names all partitions."""
MICROS: Final = 1_000_000
Part = Sequence[tuple[Level, Facts]]
"""What some blocks have added, by level."""
_MINUTE: Final = "toUInt32(intDiv(toUnixTimestamp(occurred_at), 60) * 60)"


class LedgerMinutes:
    """Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient, levels: Sequence[Level]) -> None:
        self._store = store
        self._levels = tuple(levels)
        self._dims = tuple(dict.fromkeys(name for level in levels for name in level))

    def between(self, vectors: Sequence[Vector], since: datetime) -> Iterator[Part]:
        """What each vector adds to the one before it, of minutes from `since` on: one part less than there are
        vectors."""
        at = 0
        while at + 1 < len(vectors):
            some = vectors[at : at + AT_ONCE + 1]
            yield from self._between(some, since)
            at += len(some) - 1

    def _between(self, vectors: Sequence[Vector], since: datetime) -> list[Part]:
        origins = sorted({origin for vector in vectors for origin in vector}, key=_text)
        instants = [[_instant(vector, origin) for vector in vectors] for origin in origins]
        # How many of the vectors had not counted the row: 0, the first one had; all, none had.
        after = (
            "arrayCount(x -> x < toUnixTimestamp64Micro(booked_at), {instants:Array(Array(Int64))}"
            "[indexOf({origins:Array(String)}, concat(toString(partition), '/', topic_id))])"
        )
        rows = self._read(
            f"toUInt32({after} - 1)",
            f"{after} > 0 AND {after} < {{vectors:UInt32}} "
            "AND booked_at > fromUnixTimestamp64Micro({booked:Int64}, 'UTC') "
            "AND has({origins:Array(String)}, concat(toString(partition), '/', topic_id))",
            {
                "origins": list(map(_text, origins)),
                "instants": instants,
                "booked": min(map(min, instants), default=0),
                "vectors": len(vectors),
            },
            since,
        )
        return [self._by_level(_where(rows, "part", part)) for part in range(len(vectors) - 1)]

    def booked_by(self, vector: Vector, since: datetime) -> Part:
        """What is counted by a vector, of minutes from `since` on."""
        rows = self._read(
            "toUInt32(0)",
            "toUnixTimestamp64Micro(booked_at) <= transform(concat(toString(partition), '/', topic_id), "
            "{origins:Array(String)}, {instants:Array(Int64)}, toInt64(0))",
            {"origins": list(map(_text, vector)), "instants": list(map(unix_micros, vector.values()))},
            since,
        )
        return self._by_level(rows)

    def _read(self, part: str, condition: str, given: Mapping[str, Any], since: datetime) -> pa.Table:
        if not given["origins"]:  # nothing was booked at all
            part, condition, given = "toUInt32(0)", "0", {}
        return self._store.arrow(
            f"SELECT {part} AS part, {_MINUTE} AS minute, {self._each_level()} AS series, series.1 AS level, "
            f"series.2 AS vals, {', '.join(f'{_sum_of(name)} AS m_{name}' for name in READ)} FROM ledger "
            "WHERE adjustment_run = '' AND occurred_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
            f"AND {condition} GROUP BY part, minute, series",
            {**given, "since": unix_micros(since), **label_parameters(self._dims)},
        )

    def _each_level(self) -> str:
        """An entry counts once in every level. (GROUPING SETS would not say of which one a row of the answer is: the
        embedded engine has no function for it.)"""
        levels = [
            f"(toUInt8({number}), CAST([{', '.join(f'toString({column(name)})' for name in level)}], 'Array(String)'))"
            for number, level in enumerate(self._levels)
        ]
        return f"arrayJoin([{', '.join(levels)}])"

    def _by_level(self, rows: pa.Table) -> Part:
        found = []
        for number, level in enumerate(self._levels):
            some = _where(rows, "level", number)
            if some.num_rows:
                found.append((level, Facts(_as_delta(some, level))))
        return found

    def corrections(self, series: Series, start: datetime, end: datetime) -> Late:
        """What corrections have added to a series in [start, end), by now."""
        where = "".join(f" AND {column(name)} = {{v{number}:String}}" for number, name in enumerate(series.dims))
        ((cost, events),) = self._store.rows(
            f"SELECT sum({sql_of(COST)}), sum({sql_of(EVENTS)}) FROM ledger WHERE adjustment_run != '' "
            "AND occurred_at >= fromUnixTimestamp64Micro({start:Int64}, 'UTC') "
            f"AND occurred_at < fromUnixTimestamp64Micro({{end:Int64}}, 'UTC'){where}",
            {
                "start": unix_micros(start),
                "end": unix_micros(end),
                **{f"v{number}": value for number, value in enumerate(series.vals)},
                **label_parameters(series.dims),
            },
        )
        return Late(exact(COST, cost), exact(EVENTS, events))


def _as_delta(rows: pa.Table, level: Level) -> pa.Table:
    minutes = rows["minute"].cast(pa.int64()).to_numpy() * MICROS
    columns = {"minute": pa.array(minutes).cast(INSTANT)}
    vals = rows["vals"].combine_chunks().flatten()
    for number, name in enumerate(level):
        columns[name] = vals.take(pa.array(np.arange(number, len(vals), len(level))))
    columns |= {name: rows[f"m_{name}"].cast(MEASURES[name].kind) for name in READ}
    return pa.table(columns)


def _sum_of(name: Any) -> str:
    total = f"sum({sql_of(name)})"
    kind = MEASURES[name].kind
    # ClickHouse widens sums; what a delta carries has the type that the exact sums here are made of.
    if kind == COUNT:
        return f"toInt64({total})"
    return f"toDecimal128({total}, {kind.scale})" if kind != MONEY else total


def _where(rows: pa.Table, name: str, value: int) -> pa.Table:
    return rows.filter(pa.array(rows[name].to_numpy() == np.uint64(value)))


def _text(origin: Origin) -> str:
    return f"{origin.partition}/{origin.topic_id}"


def _instant(vector: Mapping[Origin, datetime], origin: Origin) -> int:
    """What an origin is counted up to; of one that a vector does not have, nothing."""
    at = vector.get(origin)
    return 0 if at is None else unix_micros(at)
