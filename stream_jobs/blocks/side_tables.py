"""Rows for what was not booked: duplicates and quarantine. Nothing that arrived is without a row."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from spendstream_schemas.types import INSTANTS
from stream_jobs.store.tables import arrow_table
from stream_jobs.streams.model import Block, DuplicateRecord, RejectedRecord, SourceRecord

MAX_RAW_BYTES: Final = 1024 * 1024
"""Of a larger record the beginning is kept, with the size and hash of the whole: it is above the contract's 64 KiB, so
it cannot be accepted however often it is replayed."""
MAX_PEEK_BYTES: Final = 256 * 1024
"""Larger rejected records are not parsed to find their event_id and source: they may be built to be expensive."""

_LAST_MS: Final = int(INSTANTS[1].timestamp()) * 1000


def duplicates_table(duplicates: Sequence[DuplicateRecord], block: Block) -> pa.Table:
    """One row per dropped copy, with where it lay in Kafka."""
    return arrow_table(
        "duplicates",
        [
            {
                "event_id": item.event_id,
                "revision": item.revision,
                "source": item.source,
                "seen_at": block.fixed_at,
                "first_booked_at": item.booked_since,
                **_position(item.record, block),
            }
            for item in duplicates
        ],
    )


def quarantine_table(rejected: Sequence[RejectedRecord], block: Block) -> pa.Table:
    """One row per refused record, with its raw bytes and the reason."""
    rows = []
    for item in rejected:
        raw = item.record.value or b""
        peek = _peek(raw)
        rows.append(
            {
                "quarantined_at": block.fixed_at,
                **_position(item.record, block),
                "record_timestamp": _plausible(item.record.timestamp_ms),
                "key": item.record.key or b"",
                "raw": raw[:MAX_RAW_BYTES],
                "signature": item.record.signature or b"",
                "raw_size": len(raw),
                "raw_sha256": hashlib.sha256(raw).hexdigest(),
                "reason": item.reason.value,
                "path": item.path,
                "detail": item.detail,
                "source": peek.get("source", ""),
                "event_id": peek.get("event_id", ""),
            }
        )
    return arrow_table("quarantine", rows)


def _plausible(timestamp_ms: int | None) -> int | None:
    """What the producer stamped, which may be any 64 bits: NULL where no calendar has it."""
    return timestamp_ms if timestamp_ms is not None and 0 <= timestamp_ms <= _LAST_MS else None


def _peek(raw: bytes) -> dict[str, str]:
    """What can be read of a refused message without trusting it: who sent it and which event it was."""
    if len(raw) > MAX_PEEK_BYTES:
        return {}
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    found = {name: document.get(name) for name in ("source", "event_id")}
    return {
        name: value[:128].encode("utf-8", "replace").decode() for name, value in found.items() if isinstance(value, str)
    }


def _position(record: SourceRecord, block: Block) -> dict[str, Any]:
    return {
        "topic": block.source.topic,
        "topic_id": block.source.topic_id,
        "partition": block.source.partition,
        "offset": record.offset,
    }
