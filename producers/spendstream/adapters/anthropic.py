"""Anthropic messages, also as served by Bedrock, Vertex AI and Azure through Anthropic's own client.

docs.anthropic.com/en/docs/build-with-claude/prompt-caching: cache reads and writes stand **outside** of
``input_tokens`` and are added here; thinking is inside ``output_tokens``. Streaming usage is cumulative.
Beta ``iterations``: tokens of a ``compaction`` are billed but not part of the totals, so they are added; an
``advisor_message`` was written by another model at its own price and becomes usage of its own (`ExtractedUsage.also`).

A stream that is cut before its ``message_delta`` has said the output tokens of its first instant only (1, mostly),
while what was written is billed. Then the text that was delivered is counted: a token is about 3.5 characters of
English (docs.anthropic.com/en/docs/about-claude/glossary#tokens), taken as bytes of UTF-8, and the meter is named in
`ExtractedUsage.estimated`.
"""

from dataclasses import replace
from typing import Final, Literal

from spendstream.adapters.reader import Node
from spendstream.adapters.result import (
    AdapterError,
    ExtractedUsage,
    Meters,
    conditions,
    token_usage,
    tool_calls,
    total,
    unreported_lifetime,
)
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

USAGE_FIELDS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "inference_geo",
    "speed",
    "iterations",
)
_BATCH_FAILURES: Final[dict[str, Literal["error", "cancelled"]]] = {
    "errored": "error",
    "expired": "error",
    "canceled": "cancelled",
}
_DELIVERED: Final = ("text", "thinking", "partial_json")
_NO_GEO: Final = "not_available"  # what models without a choice of geography report


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one message; one result of a message batch is taken too."""
    in_batch = root.node("result") if root.has("custom_id") else None
    if in_batch is not None:
        message = in_batch.node("message")
        failure = _BATCH_FAILURES.get(in_batch.name("type", 64) or "")
        if message is None and failure is not None:
            return ExtractedUsage(service_tier="batch", status=failure)
        if message is None:
            raise AdapterError(f"{in_batch.path}.message: expected a succeeded batch result, got none with a message")
        found = extract(provider, message)
        return replace(found, service_tier="batch")  # whatever the message says: such a line comes of a batch only
    if root.raw("type") == "error":
        return ExtractedUsage(status="error")
    usage = root.node("usage")
    found = ExtractedUsage(
        response_model=root.name("model", unreadable=UNREADABLE),
        response_id=root.name("id", 256),
        operation="chat" if usage else None,
    )
    if usage is None:
        return found
    cut = None if root.raw("complete") else root.count("delivered_bytes")
    return _with_usage(provider, usage, found, cut)


def _with_usage(provider: str, usage: Node, found: ExtractedUsage, delivered_bytes: int | None) -> ExtractedUsage:
    told = replace(
        found,
        service_tier=normal_tier("anthropic", usage.name("service_tier", 64, UNREADABLE)),
        conditions=conditions(**where_served(usage)),
    )
    compacted, advised = beside_the_totals(provider, usage, told)
    meters = summed([_meters(usage), *compacted])
    if delivered_bytes is not None:
        meters["output_tokens"] = max(int(meters["output_tokens"] or 0), (2 * delivered_bytes + 6) // 7)
    return replace(
        told,
        usage=token_usage(provider, meters),
        estimated=() if delivered_bytes is None else ("output_tokens",),
        tool_calls=tool_calls(server_tools(usage)),
        also=advised,
    )


def beside_the_totals(
    provider: str, usage: Node, found: ExtractedUsage
) -> tuple[list[Meters], tuple[ExtractedUsage, ...]]:
    """What ``iterations`` bill beside the totals of a usage object, whoever hands it on: the meters of compactions,
    and usage of advisors, which is `found` with another model and its own counts."""
    iterations = usage.nodes("iterations")
    compacted = [_meters(item) for item in iterations if item.text("type", 64) == "compaction"]
    advised = [
        replace(
            found, usage=token_usage(provider, _meters(item)), response_model=item.name("model", unreadable=UNREADABLE)
        )
        for item in iterations
        if item.text("type", 64) == "advisor_message"
    ]
    return compacted, tuple(advised)


def where_served(usage: Node) -> dict[str, str | None]:
    """The conditions that a usage object names, whoever hands it on: geography and speed."""
    geo = usage.name("inference_geo", 64, UNREADABLE)
    return {"inference_geo": None if geo == _NO_GEO else geo, "speed": usage.name("speed", 64, UNREADABLE)}


def server_tools(usage: Node) -> dict[str, int | None]:
    """Calls of server tools that a usage object counts, whoever hands it on."""
    tools = usage.node("server_tool_use")
    if tools is None:
        return {}
    return {tool: tools.count(f"{tool}_requests") for tool in ("web_search", "web_fetch", "code_execution")}


def _meters(usage: Node) -> Meters:
    read, written = usage.count("cache_read_input_tokens"), usage.count("cache_creation_input_tokens")
    by_lifetime = usage.node("cache_creation")
    short = long = None
    if by_lifetime is not None:
        short = by_lifetime.count("ephemeral_5m_input_tokens")
        long = by_lifetime.count("ephemeral_1h_input_tokens")
    unknown = unreported_lifetime(usage, written, short, long)
    thinking = usage.node("output_tokens_details")
    uncached = usage.count("input_tokens")
    return {
        # Without input_tokens the whole is not known, and the parts alone must not pass for it.
        "input_tokens": None if uncached is None else total(uncached, read, total(short, long, unknown)),
        "cache_read_tokens": read,
        "cache_write_tokens": unknown,
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
        "output_tokens": usage.count("output_tokens"),
        "reasoning_tokens": None if thinking is None else thinking.count("thinking_tokens"),
    }


def summed(parts: list[Meters]) -> Meters:
    """The meters of all parts together."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: total(*(None if (value := part.get(name)) is None else int(value) for part in parts)) for name in names
    }


def fold(known: dict[str, object], event: Node) -> None:
    """Add one stream event to what is known. Counts are cumulative: a later one replaces an earlier one."""
    kind = event.name("type", 64)
    if kind == "error":  # instead of the rest: what was written before is billed
        known["failed"] = True
        return
    if kind == "content_block_delta":
        _deliver(known, event.node("delta"))
        return
    message = event.node("message") if kind == "message_start" else event if kind == "message" else None
    if message is not None:
        known |= {name: message.raw(name) for name in ("id", "model") if message.has(name)}
        known["type"] = "message"
        known["delivered_bytes"] = 0
        known["complete"] = kind == "message"
    holder = message or (event if kind == "message_delta" else None)
    usage = None if holder is None else holder.node("usage")
    if usage is not None:
        seen = known.setdefault("usage", {})
        assert isinstance(seen, dict)
        seen |= {name: usage.raw(name) for name in USAGE_FIELDS if usage.has(name)}
        if kind == "message_delta":
            known["complete"] = True  # the totals come with it, once, after the last block


def _deliver(known: dict[str, object], delta: Node | None) -> None:
    """Count what a block brought; the text itself is not kept."""
    said = None if delta is None else next((text for name in _DELIVERED if (text := delta.raw(name))), None)
    before = known.get("delivered_bytes")
    if isinstance(said, str) and isinstance(before, int):
        known["delivered_bytes"] = before + len(said.encode("utf-8", "replace"))
