"""Which part of the ledger's history a run looks at, cut into chunks that fit into memory."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

import pyarrow as pa

from stream_jobs.base.instants import EPOCH, unix_micros
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.entries import as_ledger
from stream_jobs.store.client import StoreClient, store_errors

Kind = Literal["reprice", "reattribute", "unpriced"]
KINDS: Final[tuple[Kind, ...]] = ("reprice", "reattribute", "unpriced")
CHUNK_ROWS: Final = 50_000
CROSSING: Final = timedelta(days=1)
"""How long before a run a revision may have been computed that is booked after the run has looked."""
_RETENTION: Final = re.compile(r"TTL .*booked_at.*toIntervalDay\((\d+)\)")
_BETWEEN: Final = (
    "occurred_at >= fromUnixTimestamp64Micro({low:Int64}, 'UTC') "
    "AND occurred_at < fromUnixTimestamp64Micro({high:Int64}, 'UTC')"
)
# All entries of one revision of an event occurred at one instant, so looking at a stretch sees whole events.
_WITHOUT_PRICE: Final = (
    "unpriced != 0 AND booked_at >= fromUnixTimestamp64Micro({booked_since:Int64}, 'UTC') "
    "AND price_book_version != {not_priced_by:String}"
)
_UNPRICED: Final = (
    f"(event_id, revision) IN (SELECT event_id, revision FROM ledger WHERE {_WITHOUT_PRICE} AND {_BETWEEN} "
    "GROUP BY event_id, revision HAVING sum(unpriced) != 0)"
)
_TAKEN_BACK: Final = (
    "FROM ledger WHERE entry_kind != 'charge' AND adjustment_run = '' "
    "AND booked_at >= fromUnixTimestamp64Micro({crossed_since:Int64}, 'UTC')"
)
_CROSSED: Final = (  # the hours first: the ledger is ordered by them
    f"toStartOfHour(occurred_at) IN (SELECT toStartOfHour(occurred_at) {_TAKEN_BACK}) "
    f"AND event_id IN (SELECT event_id {_TAKEN_BACK})"
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run looks at. `models` and `providers` may hold `*`; empty ones select everything.

    Of events without a price perhaps only those booked since an instant, or not booked with one price book: what
    that book could not price then, it cannot price now.
    """

    kind: Kind
    since: datetime
    until: datetime
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    booked_since: datetime = EPOCH
    not_priced_by: str = ""

    def filters(self) -> dict[str, str]:
        """For the record; two selections with equal filters differ only in time."""
        named = {"models": self.models, "providers": self.providers}
        found = {name: json.dumps(list(values)) for name, values in named.items() if values}
        if self.booked_since != EPOCH:
            found["booked_since"] = self.booked_since.isoformat()
        if self.not_priced_by:
            found["not_priced_by"] = self.not_priced_by
        return found

    @classmethod
    def from_record(cls, kind: str, since: datetime, until: datetime, filters: Mapping[str, str]) -> "Selection":
        named = {name: tuple(json.loads(text)) for name, text in filters.items() if name in ("models", "providers")}
        return cls(
            cast(Kind, kind),
            since,
            until,
            **named,
            booked_since=datetime.fromisoformat(filters.get("booked_since", EPOCH.isoformat())),
            not_priced_by=filters.get("not_priced_by", ""),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stretch of occurred_at in microseconds [low, high), or one of `parts` by event id of a crowded one.

    With `crossed_since` it is the last chunk of a run: only events that a revision took back since then.
    """

    number: int
    low: int
    high: int
    part: int = 0
    parts: int = 1
    crossed_since: int | None = None


@dataclass(frozen=True, slots=True)
class _Where:
    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _filtered(selection: Selection) -> _Where:
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    for name, columns, values in (
        ("model", ("model", "response_model"), selection.models),
        ("provider", ("provider",), selection.providers),
    ):
        tests = []
        for number, value in enumerate(values):
            key = f"{name}{number}"
            parameters[key] = _like(value)
            tests += [f"{column} LIKE {{{key}:String}}" for column in columns]
        if tests:
            parts.append(f"({' OR '.join(tests)})")
    return _Where(" AND ".join(parts), parameters)


def _without_price(selection: Selection) -> dict[str, Any]:
    """The parameters of _WITHOUT_PRICE."""
    return {"booked_since": unix_micros(selection.booked_since), "not_priced_by": selection.not_priced_by}


def _where(selection: Selection, chunk: Chunk) -> _Where:
    filtered = _filtered(selection)
    parts = [_BETWEEN]
    parameters = {"low": chunk.low, "high": chunk.high, **filtered.parameters}
    if filtered.sql:
        parts.append(filtered.sql)
    if chunk.parts > 1:
        parts.append("cityHash64(event_id) % {parts:UInt32} = {part:UInt32}")
        parameters |= {"parts": chunk.parts, "part": chunk.part}
    if chunk.crossed_since is not None:
        parts.append(_CROSSED)
        parameters["crossed_since"] = chunk.crossed_since
    elif selection.kind == "unpriced":
        parts.append(_UNPRICED)
        parameters |= _without_price(selection)
    return _Where(" AND ".join(parts), parameters)


def cut(store: StoreClient, selection: Selection, now: datetime, chunk_rows: int = CHUNK_ROWS) -> list[Chunk]:
    """Chunks of about `chunk_rows` entries; the last looks at what crossed the run. Empty if there is nothing."""
    low, high = unix_micros(selection.since), unix_micros(selection.until)
    filtered = _filtered(selection)
    conditions = [_BETWEEN, *([filtered.sql] if filtered.sql else [])]
    if selection.kind == "unpriced":
        conditions.append(_WITHOUT_PRICE)
    rows = store.rows(
        "SELECT toUnixTimestamp(toStartOfMinute(occurred_at)) AS minute, count() FROM ledger "
        f"WHERE {' AND '.join(conditions)} GROUP BY minute ORDER BY minute",
        {"low": low, "high": high, **filtered.parameters, **_without_price(selection)},
    )
    chunks: list[Chunk] = []
    pending, first = 0, low
    for minute, count in cast(list[tuple[int, int]], rows):
        start = max(low, minute * 1_000_000)
        if pending and pending + count > chunk_rows:
            chunks.append(Chunk(len(chunks), first, start))
            pending, first = 0, start
        if count > 2 * chunk_rows:
            end, parts = min(high, (minute + 60) * 1_000_000), -(-count // chunk_rows)
            chunks += [Chunk(len(chunks) + part, first, end, part, parts) for part in range(parts)]
            first = end
        else:
            pending += count
    if pending:
        chunks.append(Chunk(len(chunks), first, high))
    if chunks:
        chunks.append(Chunk(len(chunks), low, high, crossed_since=unix_micros(now - CROSSING)))
    return chunks


def crossed(selection: Selection, since: datetime) -> Chunk:
    """Everything in the selection that a revision took back since then."""
    return Chunk(0, unix_micros(selection.since), unix_micros(selection.until), crossed_since=unix_micros(since))


def kept_since(store: StoreClient, now: datetime) -> datetime:
    """What was booked since then is still in the ledger for certain; a day is left for merges that are late."""
    rows = store.rows(
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'ledger'"
    )
    found = _RETENTION.search(str(rows[0][0]) if rows else "")
    return now - timedelta(days=int(found[1]) - 1) if found else EPOCH


def read(
    store: StoreClient, selection: Selection, chunk: Chunk, columns: Sequence[str] = LEDGER_COLUMNS.names
) -> pa.Table:
    """All entries of the chunk's events, in no order. Raises StoreUnavailableError."""
    where = _where(selection, chunk)
    named = ", ".join("toString(entry_kind) AS entry_kind" if name == "entry_kind" else name for name in columns)
    sql = f"SELECT {named} FROM ledger WHERE {where.sql}"
    with store_errors(store.settings.address):
        table = store.client.query_arrow(sql, parameters=where.parameters)
    return as_ledger(table)


def holds(store: StoreClient, chunk: Chunk, posted_as: str) -> bool:
    """Whether the ledger has entries that were posted for this chunk under that name."""
    parameters = {"low": chunk.low, "high": chunk.high, "posted_as": posted_as}
    sql = f"SELECT 1 FROM ledger WHERE {_BETWEEN} AND adjustment_run = {{posted_as:String}} LIMIT 1"
    return bool(store.rows(sql, parameters))
