"""The metering step as a plain function: a block's records in, the rows to book out.

decode ▸ validate ▸ signature ▸ dedupe ▸ price ▸ attribute. It knows neither Faust nor Kafka; of the store it asks only
what is booked already.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from spendstream_schemas import ATTRIBUTION_FIELDS, InvalidReason
from stream_jobs.attribution.rules import Attributed, AttributionRules
from stream_jobs.base.errors import CrashError, RetryError
from stream_jobs.blocks.isolate import failure, too_many
from stream_jobs.blocks.side_tables import duplicates_table, quarantine_table
from stream_jobs.facts import Facts
from stream_jobs.ledger.columns import BLOCK_COLUMNS
from stream_jobs.ledger.dedupe import BookedEvents, Deduplicated, Identified, decided
from stream_jobs.ledger.early import EarlyAnswers
from stream_jobs.ledger.retraction import retraction_rows
from stream_jobs.metering.columnar.charge import Charged, ColumnarBook, charge, decode_bundle
from stream_jobs.metering.columnar.events import TokenEvents
from stream_jobs.metering.decode import DecodedEvent, decode_all
from stream_jobs.metering.rows import Charge, charge_row, ledger_table
from stream_jobs.origin.judge import Judge, Origin, refusals
from stream_jobs.pricing.hold import NO_HISTORY, NOTHING, Bound, LongCalls, bound_of
from stream_jobs.pricing.result import Pricing
from stream_jobs.store.fitting import Misfit, fitted
from stream_jobs.streams.model import Block, BlockCounts, BlockOutput, RejectedRecord, SourceRecord, Versions

log = logging.getLogger(__name__)

ROWS_TOGETHER: Final = 15_000
"""Events that are columns at once: fewer pay for their columns' overhead, and a column of more than 256 KiB (16 bytes a
row) is memory that the system clears anew each time."""
ROWS_ONE_BY_ONE: Final = 2_000
"""Events that are objects of Python at once where they are booked one by one: a ledger row takes 10 KB as such."""

_tags_of: Final = attrgetter(*ATTRIBUTION_FIELDS)


def _failure(decoded: DecodedEvent, error: Exception) -> RejectedRecord:
    log.error("cannot book %s of %s", decoded.event_id, decoded.source, exc_info=error)
    return failure(decoded.record, error)


def _misfit(decoded: DecodedEvent, misfit: Misfit) -> RejectedRecord:
    """Not a failure of ours: the event, or what it comes to, is too large for the ledger."""
    log.error("cannot book %s of %s: %s", decoded.event_id, decoded.source, misfit)
    return RejectedRecord(decoded.record, InvalidReason.OUT_OF_RANGE, misfit.column, misfit.detail)


def _signed_together(together: list[TokenEvents], judge: Judge) -> tuple[list[TokenEvents], list[RejectedRecord]]:
    """The events that may say where they are from, and the others as refused."""
    if not judge.looks_at_records:
        return together, []
    kept: list[TokenEvents] = []
    refused: list[RejectedRecord] = []
    for events in together:
        texts = events.repeated["source"]
        sources = (texts.values[code] for code in texts.codes.tolist())
        found = [judge.refusal(record, source) for record, source in zip(events.records, sources, strict=True)]
        refused += [refusal for refusal in found if refusal is not None]
        kept.append(events.take(np.array([row for row, refusal in enumerate(found) if refusal is None], np.int64)))
    return kept, refused


class Pricer(Protocol):
    """The price book: every valid event gets a receipt or a reason."""

    @property
    def version(self) -> str: ...

    @property
    def scoped(self) -> bool:
        """Whether the attribution can move the price."""

    def price(self, facts: Facts, unknown_fields: tuple[str, ...] = ()) -> Pricing: ...


def no_history(_: datetime) -> LongCalls:
    """Where no ledger is that could tell."""
    return NO_HISTORY


def with_attribution(facts: Facts, attributed: Attributed) -> Facts:
    """The event as if its sender had known what the rules know."""
    return facts._replace(tags=_tags_of(attributed))


@dataclass(frozen=True, slots=True)
class Metering:
    """The step with what it is computed with."""

    book: Pricer
    rules: AttributionRules
    ledger: BookedEvents
    future_tolerance: timedelta
    origin: Origin = field(default_factory=Origin)
    long_calls: Callable[[datetime], LongCalls] = no_history
    """At the instant of a block: asked for where an event's usage is not known."""

    def versions(self) -> Versions:
        return Versions(self.book.version, self.rules.version, self.origin.rules.text)

    def process(self, block: Block, records: list[SourceRecord]) -> BlockOutput:
        """Raises StoreUnavailableError when the ledger cannot be asked; nothing else for whatever the records hold."""
        # Most events go together, column by column; the others take the one-event path. Both book the same.
        judge = self.origin.judge(block)
        early = EarlyAnswers(self.ledger, block)
        together, rest = self._decode_together(block, records, early)
        together, unsigned = _signed_together(together, judge)
        accepted, rejected = self._decode_rest(rest, block, judge)
        rejected += unsigned
        unknown_fields = sum(len(decoded.unknown_fields) for decoded in accepted)
        together, accepted, found = self._deduplicate(together, accepted, block, judge, early)
        charged, left = self._charge_together(together, block)
        accepted += left
        charges, failed = self._charge_rows(accepted, block)
        charged += charges
        rejected += [*failed, *found.refused]
        tables = {}
        # The ledger first: once it is in, no other block can book these events, so a redo that has to add the rest
        # decides about every record as this run did.
        booked, unpriced = sum(part.table.num_rows for part in charged), sum(part.unpriced for part in charged)
        if booked:
            parts = self._retractions(found.corrections, {item.record.offset for item in rejected}, block)
            parts += [part.table for part in charged]
            charged.clear()
            tables["ledger"] = joined(parts)
        if rejected:
            rejected.sort(key=lambda item: item.record.offset)
            tables["quarantine"] = quarantine_table(rejected, block)
        if found.duplicates:
            tables["duplicates"] = duplicates_table(found.duplicates, block)
        counts = BlockCounts(
            received=len(records),
            booked=booked,
            duplicates=len(found.duplicates),
            quarantined=len(rejected),
            unpriced=unpriced,
            unknown_fields=unknown_fields,
        )
        return BlockOutput(counts, tables, refusals(rejected, block))

    def _decode_rest(
        self, records: list[SourceRecord], block: Block, judge: Judge
    ) -> tuple[list[DecodedEvent], list[RejectedRecord]]:
        """One by one: valid events that may say where they are from, and what is refused of the others."""
        accepted, rejected = decode_all(records, block.fixed_at, self.future_tolerance)
        if not judge.looks_at_records:
            return accepted, rejected
        judged = [(decoded, judge.refusal(decoded.record, decoded.source)) for decoded in accepted]
        rejected += [refusal for _, refusal in judged if refusal is not None]
        return [decoded for decoded, refusal in judged if refusal is None], rejected

    def _decode_together(
        self, block: Block, records: list[SourceRecord], early: EarlyAnswers
    ) -> tuple[list[TokenEvents], list[SourceRecord]]:
        """The events of the common form, and the records that are left. Whether the first of them are booked is asked
        while the others are decoded."""
        if not isinstance(self.book, ColumnarBook):
            return [], records
        decoded: list[TokenEvents] = []
        rest: list[SourceRecord] = []
        for first in range(0, len(records), ROWS_TOGETHER):
            some = records[first : first + ROWS_TOGETHER]
            try:
                events, others = decode_bundle(some, block.fixed_at, self.future_tolerance)
            except Exception:  # logged; the one-event path finds the record that it comes from
                log.exception("cannot decode %s from %d on together", block.source, some[0].offset)
                events, others = [], some
            decoded += events
            if first + ROWS_TOGETHER < len(records):
                for part in events:
                    early.ask(part.event_ids)
            rest += others
        return decoded, rest

    def _deduplicate(
        self,
        together: list[TokenEvents],
        accepted: list[DecodedEvent],
        block: Block,
        judge: Judge,
        early: EarlyAnswers,
    ) -> tuple[list[TokenEvents], list[DecodedEvent], Deduplicated[Identified]]:
        """What must be booked of both, and what becomes of the rest."""
        distinct = {decoded.event_id for decoded in accepted}
        distinct.update(*(events.event_ids for events in together))
        booked = early.booked(distinct)
        if not booked and len(distinct) == len(accepted) + sum(map(len, together)):
            return together, accepted, Deduplicated()
        all_events: list[Identified] = [*accepted, *(one for events in together for one in events.identities())]
        found = decided(all_events, booked, self.ledger, block, judge)
        offsets = {event.record.offset for event in (*found.new, *found.corrections)}
        together = [events.take(events.rows_of(offsets)) for events in together]
        return together, [decoded for decoded in accepted if decoded.record.offset in offsets], found

    def _charge_together(self, together: list[TokenEvents], block: Block) -> tuple[list[Charged], list[DecodedEvent]]:
        """The events that can be booked together, and the others. Empties `together`: rows take the place of events."""
        charged: list[Charged] = []
        rest: list[DecodedEvent] = []
        together.reverse()
        while together:
            events = together.pop()
            if len(events):
                part, left = self._charge_events(events, block)
                charged += [part] if part is not None else []
                rest += left
        return charged, rest

    def _charge_events(self, events: TokenEvents, block: Block) -> tuple[Charged | None, list[DecodedEvent]]:
        assert isinstance(self.book, ColumnarBook)
        try:
            return charge(events, block, self.book, self.rules)
        except Exception:  # logged; the one-event path finds the event that it comes from
            log.exception("cannot book %s from %d on together", block.source, events.records[0].offset)
            return None, events.one_by_one()

    def _charge_rows(self, events: list[DecodedEvent], block: Block) -> tuple[list[Charged], list[RejectedRecord]]:
        """Rows of the events, and the events that cannot be booked: because our own code fails on them, or because a
        column cannot hold what they come to. Empties `events`; a row as objects is ten times as large as in a table.

        Raises CrashError when our code fails on so many that a bad deployment is likelier than a rare event.
        """
        charged: list[Charged] = []
        failed: list[RejectedRecord] = []
        misfitting: list[RejectedRecord] = []
        number = len(events)
        events.reverse()
        while events:
            some = events[: -ROWS_ONE_BY_ONE - 1 : -1]
            del events[-ROWS_ONE_BY_ONE:]
            part, broken, misfits = self._charge_some(some, block)
            charged += [part] if part.table.num_rows else []
            failed += broken
            misfitting += misfits
        if too_many(len(failed), number):
            raise CrashError(f"booking failed for {len(failed)} of {number} events: {failed[-1].detail}")
        return charged, [*failed, *misfitting]

    def _charge_some(
        self, events: list[DecodedEvent], block: Block
    ) -> tuple[Charged, list[RejectedRecord], list[RejectedRecord]]:
        rows: list[dict[str, Any]] = []
        failed: list[RejectedRecord] = []
        booked: list[DecodedEvent] = []
        for decoded in events:
            try:
                row = self._charge_row(decoded, block)
            except RetryError:  # the store, which knows how long calls are
                raise
            except Exception as error:  # noqa: BLE001 - logged and quarantined by _failure
                failed.append(_failure(decoded, error))
            else:
                rows.append(row)
                booked.append(decoded)
        table, misfits = fitted(BLOCK_COLUMNS, rows)
        unpriced = sum(row["unpriced"] for index, row in enumerate(rows) if index not in misfits)
        return Charged(table, unpriced), failed, [_misfit(booked[index], misfit) for index, misfit in misfits.items()]

    def _charge_row(self, decoded: DecodedEvent, block: Block) -> dict[str, Any]:
        attributed = self.rules.apply(decoded.facts)
        # Contracts for a team hold for what the rules gave to it, too.
        facts = with_attribution(decoded.facts, attributed) if self.book.scoped else decoded.facts
        pricing = self.book.price(facts, decoded.unknown_fields)
        bound = NOTHING if pricing.priced else self._bound(pricing, block)
        return charge_row(Charge(decoded, attributed, self.rules.version, pricing, bound), block)

    def _bound(self, pricing: Pricing, block: Block) -> Bound:
        """What is held for an event without a price."""
        asked = pricing.hold is not None and pricing.hold.like
        return bound_of(pricing.hold, self.long_calls(block.fixed_at) if asked else NO_HISTORY)

    def _retractions(self, events: list[Identified], failed: set[int], block: Block) -> list[pa.Table]:
        """A correction takes back what the earlier revisions booked, to the last digit, before it charges anew."""
        corrections = [event for event in events if event.record.offset not in failed]
        tables = []
        for first in range(0, len(corrections), ROWS_ONE_BY_ONE):
            some = {event.event_id: event for event in corrections[first : first + ROWS_ONE_BY_ONE]}
            rows = retraction_rows(self.ledger.entries(some.keys(), block), some, block)
            tables += [ledger_table(rows)] if rows else []
        return tables


def joined(tables: list[pa.Table]) -> pa.Table:
    """All rows in one piece, in the encoding of the first table that has dictionaries. Empties `tables`: a column's
    parts go as soon as it is whole, so that memory never holds all of it twice. What is equal is kept once: meters that
    nobody gives, and the costs of who has no contracts."""
    encoded = next((table for table in tables if any(map(pa.types.is_dictionary, table.schema.types))), tables[0])
    schema = encoded.schema
    parts = [(table if table.schema == schema else table.cast(schema)).columns for table in tables]
    del encoded
    tables.clear()
    last: dict[pa.DataType, pa.Array | pa.ChunkedArray] = {}
    columns: list[pa.Array | pa.ChunkedArray] = []
    for index, kind in enumerate(schema.types):
        chunks = [chunk for part in parts for chunk in part[index].chunks]
        for part in parts:
            part[index] = None
        column = pa.chunked_array(chunks, kind).combine_chunks()
        if kind not in last or not last[kind].equals(column):
            last[kind] = column
        columns.append(last[kind])
    return pa.table(columns, schema=schema)
