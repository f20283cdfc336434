"""One delta: what one block added to the ledger, summed, as a message.

A message is an Arrow IPC stream (zstd) whose schema carries the origin as JSON under `spendstream.delta`. A large delta
travels in several parts. The ledger is the truth: a delta says no more than its rows of one block do, and whoever reads
deltas can take any of them twice, because their origin and instant tell which of them the ledger's sums hold already.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from spendstream_schemas.scope import LABEL, SCOPE_FIELDS_1
from spendstream_schemas.types import INSTANTS, MAX_COUNT, Instant, Message, Text128
from stream_jobs.base.instants import unix_micros
from stream_jobs.series.envelope import unpacked_bytes
from stream_jobs.series.measures import DIMENSIONS, MAX_LABELS, MEASURES, is_dimension
from stream_jobs.store.arrow_stream import decoded, encoded, schema_of
from stream_jobs.store.tables import INSTANT, TEXT

SCHEMA: Final = pa.schema(
    [
        ("minute", INSTANT),  # of occurred_at
        *((name, TEXT) for name in DIMENSIONS),
        *((name, definition.kind) for name, definition in MEASURES.items()),
    ]
)
"""Of version 3. Labels follow, as columns `labels.NAME`."""
SCHEMA_2: Final = pa.schema([field for field in SCHEMA if field.name not in ("held_flat", "held_cost")])
"""Labels follow, too."""
COSTS: Final = ("list_cost", "contracted_cost", "effective_cost")
SCHEMA_1: Final = pa.schema([SCHEMA.field(name) for name in ("minute", *SCOPE_FIELDS_1, *COSTS, "events", "unpriced")])
VERSION: Final = 3
MAX_PART_ROWS: Final = 4_000
"""A quarter of a megabyte or so."""
MAX_PART_BYTES: Final = 900_000
"""Brokers refuse messages above a megabyte."""
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
MAX_ROWS: Final = 100_000
MAX_PARTS: Final = 10_000
MAX_TEXT_CHARS: Final = 128
MAX_LABEL_CHARS: Final = 256
_Offset = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
_METADATA: Final = b"spendstream.delta"
_COUNTED: Final = ("events", "ok", "errors", "cancelled", "cached", "unpriced", "held_flat")
"""Measures that count events."""


class InvalidDeltaError(ValueError):
    """A message that is no delta, or one of a version that this code cannot read."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A partition of one incarnation of the topic of usage events. Its blocks are booked one after the other, each at
    a later instant than the one before."""

    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Delta:
    """`rows` has one row per minute and dimensions: SCHEMA or SCHEMA_2 and labels, or SCHEMA_1."""

    origin: Origin
    booked_at: datetime  # the block's, in UTC: the `booked_at` of its rows in the ledger
    first_offset: int  # of the block: blocks follow each other without a gap, so a gap is a delta that was lost
    last_offset: int
    rows: pa.Table
    part: int = 0
    parts: int = 1
    cut: frozenset[str] = frozenset()  # labels with too many values: some rows have the empty one in their place

    def tells(self, names: Iterable[str]) -> bool:
        """Whether it knows all of these measures and dimensions of its rows."""
        return all(name in self.rows.column_names and name not in self.cut for name in names)


def schema_with(labels: Iterable[str], schema: pa.Schema = SCHEMA) -> pa.Schema:
    """Of deltas with these labels."""
    return pa.schema([*schema, *((f"{LABEL}{name}", TEXT) for name in labels)])


def split(delta: Delta, max_rows: int = MAX_PART_ROWS) -> list[Delta]:
    """The parts that a delta travels in; at least one."""
    parts = max(1, -(-delta.rows.num_rows // max_rows))
    return [
        replace(delta, rows=delta.rows.slice(part * max_rows, max_rows), part=part, parts=parts)
        for part in range(parts)
    ]


def messages(delta: Delta) -> list[bytes]:
    """What is sent of a delta: parts that brokers take, whatever is in its rows."""
    rows = MAX_PART_ROWS
    while True:
        found = [encode(part) for part in split(delta, rows)]
        if rows == 1 or max(map(len, found)) <= MAX_PART_BYTES:
            return found
        rows //= 2


def encode(delta: Delta) -> bytes:
    """One message."""
    about = {
        "version": VERSION,
        **asdict(delta.origin),
        "booked_at": delta.booked_at.isoformat(),
        "first_offset": delta.first_offset,
        "last_offset": delta.last_offset,
        "part": delta.part,
        "parts": delta.parts,
        "cut": sorted(delta.cut),
    }
    return encoded(delta.rows.replace_schema_metadata({_METADATA: json.dumps(about).encode()}))


class _About(Message):
    """What the metadata says of a delta."""

    version: int
    topic_id: Text128
    partition: Annotated[int, Field(strict=True, ge=0, lt=2**31)]
    booked_at: Instant
    first_offset: _Offset
    last_offset: _Offset
    part: Annotated[int, Field(strict=True, ge=0)]
    parts: Annotated[int, Field(strict=True, ge=1, le=MAX_PARTS)]
    cut: Annotated[frozenset[str], Field(max_length=MAX_LABELS)] = frozenset()


def decode(message: bytes) -> Delta:
    """Raises InvalidDeltaError, whatever the bytes are; nothing that they say is taken before it is measured."""
    try:
        return _decoded(message)
    except InvalidDeltaError:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise InvalidDeltaError(f"not a delta: {error!r}"[:500]) from None


def _decoded(message: bytes) -> Delta:
    if len(message) > MAX_MESSAGE_BYTES:
        raise InvalidDeltaError(f"{len(message)} bytes, at most {MAX_MESSAGE_BYTES} are a delta")
    size = unpacked_bytes(message)
    if size > MAX_UNPACKED_BYTES:
        raise InvalidDeltaError(f"unpacks to {size} bytes, at most {MAX_UNPACKED_BYTES} are a delta")
    schema = schema_of(message)
    about = _About.model_validate_json((schema.metadata or {})[_METADATA], extra="ignore")
    if not 1 <= about.version <= VERSION:
        raise InvalidDeltaError(f"version {about.version}: this code reads versions 1 to {VERSION}")
    own = {1: SCHEMA_1, 2: SCHEMA_2}.get(about.version, SCHEMA)
    if not schema.equals(own if about.version == 1 else _with_its_labels(schema, own)):
        raise InvalidDeltaError(f"has other columns than version {about.version}: {schema.to_string()[:200]}")
    rows = decoded(message)
    if about.part >= about.parts or about.last_offset < about.first_offset:
        raise InvalidDeltaError(f"part {about.part} of {about.parts}, offsets {about.first_offset}-{about.last_offset}")
    rows.validate(full=True)
    _check_values(rows)
    return Delta(
        Origin(about.topic_id, about.partition),
        about.booked_at,
        about.first_offset,
        about.last_offset,
        rows,
        about.part,
        about.parts,
        about.cut,
    )


def _with_its_labels(schema: pa.Schema, own: pa.Schema) -> pa.Schema:
    """What its version's own schema with these labels is."""
    names = schema.names[len(own) :]
    if len(names) > MAX_LABELS or len(set(names)) < len(names) or not all(map(is_dimension, names)):
        return own
    return schema_with((name.removeprefix(LABEL) for name in names), own)


def _check_values(rows: pa.Table) -> None:
    """What the ledger's own rows keep to, so that whoever adds them up can rely on it. Raises InvalidDeltaError."""
    if rows.num_rows > MAX_ROWS:
        raise InvalidDeltaError(f"{rows.num_rows} rows, at most {MAX_ROWS} are a delta")
    for name in rows.column_names:
        if rows[name].null_count:
            raise InvalidDeltaError(f"{name} has no value in some rows")
    bounds = {
        "minute": tuple(map(unix_micros, INSTANTS)),
        **{name: (-MAX_COUNT, MAX_COUNT) for name in _COUNTED if name in rows.column_names},
    }
    for name, (least, most) in bounds.items():
        found = pc.min_max(rows[name].cast(pa.int64()))
        if rows.num_rows and not (least <= found["min"].as_py() and found["max"].as_py() <= most):
            raise InvalidDeltaError(f"{name} is beyond its bounds in some rows")
    for name in filter(is_dimension, rows.column_names):
        longest = pc.max(pc.utf8_length(rows[name])).as_py() or 0
        most = MAX_LABEL_CHARS if name.startswith(LABEL) else MAX_TEXT_CHARS
        if longest > most:
            raise InvalidDeltaError(f"{name} has {longest} characters in some row, at most {most} are allowed")
