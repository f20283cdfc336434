"""Ledger rows of a bundle as Arrow columns, without a Python object per value."""

from typing import Any, Final

import numpy as np
import pyarrow as pa

from stream_jobs.facts import Condition
from stream_jobs.ledger.columns import BLOCK_COLUMNS
from stream_jobs.metering.columnar.attribute import Attribution
from stream_jobs.metering.columnar.events import SINGLE, TokenEvents
from stream_jobs.metering.columnar.price import LINE_METERS, Lines, Prices
from stream_jobs.metering.rows import condition_items, ledger_unit_price
from stream_jobs.store.decimals import from_pico, from_units
from stream_jobs.store.tables import MONEY, TEXT, UNIT_PRICE
from stream_jobs.store.texts import Codes, Texts, constant, empty_maps, maps
from stream_jobs.streams.model import Block

_INSTANT: Final = pa.timestamp("us", tz="UTC")


def charge_table(
    events: TokenEvents, attribution: Attribution, prices: Prices, block: Block, book_version: str, rules_version: str
) -> pa.Table:
    """One `charge` per event, the same as `charge_row` makes of it. Texts that repeat are dictionary-encoded."""
    rows = len(events)
    model, served = events.repeated["model"], events.repeated["response_model"]
    texts = {
        "entry_kind": constant("charge", rows),
        "kind": constant("tokens", rows),
        **events.repeated,
        "model": model.or_else(served),
        **attribution.tags,
        "category": attribution.category(),
        "subcategory": attribution.subcategory(),
        "price_model": prices.price_model,
        "unpriced_reason": prices.reason,
        "unpriced_detail": prices.detail,
        "price_book_version": constant(book_version, rows),
        "attribution_version": constant(rules_version, rows),
        "topic_id": constant(block.source.topic_id, rows),
        **{name: constant("", rows) for name in ("accelerator", "instance_type", "purchase_option", "sku", "unit")},
        "reason_text": constant("", rows),
    }
    cost = from_pico(prices.cost, MONEY, prices.known)
    columns: dict[str, Any] = {
        **{name: column.array() for name, column in texts.items()},
        **{name: events.single[name] for name in SINGLE},
        **events.numbers,
        "occurred_at": pa.array(events.occurred_us).view(_INSTANT),
        "booked_at": pa.repeat(pa.scalar(block.fixed_at, _INSTANT), rows),
        "conditions": _condition_maps(events.conditions, rows),
        "labels": empty_maps(rows) if events.labels is None else events.labels,
        "unallocated": attribution.unallocated(),
        "list_cost": cost,
        "contracted_cost": cost,
        "effective_cost": cost,
        "avoided_cost": from_pico(prices.avoided, MONEY),
        **_line_columns(prices.lines),
        "unknown_fields": _lists(np.zeros(rows + 1, np.int64), pa.array([], TEXT)),
        "partition": pa.repeat(pa.scalar(block.source.partition, pa.uint32()), rows),
        "offset": pa.array([record.offset for record in events.records], pa.uint64()),
        "events": pa.repeat(pa.scalar(1, pa.int8()), rows),
        "unpriced": pa.array((~prices.known).astype(np.int8)),
        "held_cost": pa.nulls(rows, MONEY),  # what is held for is priced alone
        "held_flat": pa.array((~prices.known).astype(np.int8)),
        "reported_tags": attribution.reported_tags(),
        **{name: meter.array for name, meter in events.meters.items()},
    }
    for name, (amounts, known) in prices.cache.items():
        columns[name] = from_pico(amounts, MONEY, known)
    if events.stated is not None:
        columns["stated_cost"] = pa.array(events.stated, MONEY)
    for field in BLOCK_COLUMNS:
        if field.name not in columns:
            columns[field.name] = pa.nulls(rows, field.type)  # a meter or tool that no event of the bundle gives
    return pa.table({field.name: columns[field.name] for field in BLOCK_COLUMNS})


def _line_columns(lines: Lines) -> dict[str, pa.Array]:
    sku = pa.array(lines.sku)
    cost = from_pico(lines.cost, MONEY)
    flat = {
        "line_sku": Texts(lines.sku, lines.skus).array(),
        "line_meter": Texts(lines.meter, LINE_METERS).array(),
        "line_quantity": from_units(lines.quantity, MONEY),
        "line_list_unit_price": _unit_prices(lines.list_unit_prices).take(sku),
        "line_unit_price": _unit_prices(lines.unit_prices).take(sku),
        "line_list_cost": cost,
        "line_cost": cost,
        "line_effective_cost": cost,
    }
    return {name: _lists(lines.starts, values) for name, values in flat.items()}


def _unit_prices(usd: list[Any]) -> pa.Array:
    return pa.array([ledger_unit_price(price) for price in usd], UNIT_PRICE)


def _lists(starts: Codes, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), values)


def _condition_maps(conditions: list[tuple[Condition, ...]] | None, rows: int) -> pa.Array:
    return empty_maps(rows) if conditions is None else maps([dict(condition_items(given)) for given in conditions])
