"""OpenAI's Responses API (platform.openai.com/docs/api-reference/responses/object), also the usage of its siblings.

``input_tokens`` includes cached tokens and cache writes, ``output_tokens`` includes reasoning. Realtime and
transcription use the same names with ``token`` in the singular (``input_token_details``).
"""

import re
from typing import Final

from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage, unreported_lifetime
from spendstream_schemas.types import UNREADABLE

_GIGABYTES: Final = re.compile(r"[1-9]\d{0,3}g")
_WITHOUT_REASONING: Final = re.compile(r"(?:ft:)?(?:gpt-4|gpt-3|chatgpt-4)")
_X_SEARCHES: Final = ("x_keyword_search", "x_semantic_search", "x_user_search", "x_thread_fetch")
"""xAI's names of its searches on X where it lists them."""
UNNAMED_IMAGE_MODEL: Final = "image_generation_tool"
"""Stands for the image model when a response does not name it: its usage is booked as unpriced, not lost."""


def meters(usage: Node) -> Meters:
    """The meters of a usage object with ``input_tokens`` and ``output_tokens``."""
    found: Meters = {"input_tokens": usage.count("input_tokens"), "output_tokens": usage.count("output_tokens")}
    read = usage.node("input_tokens_details") or usage.node("input_token_details")
    if read is not None:
        found |= {
            "cache_read_tokens": read.count("cached_tokens"),
            "input_audio_tokens": read.count("audio_tokens"),
            "input_image_tokens": read.count("image_tokens"),
        } | cache_writes(read)
        cached = read.node("cached_tokens_details")
        if cached is not None:
            found |= {
                "cache_read_audio_tokens": cached.count("audio_tokens"),
                "cache_read_image_tokens": cached.count("image_tokens"),
            }
    written = usage.node("output_tokens_details") or usage.node("output_token_details")
    if written is not None:
        found |= {
            "reasoning_tokens": written.count("reasoning_tokens"),
            "output_audio_tokens": written.count("audio_tokens"),
            "output_image_tokens": written.count("image_tokens"),
        }
    return found


def conversation(root: Node) -> str | None:
    """The conversation that a response was added to; Realtime names it without an object around it."""
    found = root.raw("conversation")
    named = None if found is None else root.node("conversation")
    return root.name("conversation_id") if named is None else named.name("id")


def image_meters(usage: Node) -> Meters:
    """The meters of an image model.

    Where the output has no breakdown, all of it is image tokens: so the field was defined before the breakdown came.
    """
    found = meters(usage)
    written = usage.node("output_tokens_details")
    if written is None or not written.has("image_tokens", "text_tokens"):
        found["output_image_tokens"] = found["output_tokens"]
    return found


def cache_writes(details: Node) -> Meters:
    """Cache writes, by lifetime where the details say so."""
    written = details.count("cache_write_tokens")
    by_lifetime = details.node("cache_write_tokens_details")
    if by_lifetime is None:
        return {"cache_write_tokens": written}
    half_hour, half_day = by_lifetime.count("ttl_30m_tokens"), by_lifetime.count("ttl_12h_tokens")
    return {
        "cache_write_tokens": unreported_lifetime(details, written, half_hour, half_day),
        "cache_write_30m_tokens": half_hour,
        "cache_write_12h_tokens": half_day,
    }


def is_x_search(provider: str, kind: object, name: object) -> bool:
    """Whether an item of the output is a search on X: docs.x.ai/developers/tools/tool-usage-details.

    Elsewhere an item of this type is a call of the service's own tool.
    """
    return provider == "x-ai" and kind == "custom_tool_call" and name in _X_SEARCHES


def tool_counts(root: Node, provider: str = "openai") -> dict[str, int | None]:
    """Billable calls of hosted tools.

    Web search: ``tool_usage`` counts the billable ones; older responses list them in ``output``, where only the action
    "search" costs a call (opening a page and finding in it do not). Code interpreter and hosted shell are billed by
    container and by its memory: one of 4 GB counts, and costs, as four of 1 GB (platform.openai.com/docs/pricing).
    Image generation is billed by the image model's tokens where ``tool_usage`` reports them, else it is counted.
    """
    counts: dict[str, int | None] = {}
    containers: dict[str, int] = {}
    for item in _output(root):
        kind = item.text("type", 64)
        if kind == "web_search_call" and _is_search(item):
            counts["web_search"] = (counts.get("web_search") or 0) + 1
        elif is_x_search(provider, kind, item.text("name", 64)):
            counts["social_search"] = (counts.get("social_search") or 0) + 1
        elif kind == "file_search_call":
            counts["file_search"] = (counts.get("file_search") or 0) + 1
        elif kind == "code_interpreter_call":
            containers[item.name("container_id", 256) or item.path] = _memory(root, "code_interpreter", "container")
        elif kind == "shell_call" and (hosted := item.node("environment")) is not None and hosted.has("container_id"):
            containers[hosted.name("container_id", 256) or item.path] = _memory(root, "shell", "environment")
        elif kind == "image_generation_call" and not root.has("tool_usage"):
            counts["image_generation"] = (counts.get("image_generation") or 0) + 1
    if containers:
        counts["code_execution"] = sum(containers.values())
    reported = root.node("tool_usage")
    search = reported.node("web_search") if reported is not None else None
    if search is not None:
        counts["web_search"] = search.count("num_requests")
    return counts


def _output(root: Node) -> list[Node]:
    """The items of the answer; what no item is told of is DashScope's own API, which has an object or a text there."""
    listed = isinstance(root.raw("output"), list | tuple) or root.raw("object") == "response"
    return root.nodes("output") if listed else []


def search_tool(provider: str, root: Node, searches: int | None) -> str | None:
    """``preview`` where the searches of a model without reasoning were made by the older tool, which has another price.

    The response repeats the tools: ``web_search_preview``, also with a date behind it. At Azure that is the tool's only
    name (platform.openai.com/docs/pricing, learn.microsoft.com/azure/ai-foundry/openai/how-to/web-search).
    """
    if provider != "openai" or not searches or not _WITHOUT_REASONING.match(root.name("model") or ""):
        return None
    older = any((tool.text("type", 64) or "").startswith("web_search_preview") for tool in root.nodes("tools"))
    return "preview" if older else None


def _memory(root: Node, kind: str, field: str) -> int:
    """GB of the containers that a tool was allowed: 1 unless the tool names a limit ("4g")."""
    for tool in root.nodes("tools"):
        if tool.text("type", 64) == kind and not isinstance(tool.raw(field), (str, type(None))):
            allowed = tool.node(field)
            limit = (None if allowed is None else allowed.text("memory_limit", 64)) or "1g"
            return int(limit[:-1]) if _GIGABYTES.fullmatch(limit) else 1
    return 1


def image_tool_usage(provider: str, root: Node) -> tuple[ExtractedUsage, ...]:
    """Tokens of the image model behind the image generation tool: they are not part of the response's own usage."""
    hosted = root.node("tool_usage")
    images = hosted.node("image_gen") if hosted is not None else None
    if images is None:
        return ()
    found = image_meters(images)
    if not found["input_tokens"] and not found["output_tokens"]:
        return ()
    found["cache_read_tokens"] = images.count("cached_tokens")
    cached = images.node("cached_tokens_details")
    if cached is not None:
        found["cache_read_image_tokens"] = cached.count("cached_image_tokens")
    named = [
        tool.name("model", unreadable=UNREADABLE)
        for tool in root.nodes("tools")
        if tool.text("type", 64) == "image_generation"
    ]
    model = next((name for name in named if name), UNNAMED_IMAGE_MODEL)
    return (ExtractedUsage(usage=token_usage(provider, found), response_model=model, operation="image"),)


def _is_search(call: Node) -> bool:
    action = call.node("action")
    return action is None or action.text("type", 64) in (None, "search")
