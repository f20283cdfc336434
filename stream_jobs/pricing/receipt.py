"""A receipt as JSON values: what `spendstream price --json` prints, and what other tools build on."""

from collections.abc import Sequence
from typing import Any

from spendstream_schemas import InvalidMessageError
from stream_jobs.base.money import usd_text
from stream_jobs.base.readable import exact
from stream_jobs.pricing.result import PriceLine, Pricing
from stream_jobs.pricing.self_hosted import pool_of


def priced(event_id: str, pricing: Pricing, nearest: Sequence[str] = ()) -> dict[str, Any]:
    """The answer for a valid event: `status` is "priced" or "unpriced". Money is USD in plain decimal notation.

    `nearest` are known names like the unknown one, where somebody looked for them.
    `pool` is set for a model of one's own: its tokens cost nothing, the pool's GPU time is billed by its own events.
    """
    return {
        "event_id": event_id,
        "status": "priced" if pricing.priced else "unpriced",
        "reason": None if pricing.reason is None else pricing.reason.value,
        "detail": pricing.detail or None,
        "nearest": list(nearest),
        "list_cost": _usd(pricing.list_cost),
        "contracted_cost": _usd(pricing.contracted_cost),
        "effective_cost": _usd(pricing.effective_cost),
        "avoided_cost": usd_text(pricing.avoided_cost),
        "price_model": pricing.price_model or None,
        "pool": next((pool for line in pricing.lines if (pool := pool_of(line.sku))), None),
        "price_book_version": pricing.price_book_version,
        "lines": [_line(line) for line in pricing.lines],
    }


def invalid(event_id: str | None, error: InvalidMessageError, version: str) -> dict[str, Any]:
    """The answer for what is no usage event, with the reason that the pipeline would quarantine it with."""
    return {
        "event_id": event_id,
        "status": "invalid",
        "reason": error.reason.value,
        "detail": f"{error.path}: {error.detail}" if error.path else error.detail,
        "nearest": [],
        "list_cost": None,
        "contracted_cost": None,
        "effective_cost": None,
        "avoided_cost": None,
        "price_model": None,
        "pool": None,
        "price_book_version": version,
        "lines": [],
    }


def _line(line: PriceLine) -> dict[str, Any]:
    return {
        "sku": line.sku,
        "meter": line.meter,
        "quantity": line.quantity if isinstance(line.quantity, int) else exact(line.quantity),
        "list_unit_price": exact(line.list_unit_price),
        "unit_price": exact(line.unit_price),
        "list_cost": usd_text(line.list_cost),
        "cost": usd_text(line.contracted_cost),
        "effective_cost": usd_text(line.effective_cost),
    }


def _usd(pico: int | None) -> str | None:
    return None if pico is None else usd_text(pico)
