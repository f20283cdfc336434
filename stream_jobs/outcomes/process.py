"""The outcomes step as a plain function: a block's records in, the rows to book out.

Of an id the highest revision counts, once: a correction takes back what was booked and books anew.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa

from spendstream_schemas import InvalidMessageError, InvalidReason, OutcomeEvent, parse_outcome_event
from stream_jobs.blocks.isolate import failure
from stream_jobs.blocks.side_tables import duplicates_table, quarantine_table
from stream_jobs.ledger.amounts import Signs
from stream_jobs.ledger.booked import Tables
from stream_jobs.ledger.dedupe import BookedEvents, Deduplicated, decided
from stream_jobs.ledger.retraction import retraction_rows
from stream_jobs.origin.judge import Judge, Origin, refusals
from stream_jobs.store.fitting import as_table, fitted, printable
from stream_jobs.store.tables import TABLES
from stream_jobs.streams.model import (
    Block,
    BlockCounts,
    BlockOutput,
    RejectedRecord,
    SourceRecord,
    Versions,
)

log = logging.getLogger(__name__)
OUTCOMES: Final = Tables("outcomes", "outcome_ids", TABLES["outcomes"].names, "event_id IN {ids:Array(String)}", "true")
_SIGNED: Final = ("events", "quantity", "value_usd")
_BOOKING: Final = frozenset({"booked_at", "entry_kind", "reason_text", "topic_id", "partition", "offset", *_SIGNED})
_TEXTS: Final = ("project", "environment", "team", "feature", "customer", "user_id", "trace_id")


class _Decoded(NamedTuple):
    """A valid outcome that may say where it is from."""

    record: SourceRecord
    event: OutcomeEvent

    @property
    def event_id(self) -> str:
        return self.event.event_id

    @property
    def revision(self) -> int:
        return self.event.revision

    @property
    def source(self) -> str:
        return self.event.source


def _opposite(entry: Mapping[str, Any]) -> dict[str, Any]:
    return dict(entry) | {name: None if entry[name] is None else -entry[name] for name in _SIGNED}


def _cancel(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the two add up to nothing, whatever one groups by."""
    return all(one[name] == other[name] for name in one.keys() - _BOOKING) and [
        _opposite(one)[name] for name in _SIGNED
    ] == [other[name] for name in _SIGNED]


SIGNS: Final = Signs(_opposite, _cancel)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The step with what it needs."""

    known: BookedEvents
    future_tolerance: timedelta
    origin: Origin = field(default_factory=Origin)

    def versions(self) -> Versions:
        return Versions(sender_rules=self.origin.rules.text)

    def process(self, block: Block, records: list[SourceRecord]) -> BlockOutput:
        """Raises StoreUnavailableError when the store cannot be asked; nothing else for whatever the records hold."""
        judge = self.origin.judge(block)
        events, rejected, unknown_fields = self._decode(block, records, judge)
        found = self._deduplicate(events, block, judge)
        rejected += found.refused
        tables = {}
        # What is accepted first, as in metering: a redo then decides about every record as this run did.
        left = sorted([*found.new, *found.corrections], key=lambda one: one.record.offset)
        table, misfits = fitted(TABLES["outcomes"], [_row(record, event, block) for record, event in left])
        for index, why in misfits.items():
            rejected.append(RejectedRecord(left[index].record, InvalidReason.OUT_OF_RANGE, why.column, why.detail))
        if table.num_rows:
            corrections = [
                one for one in found.corrections if one.record.offset not in {r.record.offset for r in rejected}
            ]
            tables["outcomes"] = pa.concat_tables([self._retractions(corrections, block), table])
        if rejected:
            rejected.sort(key=lambda item: item.record.offset)
            tables["quarantine"] = quarantine_table(rejected, block)
        if found.duplicates:
            tables["duplicates"] = duplicates_table(found.duplicates, block)
        counts = BlockCounts(
            received=len(records),
            booked=table.num_rows,
            duplicates=len(found.duplicates),
            quarantined=len(rejected),
            unknown_fields=unknown_fields,
        )
        return BlockOutput(counts, tables, refusals(rejected, block))

    def _deduplicate(self, events: list[_Decoded], block: Block, judge: Judge) -> Deduplicated[_Decoded]:
        booked = self.known.booked({one.event_id for one in events}, block)
        if not booked and len({one.event_id for one in events}) == len(events):
            return Deduplicated(new=events)
        return decided(events, booked, self.known, block, judge)

    def _retractions(self, corrections: list[_Decoded], block: Block) -> pa.Table:
        """What takes back what earlier revisions said."""
        by_id = {one.event_id: one for one in corrections}
        entries = self.known.entries(by_id.keys(), block) if by_id else []
        return as_table(TABLES["outcomes"], retraction_rows(entries, by_id, block, SIGNS))

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
        "revision": event.revision,
        "entry_kind": "charge",
        "events": 1,
        "reason_text": "",
        "topic_id": block.source.topic_id,
        "partition": block.source.partition,
        "offset": record.offset,
    }
