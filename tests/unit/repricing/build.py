"""A ledger in memory: metering books into it, corrections are posted to it, and it adds up as the store does."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from spendstream_schemas import METERS
from stream_jobs.attribution.document import AttributionDocument
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.entries import PLACE, Entries
from stream_jobs.ledger.known import Booked
from stream_jobs.metering.process import Metering
from stream_jobs.origin.standing import Held
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.repricing.build import Stamp, adjustments
from stream_jobs.repricing.corrections import COSTS, OTHERS, Found, find_corrections, reattributed, repriced
from stream_jobs.store.tables import TOOL_COLUMNS
from stream_jobs.streams.model import Block, SourcePartition, SourceRecord, Versions
from tests.unit.metering.build import held_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOLERANCE = timedelta(minutes=5)
AMOUNTS = ("events", "unpriced", *COSTS, *OTHERS, "stated_cost", *METERS, *TOOL_COLUMNS)


def book(version: str, *overlays: Mapping[str, Any]) -> PriceBook:
    """The built-in base prices under these overlays."""
    files = [OverlayFile.model_validate({"overlays": [{"name": f"o{n}", **o} for n, o in enumerate(overlays)]})]
    return PriceBook.of(overlay_files=files, version=version)


def rules(*given: Mapping[str, Any]) -> AttributionRules:
    return AttributionRules.from_document(AttributionDocument.model_validate({"rules": list(given)}))


def as_entries(rows: Sequence[Mapping[str, Any]]) -> Entries:
    """Rows with some of LEDGER_COLUMNS; what is left out has the table's DEFAULT."""
    filled = [{"reported_tags": [], "adjustment_run": "", **row} for row in rows]
    return Entries(
        pa.table([pa.array([row[c.name] for row in filled], c.type) for c in LEDGER_COLUMNS], schema=LEDGER_COLUMNS)
    )


@dataclass
class MemoryLedger:
    """Entries in the order of booking. Implements metering's LedgerReader."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    offset: int = 0

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        found: dict[str, Booked] = {}
        for row in self._others(event_ids, block):
            if row["entry_kind"] == "charge":
                known = found.get(row["event_id"])
                found[row["event_id"]] = Booked(max(row["revision"], known.revision if known else 0), row["booked_at"])
        return found

    def held(self, event_ids: Collection[str], block: Block) -> Mapping[str, list[Held]]:
        return held_of(row for row in self._others(event_ids, block) if row["adjustment_run"] == "")

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        return list(self._others(event_ids, block))

    def _others(self, event_ids: Collection[str], block: Block) -> list[dict[str, Any]]:
        return [
            row
            for row in self.rows
            if row["event_id"] in event_ids and not block.first_offset <= row["offset"] <= block.last_offset
        ]

    def compute(self, prices: PriceBook, owners: AttributionRules, value: bytes) -> list[dict[str, Any]]:
        """What metering would insert for one message, without inserting it."""
        block = Block(SourcePartition("usage.events.v1", "id", 0), self.offset, self.offset, NOW, Versions("", ""), 1)
        step = Metering(prices, owners, self, TOLERANCE)
        output = step.process(block, [SourceRecord(self.offset, 0, b"k", value)])
        self.offset += 1
        assert "quarantine" not in output.tables, output.tables["quarantine"].to_pylist()
        table = output.tables.get("ledger")
        return [] if table is None else list(table.to_pylist())

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows += [{"reported_tags": [], "adjustment_run": "", **row} for row in rows]

    def correct(
        self,
        *,
        prices: PriceBook | None = None,
        owners: AttributionRules | None = None,
        unprice: bool = True,
        settle: bool = False,
        post: bool = True,
    ) -> Found:
        """Reprice, reattribute or settle everything that is booked."""
        entries = as_entries(self.rows)
        decide = repriced(entries, prices) if prices else reattributed(entries, owners) if owners else None
        assert (decide is None) is settle
        found = find_corrections(entries, decide, unprice=unprice)
        if post and found.postings:
            self.add(adjustments(entries, found.postings, Stamp("run/0", NOW, "why")).to_pylist())
        return found


def sums(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What each event comes to, by revision and place: amounts that are not zero, and the receipt's lines."""
    found: dict[tuple[Any, ...], dict[Any, Any]] = {}
    for row in rows:
        place = tuple(tuple(row[name]) if isinstance(row[name], list) else row[name] for name in PLACE)
        net = found.setdefault((row["event_id"], row["revision"], *place), {})
        for name in AMOUNTS:
            net[name] = net.get(name, 0) + (row[name] or 0)
        lines = zip(
            *(row[f"line_{name}"] for name in ("sku", "meter", "list_unit_price", "unit_price")),
            *(row[f"line_{name}"] for name in ("quantity", "list_cost", "cost", "effective_cost")),
            strict=True,
        )
        for *key, quantity, listed, cost, effective in lines:
            before = net.get(("line", *key), (Decimal(0),) * 4)
            net["line", *key] = tuple(a + b for a, b in zip(before, (quantity, listed, cost, effective), strict=True))
    trimmed = {
        key: {name: value for name, value in net.items() if (any(value) if isinstance(value, tuple) else value)}
        for key, net in found.items()
    }
    return {key: net for key, net in trimmed.items() if net}
