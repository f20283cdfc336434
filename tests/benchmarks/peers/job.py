"""The metering job as somebody would write it on a stock stream processor: one message in, one row out, rows inserted
in batches, at least once.

It uses the project's own contract, price book, rules and ledger table, so that the peers differ from ours in how they
stream and book, not in what they compute. It leaves out what they would have to build for it: dropping duplicates
against the ledger, blocks and their receipts, deduplication tokens, quarantine.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from spendstream_schemas import ATTRIBUTION_FIELDS, METERS, ToolCalls, UsageEvent
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.environment import from_environment
from stream_jobs.base.money import usd_from_pico
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.result import Pricing
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings
from stream_jobs.store.tables import LEDGER_DEFAULTS, TABLES

TOPIC: Final = "usage.events.v1"  # stream_jobs.runtime.topics needs Faust, which not every peer has
BATCH_ROWS: Final = 5_000
BATCH_WAIT_S: Final = 0.5
SCHEMA: Final = pa.schema(list(TABLES["ledger"])[: -len(LEDGER_DEFAULTS)])
NO_COST: Final = Decimal(0)
_TOOLS: Final = tuple((kind, f"tool_{kind}") for kind in ToolCalls.model_fields)
_OTHER_TEXTS: Final = ("accelerator", "instance_type", "purchase_option", "sku", "unit")


class StockJob:
    """Reads its addresses from the same environment variables as a worker."""

    def __init__(self, config_dir: Path) -> None:
        self._book = PriceBook.load(config_dir)
        self._rules = AttributionRules.load(config_dir)
        self._store = StoreClient(from_environment(ClickHouseSettings))

    def row(self, value: bytes) -> dict[str, Any]:
        """Validate, attribute and price one message. Raises pydantic's ValidationError."""
        event = UsageEvent.model_validate_json(value)
        facts = facts_of(event)
        attributed = self._rules.apply(facts)
        pricing = self._book.price(facts)
        usage = event.usage.__dict__
        tools = event.tool_calls.__dict__ if event.tool_calls is not None else {}
        conditions = event.conditions.model_dump(exclude_none=True) if event.conditions is not None else {}
        return {
            "event_id": event.event_id,
            "revision": event.revision,
            "entry_kind": "charge",
            "occurred_at": event.occurred_at,
            "source": event.source,
            "kind": event.usage.kind,
            "provider": event.provider,
            "model": event.model or event.response_model or "",
            "response_model": event.response_model or "",
            "operation": event.operation or "",
            "service_tier": event.service_tier or "",
            "region": event.region or "",
            "conditions": [(key, str(item)) for key, item in conditions.items()],
            "category": attributed.category,
            **{name: getattr(attributed, name) for name in ATTRIBUTION_FIELDS},
            "labels": list(attributed.labels.items()),
            "unallocated": list(attributed.unallocated),
            **{name: usage.get(name) for name in METERS},
            **{column: tools.get(kind) for kind, column in _TOOLS},
            **{name: usage.get(name) or "" for name in _OTHER_TEXTS},
            "accelerator_count": usage.get("accelerator_count"),
            **_receipt(pricing),
            "attribution_version": self._rules.version,
            "response_id": event.response_id or "",
            "trace_id": event.trace_id or "",
            "status": event.status,
            "latency_ms": event.latency_ms,
            "cached_response": event.cached_response,
            "complexity": event.complexity,
            "batchable": event.batchable,
            "retry_of": event.retry_of or "",
            "prompt_fingerprint": event.prompt_fingerprint or "",
            "unknown_fields": [],
            "topic_id": "stock",
            "partition": 0,
            "offset": 0,
            "reason_text": "",
        }

    def insert(self, rows: Sequence[dict[str, Any]]) -> None:
        """Into the same ledger, with the same rollups behind it."""
        now = datetime.now(UTC)
        table = pa.Table.from_pylist([{**row, "booked_at": now} for row in rows], schema=SCHEMA)
        self._store.client.insert_arrow("ledger", table, settings={"async_insert": 0})


def _receipt(pricing: Pricing) -> dict[str, Any]:
    lines = pricing.lines
    return {
        "price_model": pricing.price_model,
        "list_cost": _usd(pricing.list_cost),
        "contracted_cost": _usd(pricing.contracted_cost),
        "effective_cost": _usd(pricing.effective_cost),
        "avoided_cost": usd_from_pico(pricing.avoided_cost) if pricing.avoided_cost else NO_COST,
        "unpriced_reason": pricing.reason.value if pricing.reason else "",
        "unpriced_detail": pricing.detail if pricing.reason else "",
        "price_book_version": pricing.price_book_version,
        "line_sku": [line.sku for line in lines],
        "line_meter": [line.meter for line in lines],
        "line_quantity": [Decimal(line.quantity) for line in lines],
        "line_list_unit_price": [round(line.list_unit_price, 18) for line in lines],
        "line_unit_price": [round(line.unit_price, 18) for line in lines],
        "line_list_cost": [usd_from_pico(line.list_cost) for line in lines],
        "line_cost": [usd_from_pico(line.contracted_cost) for line in lines],
        "line_effective_cost": [usd_from_pico(line.effective_cost) for line in lines],
    }


def _usd(pico: int | None) -> Decimal | None:
    return None if pico is None else usd_from_pico(pico)
