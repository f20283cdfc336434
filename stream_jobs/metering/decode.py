"""Records in; valid events or reasons for quarantine out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from spendstream_schemas import ComputeUsage, InvalidMessageError, InvalidReason, UsageEvent, parse_usage_event
from stream_jobs.blocks.isolate import failure
from stream_jobs.facts import Facts, facts_of
from stream_jobs.store.fitting import printable
from stream_jobs.streams.model import RejectedRecord, SourceRecord

log = logging.getLogger(__name__)

DETAILS: Final = (
    "response_id", "trace_id", "session_id", "latency_ms", "complexity", "batchable", "retry_of", "prompt_fingerprint"
)  # fmt: skip
"""What the ledger keeps of an event beside its facts."""


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """A valid event with its source record. `unknown_fields` were tolerated and are counted."""

    record: SourceRecord
    event_id: str
    revision: int
    facts: Facts
    details: Mapping[str, Any]  # by DETAILS; None or '' where nothing was given
    unknown_fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: SourceRecord, event: UsageEvent, unknown_fields: tuple[str, ...]) -> "DecodedEvent":
        """What the contract's model says."""
        details = {name: getattr(event, name) for name in DETAILS}
        return cls(record, event.event_id, event.revision, facts_of(event), details, unknown_fields)

    @property
    def source(self) -> str:
        return self.facts.source


def decode(record: SourceRecord, now: datetime, future_tolerance: timedelta) -> DecodedEvent | RejectedRecord:
    """Decode and validate one record. `now` is the block's instant, so that a redo decides the same."""
    try:
        parsed = parse_usage_event(record.value)
    except InvalidMessageError as error:
        return RejectedRecord(record, error.reason, error.path, printable(error.detail))
    except Exception as error:
        # Of the sender's bytes alone, so it says nothing about a deployment, and does not count as a failure of ours.
        log.exception("offset %d cannot be decoded", record.offset)
        return failure(record, error)
    event = parsed.message
    if event.occurred_at > now + future_tolerance:
        ahead = event.occurred_at - now
        return RejectedRecord(
            record,
            InvalidReason.OCCURRED_IN_FUTURE,
            "occurred_at",
            f"{event.occurred_at.isoformat()} is {ahead} ahead of the pipeline's clock",
        )
    if isinstance(event.usage, ComputeUsage) and event.usage.duration_s is not None:
        ends = event.occurred_at + timedelta(seconds=float(event.usage.duration_s))
        if ends > now + future_tolerance:
            detail = f"it runs until {ends.isoformat()}, which is {ends - now} ahead of the pipeline's clock"
            return RejectedRecord(record, InvalidReason.OCCURRED_IN_FUTURE, "usage.duration_s", detail)
    return DecodedEvent.of(record, event, parsed.unknown_fields)


def decode_all(
    records: list[SourceRecord], now: datetime, future_tolerance: timedelta
) -> tuple[list[DecodedEvent], list[RejectedRecord]]:
    """Decode a block, each list in offset order."""
    accepted: list[DecodedEvent] = []
    rejected: list[RejectedRecord] = []
    for record in records:
        result = decode(record, now, future_tolerance)
        if isinstance(result, DecodedEvent):
            accepted.append(result)
        else:
            rejected.append(result)
    return accepted, rejected
