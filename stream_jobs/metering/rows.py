"""Ledger entries as columns: what was used, whose it is, what it costs, and the receipt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from spendstream_schemas import ATTRIBUTION_FIELDS, METERS, ToolCalls
from stream_jobs.attribution.reported import reported_tags
from stream_jobs.attribution.rules import Attributed
from stream_jobs.base.money import usd_from_pico
from stream_jobs.facts import Condition
from stream_jobs.ledger.columns import BLOCK_COLUMNS
from stream_jobs.metering.decode import DecodedEvent
from stream_jobs.pricing.hold import NOTHING, Bound
from stream_jobs.pricing.result import Pricing
from stream_jobs.store.fitting import as_table
from stream_jobs.store.tables import COMPARISONS, TOOL_COLUMNS
from stream_jobs.streams.model import Block

_TOOLS: Final = tuple(zip(ToolCalls.model_fields, TOOL_COLUMNS, strict=True))
NO_COST: Final = Decimal(0)
UNIT_PRICE_PLACES: Final = 18


@dataclass(frozen=True, slots=True)
class Charge:
    """One event that becomes a ledger entry."""

    decoded: DecodedEvent
    attributed: Attributed
    rules_version: str  # of the rules that were applied: in a redo perhaps not those that the block was fixed with
    pricing: Pricing
    bound: Bound = NOTHING  # what is held for it while it has no price


def charge_row(charge: Charge, block: Block) -> dict[str, Any]:
    """One ledger row of kind `charge`; keys are column names. Absent meters stay absent."""
    decoded, attributed, pricing = charge.decoded, charge.attributed, charge.pricing
    facts, details = decoded.facts, decoded.details
    lines = pricing.lines
    row: dict[str, Any] = {
        "event_id": decoded.event_id,
        "revision": decoded.revision,
        "entry_kind": "charge",
        "occurred_at": facts.occurred_at,
        "booked_at": block.fixed_at,
        "source": facts.source,
        "kind": facts.kind,
        "provider": facts.provider,
        "model": facts.model or facts.response_model or "",
        "response_model": facts.response_model or "",
        "price_model": pricing.price_model,
        "operation": facts.operation or "",
        "service_tier": facts.service_tier or "",
        "region": facts.region or "",
        "conditions": condition_items(facts.conditions),
        "category": attributed.category,
        "labels": list(attributed.labels.items()),
        "unallocated": list(attributed.unallocated),
        "list_cost": _usd(pricing.list_cost),
        "contracted_cost": _usd(pricing.contracted_cost),
        "effective_cost": _usd(pricing.effective_cost),
        "avoided_cost": usd_from_pico(pricing.avoided_cost) if pricing.avoided_cost else NO_COST,
        "unpriced_reason": pricing.reason.value if pricing.reason else "",
        "unpriced_detail": pricing.detail,
        "price_book_version": pricing.price_book_version,
        "attribution_version": charge.rules_version,
        "line_sku": [line.sku for line in lines],
        "line_meter": [line.meter for line in lines],
        "line_quantity": [Decimal(line.quantity) for line in lines],
        "line_list_unit_price": [ledger_unit_price(line.list_unit_price) for line in lines],
        "line_unit_price": [ledger_unit_price(line.unit_price) for line in lines],
        "line_list_cost": [usd_from_pico(line.list_cost) for line in lines],
        "line_cost": [usd_from_pico(line.contracted_cost) for line in lines],
        "line_effective_cost": [usd_from_pico(line.effective_cost) for line in lines],
        "response_id": details["response_id"] or "",
        "trace_id": details["trace_id"] or "",
        "status": facts.status,
        "latency_ms": details["latency_ms"],
        "cached_response": facts.cached_response,
        "complexity": details["complexity"],
        "batchable": details["batchable"],
        "retry_of": details["retry_of"] or "",
        "prompt_fingerprint": details["prompt_fingerprint"] or "",
        "unknown_fields": list(decoded.unknown_fields),
        "topic_id": block.source.topic_id,
        "partition": block.source.partition,
        "offset": decoded.record.offset,
        "reason_text": "",
        "events": 1,
        "unpriced": 0 if pricing.priced else 1,
        "reported_tags": reported_tags(facts, attributed),
        "stated_cost": facts.stated_cost,
        "held_cost": None if pricing.priced or charge.bound.flat else usd_from_pico(charge.bound.pico),
        "held_flat": charge.bound.flat,
        "session_id": details["session_id"] or "",
        "subcategory": attributed.subcategory,
        **{name: _usd(getattr(pricing, name)) for name in COMPARISONS},
    }
    for name in ATTRIBUTION_FIELDS:
        row[name] = getattr(attributed, name)
    usage = facts.usage
    for name in METERS:
        row[name] = usage.get(name)
    for kind, column in _TOOLS:
        row[column] = facts.tool_calls.get(kind)
    for name in ("accelerator", "instance_type", "purchase_option", "sku", "unit"):
        row[name] = usage.get(name) or ""
    row["duration_s"] = usage.get("duration_s")
    row["accelerator_count"] = usage.get("accelerator_count")
    return row


def ledger_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows with all columns of the ledger's declaration, in its order. A missing column is a KeyError."""
    return as_table(BLOCK_COLUMNS, rows)


def condition_items(conditions: Iterable[Condition]) -> list[tuple[str, str]]:
    """Conditions as they are booked."""
    return [(key, str(value).lower() if isinstance(value, bool) else value) for key, value in conditions]


def ledger_unit_price(usd: Decimal) -> Decimal:
    """Prices per hour, told per second, do not end. What is booked was computed from the exact price, not from this."""
    exponent = usd.as_tuple().exponent
    return usd if isinstance(exponent, int) and -exponent <= UNIT_PRICE_PLACES else round(usd, UNIT_PRICE_PLACES)


def _usd(pico: int | None) -> Decimal | None:
    return None if pico is None else usd_from_pico(pico)
