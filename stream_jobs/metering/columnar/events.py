"""The token events of a bundle as columns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from spendstream_schemas import ATTRIBUTION_FIELDS
from spendstream_schemas.types import EARLIEST_OCCURRED_AT, MAX_STATED_USD, StatedUsd, exact_number
from spendstream_schemas.usage import TOKEN_PARTS
from stream_jobs.base.instants import from_unix_micros
from stream_jobs.facts import NAMED, NOTHING, Condition, Facts, given, given_conditions
from stream_jobs.metering.columnar import structs
from stream_jobs.metering.columnar.instants import US_PER_S, microseconds
from stream_jobs.metering.decode import DETAILS, DecodedEvent
from stream_jobs.store.texts import Codes, Mask, Texts, any_given, constant, encode
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
_COUNT: Final = pa.int64()
_EARLIEST_US: Final = int(EARLIEST_OCCURRED_AT.timestamp()) * US_PER_S
_tuple: Final = msgspec.structs.astuple
_stated_usd: Final = TypeAdapter(StatedUsd | None).validate_json


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
    labels: list[dict[str, str] | None] | None  # None: no event has any
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
                [labels or NOTHING for labels in self.labels or [None] * rows],
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
        return encode([labels.get(name) if labels else None for labels in self.labels])


class Identity(NamedTuple):
    """What makes an event the one it is."""

    record: SourceRecord
    event_id: str
    revision: int
    source: str


def _calls(tool_calls: Any) -> dict[str, int] | None:
    return None if tool_calls is None else given(tool_calls, tool_calls.__struct_fields__)


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


def read(decoded: Sequence[Any], records: list[SourceRecord]) -> tuple[TokenEvents, Mask]:
    """Columns of structs (at least one), and which rows keep what the contract demands beyond single fields.

    The other rows are for the contract's models.
    """
    event = dict(zip(structs.EVENT_FIELDS, zip(*map(_tuple, decoded), strict=True), strict=True))
    occurred_us, good = microseconds(event["occurred_at"])
    good &= occurred_us >= _EARLIEST_US
    usage = dict(zip(structs.USAGE_FIELDS, zip(*map(_tuple, event["usage"]), strict=True), strict=True))
    meters = {name: _meter(values) for name, values in usage.items() if name != "kind" and any_given(values)}
    good &= _parts_fit(meters, len(decoded))
    stated = _stated(event["stated_cost_usd"], good)
    attributions = [given or structs.NO_ATTRIBUTION for given in event["attribution"]]
    tags = dict(zip(structs.ATTRIBUTION_NAMES, zip(*map(_tuple, attributions), strict=True), strict=True))
    events = TokenEvents(
        records,
        list(event["event_id"]),
        occurred_us,
        {name: encode(event[name]) for name in REPEATED},
        {name: encode(tags[name]) for name in ATTRIBUTION_FIELDS},
        {name: _text(event[name]) for name in SINGLE},
        {name: pa.array(event[name], kind) for name, kind in NUMBERS.items()},
        meters,
        list(tags["labels"]) if any(tags["labels"]) else None,
        list(map(given_conditions, event["conditions"])) if any_given(event["conditions"]) else None,
        list(map(_calls, event["tool_calls"])) if any_given(event["tool_calls"]) else None,
        stated,
    )
    return events, good & _named(events)


def _stated(values: tuple[msgspec.Raw | None, ...], good: Mask) -> list[Decimal | None] | None:
    """What the contract makes of the texts; a row that it refuses is no longer `good`."""
    if not any_given(values):
        return None
    read: list[Decimal | None] = []
    for row, value in enumerate(values):
        usd = None
        if value is not None:
            text = bytes(value)
            try:
                usd = _stated_usd(text)
                if usd is not None and not text.startswith(b'"'):
                    exact = exact_number(text.decode())
                    usd = usd if exact is None else exact
                good[row] &= usd is None or usd <= MAX_STATED_USD
            except ValidationError:
                good[row] = False
        read.append(usd)
    return read


def _named(events: TokenEvents) -> Mask:
    """Token usage names the model that was asked for or the one that was served."""
    model = events.repeated["model"].or_else(events.repeated["response_model"])
    return np.array([text != "" for text in model.values])[model.codes]


def _text(values: tuple[str | None, ...]) -> pa.Array:
    if not any_given(values):
        return constant("", len(values)).array().cast(pa.string())
    return pa.array(values, pa.string()).fill_null("")


def _meter(values: tuple[int | None, ...]) -> Meter:
    array = pa.array(values, _COUNT)
    return Meter(array, (array.fill_null(0) if array.null_count else array).to_numpy())


def _parts_fit(meters: dict[str, Meter], rows: int) -> Mask:
    """The contract's rule for parts and wholes; see spendstream_schemas.usage."""
    good = np.ones(rows, bool)
    for whole_name, part_names in TOKEN_PARTS:
        parts = [meters[name] for name in part_names if name in meters]
        if not parts:
            continue
        whole = meters.get(whole_name)
        total = sum((part.counts for part in parts), np.zeros(rows, np.int64))
        if whole is None or whole.array.null_count:
            given = np.zeros(rows, bool)
            for part in parts:
                given |= _valid(part.array)
            good &= ~given | (np.zeros(rows, bool) if whole is None else _valid(whole.array))
        if whole is not None:
            good &= total <= whole.counts
    return good


def _valid(array: pa.Array) -> Mask:
    return array.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
