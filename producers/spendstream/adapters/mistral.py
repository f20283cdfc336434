"""Mistral: chat, fill-in-the-middle, agents, embeddings, transcription, conversations and OCR.

docs.mistral.ai/api. No cache and no reasoning counts are declared (cached tokens are read where the undeclared
``prompt_tokens_details`` appears). Tokens that connectors added to a conversation stand beside ``prompt_tokens``.
"""

from typing import Final

from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage, tool_calls, total
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

_CONNECTORS: Final = {
    "web_search": ("web_search", "web_search_premium"),
    "code_execution": ("code_interpreter",),
    "image_generation": ("image_generation",),
    "file_search": ("document_library",),
}
_TOP_FIELDS: Final = ("id", "conversation_id", "model", "object", "usage", "usage_info")
_CONTENT_FIELDS: Final = ("text", "outputs")  # only that they are there is kept, never what they say


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response; an OCR response reports pages under ``usage_info``."""
    usage, pages = root.node("usage"), root.node("usage_info")
    meters: Meters = {}
    tier, tools = None, None
    if usage is not None:
        meters, tier, tools = _meters(usage), usage.name("service_tier", 64, UNREADABLE), usage.node("connectors")
    elif pages is not None:
        meters = {"input_pages": pages.count("pages_processed")}
    called = {} if tools is None else {ours: total(*map(tools.count, theirs)) for ours, theirs in _CONNECTORS.items()}
    return ExtractedUsage(
        usage=token_usage(provider, meters),
        response_model=root.name("model", unreadable=UNREADABLE),
        response_id=_id(root),
        service_tier=normal_tier(provider, tier),
        tool_calls=tool_calls(called),
        operation=_operation(root),
    )


def _id(root: Node) -> str | None:
    """Of this response: a conversation's id is that of all its turns, the last output's is this turn's own."""
    if root.has("id") or not isinstance(root.raw("outputs"), list):
        return root.name("id", 256)
    entries = root.nodes("outputs")
    return entries[-1].name("id", 256) if entries else None


def _operation(root: Node) -> str | None:
    kind = root.name("object", 64) or ""
    if kind.startswith(("chat.completion", "conversation")) or root.has("choices", "outputs"):
        return "chat"
    if kind == "list":
        return "embeddings"
    if root.has("usage_info"):
        return "ocr"
    if root.has("text"):
        return "transcription"
    return "chat" if root.has("usage") else None


def _meters(usage: Node) -> Meters:
    read, written = usage.count("prompt_tokens"), usage.count("completion_tokens")
    from_tools, all_tokens = usage.count("connector_tokens"), usage.count("total_tokens")
    if from_tools and all_tokens is not None and all_tokens != (read or 0) + (written or 0) + from_tools:
        problem(
            f"{usage.path}: prompt_tokens + completion_tokens + connector_tokens = "
            f"{(read or 0) + (written or 0) + from_tools}, but total_tokens = {all_tokens}"
        )
    details = usage.node("prompt_tokens_details")
    return {
        "input_tokens": total(read, from_tools),
        "tool_use_input_tokens": from_tools,
        "cache_read_tokens": None if details is None else details.count("cached_tokens"),
        "output_tokens": written,
        "input_audio_seconds": usage.seconds("prompt_audio_seconds"),
    }


def fold(known: dict[str, object], event: Node) -> None:
    """Add one stream event to what is known: usage comes with the last one. The client wraps chunks in ``data``."""
    chunk = event.node("data") if event.has("data") and not event.has("object") else event
    assert chunk is not None
    known |= {name: chunk.raw(name) for name in _TOP_FIELDS if chunk.has(name)}
    known |= {name: True for name in _CONTENT_FIELDS if chunk.has(name)}
