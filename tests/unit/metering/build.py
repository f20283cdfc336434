"""Records, events and a ledger in memory for the metering step."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from spendstream_schemas import UnpricedReason
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.facts import Facts
from stream_jobs.ledger.known import Booked
from stream_jobs.metering.process import Metering
from stream_jobs.origin.standing import Held
from stream_jobs.pricing.result import PriceLine, Pricing
from stream_jobs.streams.model import Block, SourcePartition, SourceRecord, Versions

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOLERANCE = timedelta(minutes=5)
PRICE = 2_500_000  # pico-USD per token


def block(first: int = 0, last: int = 99, fixed_at: datetime = NOW) -> Block:
    return Block(SourcePartition("usage.events.v1", "id", 2), first, last, fixed_at, Versions("book", "rules"), 1)


def document(event_id: str = "e", *, tokens: int = 10, **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "event_id": event_id,
        "occurred_at": "2026-11-20T11:00:00Z",
        "source": "tests",
        "provider": "openai",
        "model": "gpt-4o",
        "usage": {"kind": "tokens", "input_tokens": tokens},
    } | changes


def record(offset: int, event_id: str = "e", **changes: Any) -> SourceRecord:
    return SourceRecord(offset, 1_700_000_000_000, b"k", json.dumps(document(event_id, **changes)).encode())


def held_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Held]]:
    """What metering asks of ledger rows, by event."""
    found: dict[str, list[Held]] = {}
    for row in rows:
        place = (row["booked_at"], row["topic_id"], row["partition"], row["offset"])
        held = Held(*place, row["revision"], row["source"], row["entry_kind"] == "charge")
        found.setdefault(row["event_id"], []).append(held)
    return found


@dataclass
class FakeLedger:
    """Knows what it is told. Keeps what it was asked."""

    known: dict[str, Booked] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        return {event_id: self.known[event_id] for event_id in event_ids if event_id in self.known}

    def held(self, event_ids: Collection[str], block: Block) -> Mapping[str, list[Held]]:
        return held_of(row for row in self.rows if row["event_id"] in event_ids)

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["event_id"] in event_ids]


@dataclass
class RowsLedger:
    """A ledger of rows as metering books them, which tells a block's own from others by its instant."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        own = {row["event_id"]: row["revision"] for row in self.rows if is_own(row, block) and is_charge(row)}
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._others(event_ids, block):
            if is_charge(row) and row["revision"] < own.get(row["event_id"], 2**32):
                found.setdefault(row["event_id"], []).append(row)
        return {
            event_id: Booked(
                max(row["revision"] for row in rows), min(row["booked_at"] for row in rows), several=len(rows) > 1
            )
            for event_id, rows in found.items()
        }

    def held(self, event_ids: Collection[str], block: Block) -> Mapping[str, list[Held]]:
        own = {row["event_id"]: row["revision"] for row in self.rows if is_own(row, block) and is_charge(row)}
        return held_of(
            row for row in self._others(event_ids, block) if row["revision"] < own.get(row["event_id"], 2**32)
        )

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        return list(self._others(event_ids, block))

    def _others(self, event_ids: Collection[str], block: Block) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["event_id"] in event_ids and not is_own(row, block)]


def is_own(row: Mapping[str, Any], block: Block) -> bool:
    return (row["partition"], row["booked_at"]) == (block.source.partition, block.fixed_at)


def is_charge(row: Mapping[str, Any]) -> bool:
    return bool(row["entry_kind"] == "charge")


@dataclass
class TokenPricer:
    """A fixed price per input token; events whose model is 'unknown' have none; 'broken' ones hit a defect."""

    version: str = "book"
    scoped: bool = False

    def price(self, facts: Facts, unknown_fields: tuple[str, ...] = ()) -> Pricing:
        if facts.model == "unknown":
            return Pricing(self.version, reason=UnpricedReason.UNKNOWN_MODEL, detail="no price")
        if facts.model == "broken":
            raise ZeroDivisionError("a defect in pricing")
        tokens = int(facts.usage.get("input_tokens") or 0)
        cost = tokens * PRICE * (10**33 if facts.model == "dear" else 1)
        line_cost = 10**50 if facts.model == "unfit" else cost
        unit = Decimal(PRICE).scaleb(-12)
        line = PriceLine("sku", "input_tokens", tokens, unit, unit, line_cost, line_cost, line_cost)
        return Pricing(self.version, "openai/gpt-4o", None, "", (line,), cost, cost, cost)


def metering(ledger: FakeLedger | None = None) -> Metering:
    return Metering(TokenPricer(), AttributionRules.load(None), ledger or FakeLedger(), TOLERANCE)
