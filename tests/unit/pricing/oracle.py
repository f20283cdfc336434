"""genai-prices' own calculator, asked about one of our events: what our engine must agree with wherever it is right."""

from decimal import Decimal

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from spendstream_schemas import TokenUsage, UsageEvent
from stream_jobs.pricing.units import TOOL_KEYS

_SAME = ("input_tokens", "output_tokens", "cache_read_tokens", "input_characters", "input_audio_seconds",
         "output_audio_seconds")  # fmt: skip
_KINDS = ("audio", "image", "video")
_RENAMED = {
    "reasoning_tokens": "output_reasoning_tokens",
    "citation_tokens": "output_citation_tokens",
    "cache_write_5m_tokens": "cache_write_5m_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "input_pages": "input_document_pages",
    "input_annotated_pages": "input_annotated_document_pages",
    "search_units": "rerank_searches",
    **{f"{side}_{kind}_tokens": f"{side}_{kind}_tokens" for side in ("input", "output") for kind in _KINDS},
    **{f"cache_read_{kind}_tokens": f"cache_{kind}_read_tokens" for kind in _KINDS},
}  # fmt: skip
_WRITES = tuple(f"cache_write{ttl}_tokens" for ttl in ("", "_5m", "_30m", "_1h", "_12h"))
_TOOLS = {"web_search": "web_searches", "file_search": "storage_searches", "social_search": "social_searches",
          "code_execution": "code_executions"}  # fmt: skip
_CONTEXT = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}


def provider_of(provider_id: str) -> genai.Provider:
    return next(provider for provider in get_snapshot().providers if provider.id == provider_id)


def model_of(event: UsageEvent) -> tuple[genai.Provider, genai.ModelInfo]:
    """What genai-prices takes the event's model for. Raises LookupError."""
    provider = provider_of(event.provider)
    model = provider.find_model(event.model or "", all_providers=get_snapshot().providers)
    if model is None:
        raise LookupError(event.model)
    return provider, model


def context_of(event: UsageEvent) -> dict[str, str]:
    """The event's conditions in their words."""
    context = dict(_CONTEXT.get(event.service_tier or "", {}))
    if event.conditions is not None and event.conditions.speed == "fast":
        context["speed"] = "fast"
    return context


def total(event: UsageEvent) -> Decimal:
    """USD as genai-prices sees the event. Raises LookupError for unknown models, ValueError for usage it refuses."""
    assert isinstance(event.usage, TokenUsage)
    provider, model = model_of(event)
    context = context_of(event)
    usage = usage_of(event)
    result = model.calc_price(usage, provider, genai_request_timestamp=event.occurred_at, price_context=context or None)
    return result.total_price


def usage_of(event: UsageEvent) -> genai.Usage:
    """Our meters in their terms: they count cache writes of all lifetimes together."""
    used = event.usage.__dict__
    values = {name: used[name] for name in _SAME if used[name] is not None}
    values |= {theirs: used[ours] for ours, theirs in _RENAMED.items() if used[ours] is not None}
    writes = [used[name] for name in _WRITES if used[name] is not None]
    if writes:
        values["cache_write_tokens"] = sum(writes)
    seconds = sum(used[name] or 0 for name in ("input_audio_seconds", "output_audio_seconds"))
    if seconds:
        values["audio_seconds"] = seconds
    for kind, calls in event.tool_calls or ():
        if calls and kind in _TOOLS:
            values[_TOOLS[kind]] = calls
    assert set(_TOOLS) < set(TOOL_KEYS)
    return genai.Usage(**values)
