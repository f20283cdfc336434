"""The metering step as a plain function: a block's records in, the rows to book out.

decode ▸ validate ▸ dedupe ▸ price ▸ attribute. It knows neither Faust nor Kafka; of the store it asks only what is
booked already.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from spendstream_schemas import UsageEvent
from stream_jobs.attribution.rules import Attributed
from stream_jobs.blocks.model import Block, BlockCounts, BlockOutput, SourceRecord, Versions
from stream_jobs.blocks.side_tables import duplicates_table, quarantine_table
from stream_jobs.metering.decode import DecodedEvent, decode_all
from stream_jobs.metering.dedupe import BookedEvents, Deduplicated, deduplicate
from stream_jobs.metering.retraction import retraction_rows
from stream_jobs.metering.rows import Charge, charge_row, ledger_table
from stream_jobs.pricing.result import Pricing


class Pricer(Protocol):
    """The price book: every valid event gets a receipt or a reason."""

    @property
    def version(self) -> str: ...

    def price(self, event: UsageEvent, unknown_fields: tuple[str, ...] = ()) -> Pricing: ...


class Attributor(Protocol):
    """The attribution rules."""

    @property
    def version(self) -> str: ...

    def apply(self, event: UsageEvent) -> Attributed: ...


class LedgerReader(BookedEvents, Protocol):
    """What metering asks the ledger."""

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        """All ledger rows of these events that other blocks booked, oldest first."""


@dataclass(frozen=True, slots=True)
class Metering:
    """The step with what it is computed with."""

    book: Pricer
    rules: Attributor
    ledger: LedgerReader
    future_tolerance: timedelta

    def versions(self) -> Versions:
        return Versions(price_book=self.book.version, attribution=self.rules.version)

    def process(self, block: Block, records: list[SourceRecord]) -> BlockOutput:
        """Raises StoreUnavailableError when the ledger cannot be asked; nothing else for whatever the records hold."""
        accepted, rejected = decode_all(records, block.fixed_at, self.future_tolerance)
        sorted_events = deduplicate(accepted, block, self.ledger)
        charges = [self._charge(decoded) for decoded in (*sorted_events.new, *sorted_events.corrections)]
        rows = [*self._retractions(sorted_events, block), *(charge_row(charge, block) for charge in charges)]
        tables = {}
        if rejected:
            tables["quarantine"] = quarantine_table(rejected, block)
        if sorted_events.duplicates:
            tables["duplicates"] = duplicates_table(sorted_events.duplicates, block)
        if rows:
            tables["ledger"] = ledger_table(rows)
        counts = BlockCounts(
            received=len(records),
            booked=len(charges),
            duplicates=len(sorted_events.duplicates),
            quarantined=len(rejected),
            unpriced=sum(not charge.pricing.priced for charge in charges),
            unknown_fields=sum(len(decoded.unknown_fields) for decoded in accepted),
        )
        return BlockOutput(counts, tables)

    def _charge(self, decoded: DecodedEvent) -> Charge:
        return Charge(decoded, self.rules.apply(decoded.event), self.book.price(decoded.event, decoded.unknown_fields))

    def _retractions(self, events: Deduplicated, block: Block) -> list[dict[str, Any]]:
        """A correction takes back what the earlier revisions booked, to the last digit, before it charges anew."""
        if not events.corrections:
            return []
        revisions = {decoded.event.event_id: decoded.event.revision for decoded in events.corrections}
        return retraction_rows(self.ledger.entries(revisions.keys(), block), revisions, block)
