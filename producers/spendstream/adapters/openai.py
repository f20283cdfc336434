"""OpenAI, Azure OpenAI and the APIs compatible with them: tells the shape of a response and reads it.

Chat completions, legacy completions and embeddings are read here: platform.openai.com/docs/api-reference/chat/object.
``prompt_tokens`` includes cached tokens, ``completion_tokens`` includes reasoning and rejected prediction tokens, and
``service_tier`` is the tier that was served.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from spendstream.adapters import groq, litellm, openai_media, openai_plain, openai_responses, openai_video
from spendstream.adapters.anthropic import where_served
from spendstream.adapters.litellm import own_id
from spendstream.adapters.openai_compatible import (
    CORRECTIONS,
    beside_perplexitys_answer,
    by_total,
    cache_creation,
    created_in_details,
    explicit_cache,
    reported_tool_calls,
    search_context,
)
from spendstream.adapters.reader import Node
from spendstream.adapters.result import (
    AdapterError,
    ExtractedUsage,
    Meters,
    conditions,
    token_usage,
    tool_calls,
)
from spendstream.adapters.stated import stated_cost
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

_MAX_ID: Final = 256
_OPERATIONS: Final = {
    "chat.completion": "chat",
    "chat.completion.chunk": "chat",
    "text_completion": "completion",
    "response": "responses",
    "realtime.response": "realtime",
    "list": "embeddings",
    "video": "video",
}
SEARCHES: Final = re.compile(r"-search-(?:preview|api)(?:-|$)")
"""Models that search before they answer in chat, once, which no field counts:
platform.openai.com/docs/guides/tools-web-search."""
INPUT_TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"
UNNAMED_TRANSCRIBER: Final = "input_audio_transcription"
"""Stands for the model that transcribes what is said to a realtime model: billed by its own price, and not named in
the event, so its usage is unpriced instead of priced as the realtime model's (platform.openai.com/docs/api-reference/
realtime-server-events)."""
_ONE_SIDED: Final = ("embeddings", "rerank")


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response; a line of a batch's output file is taken too."""
    plain = None if provider == "groq" else openai_plain.usage_of(root)  # its choices list tools that it has executed
    if plain is not None:
        return _of_plain_chat(provider, root, plain)
    in_batch = root.node("response") if root.has("custom_id") else None
    if in_batch is None and (root.name("type", 64) or "").startswith("response.") and root.has("response"):
        whole = root.node("response")  # Realtime's response.done, response.completed of streams
        return _extract(provider, root if whole is None else whole)
    if root.raw("type") == INPUT_TRANSCRIBED:
        found = _extract(provider, root)
        return replace(found, response_model=UNNAMED_TRANSCRIBER, response_id=root.name("item_id", _MAX_ID))
    if root.raw("object") == "batch":  # the sum of its lines, once it is completed
        return replace(_extract(provider, root), service_tier="batch")
    if in_batch is None:
        failed = root.has("custom_id") and root.has("error")
        return ExtractedUsage(service_tier="batch", status="error") if failed else _extract(provider, root)
    # The body of a batched response reports the tier "default"; batch is what is billed.
    # platform.openai.com/docs/guides/batch
    body = in_batch.node("body")
    if body is None:
        raise AdapterError(f"{in_batch.path}.body: expected the response of a batch line, got nothing")
    return replace(_extract(provider, body), service_tier="batch")


def _of_plain_chat(provider: str, root: Node, usage: Node) -> ExtractedUsage:
    """What `_extract` would say of it."""
    meters = CORRECTIONS.get(provider, by_total)(usage, _chat_meters(usage))
    model = root.name("model", unreadable=UNREADABLE)
    return ExtractedUsage(
        usage=token_usage(provider, meters),
        response_model=model,
        response_id=own_id(root.name("id", _MAX_ID)),
        service_tier=normal_tier(provider, root.name("service_tier", 64, UNREADABLE)),
        tool_calls=tool_calls({"web_search": 1}) if model and SEARCHES.search(model) else None,
        operation="chat",
    )


def _extract(provider: str, root: Node) -> ExtractedUsage:
    usage = _usage(root)
    operation = _operation(root, usage)
    server = litellm.server_of(provider, root)
    meters: Meters = openai_media.unreported_meters(root, operation) if usage is None else {}
    size: str | None = None
    tools: dict[str, int | None] = {}
    also: tuple[ExtractedUsage, ...] = ()
    if operation == "video":
        meters, size = openai_video.video_meters(root), openai_video.video_size(root)
    elif operation == "image":
        meters = openai_media.image_meters(root, usage)
        also = openai_media.svg_usage(provider, root)
    elif usage is not None:
        meters = openai_media.transcription_meters(usage) if operation == "transcription" else _meters(usage)
        if operation in _ONE_SIDED and not usage.has("prompt_tokens", "input_tokens"):
            meters["input_tokens"] = usage.count("total_tokens")  # Voyage, Jina and vLLM's rerank report nothing else
        meters = _corrected(provider, server, usage, meters)
        tools = reported_tool_calls(usage)
        if operation == "chat" and tools.get("web_search") is None and SEARCHES.search(root.name("model") or ""):
            tools["web_search"] = 1
    told, beside = litellm.beside_the_usage(root, usage)
    tools = beside | {name: count for name, count in tools.items() if count is not None or name not in beside}
    listed = 0
    if operation == "responses":
        hosted = openai_responses.tool_counts(root, provider)
        tools, listed = hosted | tools, sum(count or 0 for count in hosted.values())
        also = openai_responses.image_tool_usage(provider, root)
    searched = search_context(usage, listed)
    if operation == "chat":
        executed, unknown = groq.executed(root)
        tools, searched = executed | tools, searched or unknown
    if operation == "responses":
        searched = searched or openai_responses.search_tool(provider, root, tools.get("web_search"))
    found = ExtractedUsage(
        response_model=root.name("model", unreadable=UNREADABLE),
        response_id=own_id(root.name("id", _MAX_ID)) or root.name("request_id", 256),
        service_tier=told or normal_tier(provider, _tier(root, usage)),
        conditions=conditions(
            search_context=searched,
            size=size,
            cache=None if usage is None else explicit_cache(usage),
            **({} if usage is None else where_served(usage)),
        ),
        operation=operation,
        session_id=openai_responses.conversation(root) if operation in ("responses", "realtime") else None,
    )
    if usage is not None:
        meters, advised = litellm.without_advisors(provider, usage, meters, found)
        also += advised
    # What a call cost as a whole is not the cost of one of the events that it becomes.
    cost, refused = (None, None) if usage is None or also else stated_cost(server, usage)
    return replace(
        found,
        usage=token_usage(provider, meters),
        tool_calls=tool_calls(tools),
        stated_cost_usd=cost,
        stated_cost_refused=refused,
        also=also,
        status=_status(root),
    )


def _corrected(provider: str, server: str, usage: Node, meters: Meters) -> Meters:
    """What the meters mean at this provider; LiteLLM makes them OpenAI's, but for what stands beside Perplexity's."""
    if provider != server and server == "perplexity":
        return beside_perplexitys_answer(usage, meters)
    return CORRECTIONS.get(provider, by_total)(usage, meters)


def _tier(root: Node, usage: Node | None) -> str | None:
    """The tier of the response; LiteLLM leaves Anthropic's in the usage."""
    said = root.name("service_tier", 64, UNREADABLE)
    return usage.name("service_tier", 64, UNREADABLE) if said is None and usage is not None else said


def _status(root: Node) -> Literal["error", "cancelled"] | None:
    """Responses say how they ended; an answer with an ``error`` in it (also under HTTP 200: OpenRouter) is one."""
    said = root.raw("status")
    if said == "failed" or root.has("error"):
        return "error"
    return "cancelled" if said == "cancelled" else None


def _usage(root: Node) -> Node | None:
    """The usage object; Groq's streams carry it in the last chunk's ``x_groq``: console.groq.com/docs/api-reference."""
    usage = root.node("usage")
    if usage is None and (groq := root.node("x_groq")) is not None:
        usage = groq.node("usage")
    return usage


def _operation(root: Node, usage: Node | None) -> str | None:
    kind = root.name("object", 64)
    listed = openai_media.kind_of_list(root) if kind in (None, "list") else None
    if kind is not None or listed is not None:
        return listed or _OPERATIONS.get(kind or "")
    event = root.name("type", 64) or ""
    if event.startswith(("image_generation.", "image_edit.")) or root.has("data"):
        return "image"
    if event.startswith("transcript.") or (usage is not None and usage.name("type", 64) in ("tokens", "duration")):
        return "transcription"
    if usage is None:
        return _operation_without_usage(root)
    return "responses" if usage.has("input_tokens", "output_tokens") else "chat"


def _operation_without_usage(root: Node) -> str | None:
    if (root.name("id", _MAX_ID) or "").startswith("modr-") and root.has("results"):
        return "moderation"
    if openai_media.is_transcript(root):
        return "transcription"
    return "video" if root.has("video") else None


def _meters(usage: Node) -> Meters:
    if usage.has("cache_creation_input_tokens") and not usage.has("prompt_tokens"):
        raise AdapterError(
            f"{usage.path}: expected OpenAI's usage, got Anthropic's (cache_creation_input_tokens): "
            "pass the provider that served the call"
        )
    return openai_responses.meters(usage) if usage.has("input_tokens", "output_tokens") else _chat_meters(usage)


def _chat_meters(usage: Node) -> Meters:
    meters: Meters = {
        "input_tokens": usage.count("prompt_tokens"),
        "cache_read_tokens": usage.count("cached_tokens"),  # Together reports it beside the totals
        "output_tokens": usage.count("completion_tokens"),
    }
    read = usage.node("prompt_tokens_details")
    if read is not None:
        cached = read.count("cached_tokens")
        meters |= {
            "cache_read_tokens": meters["cache_read_tokens"] if cached is None else cached,
            "input_audio_tokens": read.count("audio_tokens"),
            "input_image_tokens": read.count("image_tokens"),
            "input_video_tokens": read.count("video_tokens"),
        } | openai_responses.cache_writes(read)
    if usage.has("cache_creation_input_tokens"):
        meters |= cache_creation(usage, None if read is None else read.node("cache_creation_token_details"))
    else:
        meters |= created_in_details(read)
    written = usage.node("completion_tokens_details")
    if written is not None:
        meters |= {
            "reasoning_tokens": written.count("reasoning_tokens"),
            "output_audio_tokens": written.count("audio_tokens"),
            "output_image_tokens": written.count("image_tokens"),
            "accepted_prediction_tokens": written.count("accepted_prediction_tokens"),
            "rejected_prediction_tokens": written.count("rejected_prediction_tokens"),
        }
    return meters


_LAST_EVENTS: Final = ("response.completed", "response.failed", "response.incomplete")
_FAILURES: Final = ("error", "response.failed")
_CHUNK_FIELDS: Final = ("id", "model", "object", "service_tier", "usage", "x_groq", "custom_id", "response", "error")


def begins(known: Mapping[str, object], chunk: Node) -> bool:
    """Whether a chunk without an id is of another response: it has usage, and the one before it had said its last.

    A chat begins with the role, where that choice had finished and its usage is known: TGI has empty ids, and the role
    in each chunk.
    """
    if "usage" not in known:
        return False
    finished = known.get("finished")
    if not isinstance(finished, frozenset):
        return known.get("complete") is True and chunk.has("usage")
    spoken = [choice for choice in chunk.nodes("choices") if _place(choice) in finished]
    return any(delta.has("role") for choice in spoken if (delta := choice.node("delta")) is not None)


def _is_chat(known: Mapping[str, object]) -> bool:
    return str(known.get("object")).endswith(".chunk")


def _place(choice: Node) -> int:
    return choice.count("index") or 0


def _finished(known: Mapping[str, object], chunk: Node) -> frozenset[int]:
    """The choices that have come to their end so far."""
    before = known.get("finished")
    now = frozenset(_place(choice) for choice in chunk.nodes("choices") if choice.raw("finish_reason"))
    return now | before if isinstance(before, frozenset) else now


def fold(known: dict[str, object], chunk: Node) -> None:
    """Add one stream chunk to what is known.

    Chat: the last usage wins (with ``stream_options={"include_usage": true}`` it comes with the last chunk). Responses:
    each ``response.*`` event that carries the response replaces the one before; the last of them has the usage.
    """
    event = chunk.name("type", 64) or ""
    wrapped = chunk.node("chunk") if event == "chunk" else None
    if wrapped is not None:  # what the SDK's own stream helper yields
        fold(known, wrapped)
        return
    if event in _FAILURES:
        known["failed"] = True
    if event.startswith("response."):
        if chunk.has("response"):
            known["whole"] = chunk.raw("response")
            known["complete"] = event in _LAST_EVENTS
        return
    known |= {name: chunk.raw(name) for name in _CHUNK_FIELDS if chunk.raw(name) not in (None, "")}
    known |= litellm.kept(chunk)
    if known.get("x_groq") or chunk.path == "groq":
        groq.keep(known, chunk)
    if not chunk.raw("id") and _is_chat(known):
        known["finished"] = _finished(known, chunk)
    if event:
        known["type"] = event
    # Chat's usage chunk has no choices and comes last; some providers repeat running totals beside choices.
    if chunk.has("usage") and not chunk.raw("choices"):
        known["complete"] = True
