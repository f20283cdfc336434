"""Every way in which our price deliberately differs from genai-prices' calculator, and why.

The property test allows these and nothing else; the README of the pricing package shows this table.
"""

import re
from decimal import Decimal

from genai_prices import types as genai

from spendstream_schemas import UnpricedReason, UsageEvent
from stream_jobs.pricing.result import Pricing
from stream_jobs.pricing.units import PER, TOKEN_KEYS, TOOL_KEYS
from tests.unit.pricing import oracle

SEARCHES_ITSELF = re.compile(r"-search-(?:preview|api)|sonar")
WRITES_MORE = re.compile(r"gpt-5.*-image|gemini.*-image|banana|gpt-audio|gemini-omni")
DIFFERENCES: dict[str, tuple[str, str]] = {
    "no-meter-price": (
        "unpriced: `no_price_for_meter`, `no_price_for_tool`",
        "what occurred has no price in the data (audio, image or video without a price of its own, a cache lifetime "
        "that is not sold, output of an embedding model, a tool); genai-prices bills it as text, at another lifetime's "
        "rate, or not at all",
    ),
    "no-price-at-all": (
        "unpriced: `no_price_at_time`",
        "the model has no prices in the data; genai-prices answers $0",
    ),
    "no-tier-price": (
        "unpriced: `no_price_for_tier`, `no_price_for_condition`",
        "the model (or one of its meters) has no price for that tier or condition at that instant; genai-prices "
        "silently takes the standard price",
    ),
    "ambiguous-parts": (
        "unpriced: `ambiguous_usage`",
        "which tokens are cached, audio or images is not reported and the price depends on it; genai-prices raises, "
        "or bills as if none were",
    ),
    "moving-name": (
        "unpriced: `moving_alias`",
        "the id ends in -latest and the served model is not reported; genai-prices takes today's meaning for all time",
    ),
    "inferred-parts": (
        "priced; genai-prices raises",
        "the overlap of cached and audio tokens is not reported but follows from the numbers, or does not matter for "
        "the price",
    ),
    "reported-nothing": (
        "unpriced: `usage_unknown`; 0 for a failed call",
        "no usage was reported at all; genai-prices answers $0 for it",
    ),
    "corrected": (
        "another price",
        "a dated correction with its source stands above the base data (data/corrections/)",
    ),
    "fractional-pico": (
        "equal after rounding to 12 decimal places",
        "audio by the hour has no finite price per second; each receipt line is rounded once, half to even",
    ),
}
_BY_REASON = {
    UnpricedReason.NO_PRICE_FOR_METER: "no-meter-price",
    UnpricedReason.NO_PRICE_FOR_TOOL: "no-meter-price",
    UnpricedReason.NO_PRICE_AT_TIME: "no-price-at-all",
    UnpricedReason.NO_PRICE_FOR_TIER: "no-tier-price",
    UnpricedReason.NO_PRICE_FOR_CONDITION: "no-tier-price",
    UnpricedReason.AMBIGUOUS_USAGE: "ambiguous-parts",
    UnpricedReason.MOVING_ALIAS: "moving-name",
    UnpricedReason.USAGE_UNKNOWN: "reported-nothing",
}


def classify(event: UsageEvent, ours: Pricing, theirs: Decimal | None) -> str | None:
    """The class of a difference, None if both agree to the last digit. `theirs` is None if genai-prices refused.

    Raises KeyError or AssertionError if the difference is not one of ours.
    """
    if not ours.priced:
        assert ours.reason is not None
        name = _BY_REASON[ours.reason]
        assert name not in _DESERVED or _DESERVED[name](event), (name, event, ours, theirs)
        return name
    assert ours.list_cost is not None
    if theirs is None:
        return "inferred-parts"
    exact = theirs.scaleb(12)
    if exact == ours.list_cost:
        return None
    # Each line may be off by half a pico-USD: only prices that have no finite decimal per unit come here.
    assert abs(exact - ours.list_cost) * 2 <= len(ours.lines), (event, ours, theirs)
    assert any(line.meter.endswith("_seconds") for line in ours.lines) or exact % 1, (event, ours, theirs)
    return "fractional-pico"


def _no_meter_price(event: UsageEvent) -> bool:
    """True if something was used that the data has no price of its own for: more than text that is all priced."""
    if SEARCHES_ITSELF.search(event.model or ""):
        return True  # its fee per search is not in the event
    prices = _prices(event)
    used = {name for name, n in event.usage if n and name != "kind"}
    if ("input_tokens" in used and "input_mtok" not in prices) or (
        "output_tokens" in used and "output_mtok" not in prices
    ):
        return True
    return bool(used - _TEXT) or any(n for _, n in event.tool_calls or ())


def _no_price_at_all(event: UsageEvent) -> bool:
    return not _prices(event).keys() & PER.keys() - set(TOOL_KEYS.values())


def _no_tier_price(event: UsageEvent) -> bool:
    """True if some standard price has no active override under the event's conditions."""
    provider, model = oracle.model_of(event)
    overridden: set[str] = set()
    conditions = oracle.context_of(event)
    for variant in model.price_variants or ():
        active = variant.constraint is None or variant.constraint.active(event.occurred_at)
        if active and variant.when.items() <= conditions.items() and model in provider.models:
            overridden |= variant.prices.__dict__.keys()
    return bool(_prices(event).keys() & TOKEN_KEYS - overridden) or not overridden or len(conditions) > 1


def _ambiguous(event: UsageEvent) -> bool:
    used = event.usage.__dict__
    kinds = [f"{side}_{kind}_tokens" for side in ("input", "output") for kind in ("audio", "image", "video")]
    written = [kind for kind in ("audio", "image", "video") if f"output_{kind}_mtok" in _prices(event)]
    if used["output_tokens"] and any(used[f"output_{kind}_tokens"] is None for kind in written):
        return True
    if used["output_tokens"] and WRITES_MORE.search(event.model or ""):
        return True  # of which the data has the price of text alone
    return any(used[kind] for kind in kinds) and any(used[part] for part in _PARTS)


def _prices(event: UsageEvent) -> dict[str, Decimal | genai.TieredPrices]:
    _, model = oracle.model_of(event)
    return {key: value for key, value in model.get_prices(event.occurred_at).__dict__.items() if value is not None}


_PARTS = ("cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_30m_tokens",
          "cache_write_1h_tokens", "reasoning_tokens")  # fmt: skip
_TEXT = {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
         "reasoning_tokens"}  # fmt: skip
_DESERVED = {
    "no-meter-price": _no_meter_price,
    "no-price-at-all": _no_price_at_all,
    "no-tier-price": _no_tier_price,
    "ambiguous-parts": _ambiguous,
}
"""Checks, on the base data itself, that a refusal was called for: refusing everything would agree with nothing."""


def markdown() -> str:
    """The table as the README shows it."""
    rows = [f"| {name} | {what} | {why} |" for name, (what, why) in DIFFERENCES.items()]
    return "\n".join(["| class | our answer | reason |", "|---|---|---|", *rows])
