"""The token events of a bundle as columns."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.instants import from_unix_micros
from stream_jobs.facts import NAMED, NOTHING, Condition, Facts
from stream_jobs.metering.decode import DETAILS, DecodedEvent
from stream_jobs.store.texts import Codes, Texts, constant, texts_of
from stream_jobs.streams.model import SourceRecord

REPEATED: Final = ("source", "provider", "model", "response_model", "operation", "service_tier", "region", "status")
"""Texts with few distinct values."""
SINGLE: Final = ("event_id", "response_id", "trace_id", "session_id", "retry_of", "prompt_fingerprint")
NUMBERS: Final = {
    "revision": pa.uint32(),
    "latency_ms": pa.float64(),
    "cached_response": pa.bool_(),
    "complexity": pa.float64(),
    "batchable": pa.bool_(),
}


@dataclass(slots=True)
class Meter:
    """One count per row. `counts` is 0 where the event did not say; `array` is null there."""

    array: pa.Array
    counts: Codes

    def take(self, rows: Codes) -> "Meter":
        return Meter(self.array.take(pa.array(rows)), self.counts[rows])


@dataclass(slots=True)
class TokenEvents:
    """Parallel columns, one row per event. A meter that no event gives is absent."""

    records: list[SourceRecord]
    event_ids: list[str]
    occurred_us: Codes
    repeated: dict[str, Texts]
    tags: dict[str, Texts]
    single: dict[str, pa.Array]
    numbers: dict[str, pa.Array]
    meters: dict[str, Meter]
    labels: pa.Array | None  # maps of texts; None: no event has any
    conditions: list[tuple[Condition, ...]] | None
    tool_calls: list[dict[str, int] | None] | None
    stated: list[Decimal | None] | None  # USD

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: Codes) -> "TokenEvents":
        """The rows with these numbers, in this order."""
        if len(rows) == len(self) and bool((rows == np.arange(len(rows))).all()):
            return self
        return TokenEvents(*(_take(getattr(self, field.name), rows) for field in fields(self)))

    def identities(self) -> list["Identity"]:
        """One object per event, for where only some are looked at."""
        revisions, sources = self.numbers["revision"].to_pylist(), self.repeated["source"].listed()
        return list(map(Identity, self.records, self.event_ids, revisions, sources))

    def facts(self) -> list[Facts]:
        """The same as `facts_of` every single event."""
        rows = len(self)
        labels = [None] * rows if self.labels is None else self.labels.to_pylist()
        named = {name: [text or None for text in texts.listed()] for name, texts in self.repeated.items()}
        usage: list[dict[str, int]] = [{} for _ in range(rows)]
        for name, meter in self.meters.items():
            for used, count in zip(usage, meter.array.to_pylist(), strict=True):
                if count is not None:
                    used[name] = count
        return list(
            map(
                Facts,
                map(from_unix_micros, self.occurred_us.tolist()),
                ["tokens"] * rows,
                usage,
                *(named[name] for name in NAMED),
                self.numbers["cached_response"].to_pylist(),
                self.conditions or [()] * rows,
                [calls or NOTHING for calls in self.tool_calls or [None] * rows],
                zip(*(self.tags[name].listed() for name in ATTRIBUTION_FIELDS), strict=True),
                [dict(pairs) if pairs else NOTHING for pairs in labels],
                self.stated or [None] * rows,
            )
        )

    def one_by_one(self) -> list[DecodedEvent]:
        """What `decode` makes of the records, without reading them again."""
        said = [{**self.single, **self.numbers}[name].to_pylist() for name in DETAILS]
        details = [dict(zip(DETAILS, row, strict=True)) for row in zip(*said, strict=True)]
        revisions = self.numbers["revision"].to_pylist()
        return list(map(DecodedEvent, self.records, self.event_ids, revisions, self.facts(), details))

    def rows_of(self, offsets: Collection[int]) -> Codes:
        """The rows whose records have these offsets, ascending."""
        return np.array([row for row, record in enumerate(self.records) if record.offset in offsets], np.int64)

    def label(self, name: str) -> Texts:
        """One label of every event."""
        if self.labels is None:
            return constant("", len(self))
        return texts_of(pc.map_lookup(self.labels, name, "first"))


class Identity(NamedTuple):
    """What makes an event the one it is."""

    record: SourceRecord
    event_id: str
    revision: int
    source: str


def _take(column: Any, rows: Codes) -> Any:
    if isinstance(column, list):
        return [column[row] for row in rows]
    if isinstance(column, dict):
        return {name: _take(values, rows) for name, values in column.items()}
    if isinstance(column, np.ndarray):
        return column[rows]
    if isinstance(column, pa.Array):
        return column.take(pa.array(rows))
    return None if column is None else column.take(rows)
