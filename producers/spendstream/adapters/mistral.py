"""Mistral: chat, fill-in-the-middle, agents, embeddings, transcription, conversations and OCR.

docs.mistral.ai/api. No cache and no reasoning counts are declared (cached tokens are read where the undeclared
``prompt_tokens_details`` appears). Tokens that connectors added to a conversation stand beside ``prompt_tokens``.
"""

from collections.abc import Mapping
from typing import Final

from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node, names_of
from spendstream.adapters.result import ExtractedUsage, Meters, conditions, token_usage, tool_calls, total
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

_CONNECTORS: Final = {
    "web_search": ("web_search", "web_search_premium"),
    "code_execution": ("code_interpreter",),
    "image_generation": ("image_generation",),
    "file_search": ("document_library",),
}
_ALL_CONNECTORS: Final = tuple(name for names in _CONNECTORS.values() for name in names)
_EXECUTED: Final = "executed"  # ours: what a stream has shown so far
_TOP_FIELDS: Final = ("id", "conversation_id", "model", "object", "usage", "usage_info")
_CONTENT_FIELDS: Final = ("text", "outputs")  # only that they are there is kept, never what they say


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response; an OCR response reports pages under ``usage_info``."""
    usage, pages = root.node("usage"), root.node("usage_info")
    meters: Meters = {}
    tier = None
    called: dict[str, int] = {}
    if usage is not None:
        meters, tier = _meters(usage), usage.name("service_tier", 64, UNREADABLE)
        called = _called(root, usage)
    elif pages is not None:
        meters = _pages(root, pages)
    return ExtractedUsage(
        usage=token_usage(provider, meters),
        response_model=root.name("model", unreadable=UNREADABLE),
        response_id=_id(root),
        service_tier=normal_tier(provider, tier),
        conditions=conditions(search_context=_unknown(called)),
        tool_calls=tool_calls({ours: total(*map(called.get, theirs)) for ours, theirs in _CONNECTORS.items()}),
        operation=_operation(root),
        session_id=root.name("conversation_id"),
    )


def _pages(root: Node, reported: Node) -> Meters:
    """Pages, all of which are annotated where any annotation came: they cost three times as much.

    mistral.ai/pricing (annotated pages). ``usage_info`` does not tell them apart, what came does: an annotation of the
    document, or of images on its pages.
    """
    pages = reported.count("pages_processed")
    images = [image for page in root.nodes("pages") for image in page.nodes("images")]
    annotated = bool(root.raw("document_annotation")) or any(image.raw("image_annotation") for image in images)
    return {"input_pages": pages, "input_annotated_pages": pages if annotated else None}


def _called(root: Node, usage: Node) -> dict[str, int]:
    """Calls of connectors by Mistral's names: as the usage counts them; those that it leaves out as the outputs list
    them (docs.mistral.ai/agents/connectors)."""
    names = [entry.text("name", 64) or "" for entry in _executed(root)]
    called = {name: names.count(name) for name in names if name}
    counts = usage.node("connectors")
    if counts is not None:
        reported = {name: counts.count(name) for name in sorted({*names_of(counts.value), *_ALL_CONNECTORS})}
        called |= {name: count for name, count in reported.items() if count is not None}
    return called


def _executed(root: Node) -> list[Node]:
    if isinstance(root.raw("outputs"), (list, tuple)):
        return [entry for entry in root.nodes("outputs") if entry.text("type", 64) == "tool.execution"]
    return root.nodes(_EXECUTED) if root.raw(_EXECUTED) else []


def _unknown(called: Mapping[str, int]) -> str | None:
    """Connectors that nobody here knows (MCP servers too): what their calls cost is not known, so they are named where
    they make the call unpriced, as tools of xAI's do."""
    return (
        ",".join(sorted(name for name, count in called.items() if count and name not in _ALL_CONNECTORS))[:64] or None
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
    if chunk.raw("type") == "tool.execution.started":
        before = known.get(_EXECUTED)
        known[_EXECUTED] = [*(before if isinstance(before, list) else []), {"name": chunk.raw("name")}]
