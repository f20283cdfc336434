"""The outcomes step as a plain function: a block's records in, the rows to book out. First copy of an id wins."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol, cast

from spendstream_schemas import InvalidMessageError, InvalidReason, OutcomeEvent, parse_outcome_event
from stream_jobs.base.instants import as_utc
from stream_jobs.blocks.isolate import failure
from stream_jobs.blocks.side_tables import duplicates_table, quarantine_table
from stream_jobs.ledger.own_block import OWN_BLOCK, own_block
from stream_jobs.origin.judge import Judge, Origin, refusals
from stream_jobs.store.client import StoreClient
from stream_jobs.store.fitting import fitted, printable
from stream_jobs.store.tables import TABLES
from stream_jobs.streams.model import (
    Block,
    BlockCounts,
    BlockOutput,
    DuplicateRecord,
    RejectedRecord,
    SourceRecord,
    Versions,
)

log = logging.getLogger(__name__)
_TEXTS: Final = ("project", "environment", "team", "feature", "customer", "user_id", "trace_id")


class BookedOutcomes(Protocol):
    """Which outcomes are booked, since when and by whom; entries of the asking block do not count."""

    def booked(self, event_ids: Collection[str], block: Block) -> dict[str, datetime]: ...

    def sources(self, event_ids: Collection[str], block: Block) -> dict[str, str]: ...


class _Decoded(NamedTuple):
    """A valid outcome that may say where it is from."""

    record: SourceRecord
    event: OutcomeEvent


class ClickHouseOutcomes:
    """Implements BookedOutcomes."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def booked(self, event_ids: Collection[str], block: Block) -> dict[str, datetime]:
        if not event_ids:
            return {}
        rows = self._store.rows_for_ids(
            "SELECT event_id, min(booked_at) FROM outcome_ids "
            f"WHERE event_id IN {{ids:Array(String)}} AND NOT {OWN_BLOCK} GROUP BY event_id",
            event_ids,
            own_block(block),
        )
        own = self._own(block) if block.redone and rows else set()
        known = cast(list[tuple[str, datetime]], rows)
        return {event_id: as_utc(since) for event_id, since in known if event_id not in own}

    def sources(self, event_ids: Collection[str], block: Block) -> dict[str, str]:
        if not event_ids:
            return {}
        rows = self._store.rows_for_ids(
            "SELECT event_id, argMin(source, (booked_at, topic_id, partition, offset)) FROM outcomes "
            f"WHERE event_id IN {{ids:Array(String)}} AND NOT {OWN_BLOCK} GROUP BY event_id",
            event_ids,
            own_block(block),
        )
        return {str(event_id): str(source) for event_id, source in rows}

    def _own(self, block: Block) -> set[str]:
        """What the block booked before it was redone: others can only have booked it since. From the table itself:
        outcome_ids hangs on it, and may lack what the store had no time to hand on when it died."""
        rows = self._store.rows(f"SELECT event_id FROM outcomes WHERE {OWN_BLOCK}", own_block(block))
        return {str(event_id) for (event_id,) in rows}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The step with what it needs."""

    known: BookedOutcomes
    future_tolerance: timedelta
    origin: Origin = field(default_factory=Origin)

    def versions(self) -> Versions:
        return Versions(sender_rules=self.origin.rules.text)

    def process(self, block: Block, records: list[SourceRecord]) -> BlockOutput:
        """Raises StoreUnavailableError when the store cannot be asked; nothing else for whatever the records hold."""
        judge = self.origin.judge(block)
        events, rejected, unknown_fields = self._decode(block, records, judge)
        known = self.known.booked({decoded.event.event_id for decoded in events}, block)
        # Whose the booked one is matters only to those whose outcomes must not get lost behind another's.
        protected = [one.event.event_id for one in events if judge.is_protected(one.event.source)]
        owners = self.known.sources([event_id for event_id in protected if event_id in known], block)
        accepted: dict[str, _Decoded] = {}
        duplicates: list[DuplicateRecord] = []
        for decoded in events:
            record, event = decoded
            if (since := known.get(event.event_id)) is not None:
                owner = owners.get(event.event_id, event.source)
            elif (first := accepted.setdefault(event.event_id, decoded)) is decoded:
                continue
            else:
                owner, since = first.event.source, block.fixed_at
            if event.source != owner and judge.settled is None and judge.is_protected(event.source):
                rejected.append(judge.taken(record, event.source, owner))
            else:
                duplicates.append(DuplicateRecord(record, event.event_id, 0, event.source, since))
        tables = {}
        # What is accepted first, as in metering: a redo then decides about every record as this run did.
        left = list(accepted.values())
        table, misfits = fitted(TABLES["outcomes"], [_row(record, event, block) for record, event in left])
        for index, why in misfits.items():
            rejected.append(RejectedRecord(left[index].record, InvalidReason.OUT_OF_RANGE, why.column, why.detail))
        if table.num_rows:
            tables["outcomes"] = table
        if rejected:
            rejected.sort(key=lambda item: item.record.offset)
            tables["quarantine"] = quarantine_table(rejected, block)
        if duplicates:
            tables["duplicates"] = duplicates_table(duplicates, block)
        counts = BlockCounts(
            received=len(records),
            booked=table.num_rows,
            duplicates=len(duplicates),
            quarantined=len(rejected),
            unknown_fields=unknown_fields,
        )
        return BlockOutput(counts, tables, refusals(rejected, block))

    def _decode(
        self, block: Block, records: list[SourceRecord], judge: Judge
    ) -> tuple[list[_Decoded], list[RejectedRecord], int]:
        """Valid events, what is refused, and how many fields were unknown."""
        accepted: list[_Decoded] = []
        rejected: list[RejectedRecord] = []
        unknown_fields = 0
        for record in records:
            try:
                parsed = parse_outcome_event(record.value)
            except InvalidMessageError as error:
                rejected.append(RejectedRecord(record, error.reason, error.path, printable(error.detail)))
                continue
            except Exception as error:
                log.exception("offset %d cannot be decoded", record.offset)
                rejected.append(failure(record, error))
                continue
            event = parsed.message
            unknown_fields += len(parsed.unknown_fields)
            if event.occurred_at > block.fixed_at + self.future_tolerance:
                detail = f"{event.occurred_at.isoformat()} is ahead of the pipeline's clock"
                rejected.append(RejectedRecord(record, InvalidReason.OCCURRED_IN_FUTURE, "occurred_at", detail))
            elif judge.looks_at_records and (refusal := judge.refusal(record, event.source)) is not None:
                rejected.append(refusal)
            else:
                accepted.append(_Decoded(record, event))
        return accepted, rejected, unknown_fields


def _row(record: SourceRecord, event: OutcomeEvent, block: Block) -> dict[str, Any]:
    row = {name: getattr(event, name) or "" for name in _TEXTS}
    return row | {
        "event_id": event.event_id,
        "occurred_at": event.occurred_at,
        "booked_at": block.fixed_at,
        "source": event.source,
        "outcome": event.outcome,
        "quantity": event.quantity,
        "value_usd": event.value_usd,
        "labels": list((event.labels or {}).items()),
        "topic_id": block.source.topic_id,
        "partition": block.source.partition,
        "offset": record.offset,
    }
