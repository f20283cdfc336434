"""Whether what a stream or a generator gives is no chunk of a response but a whole one, a call of its own.

Marks are only what no chunk of any API has. Forms whose last chunk looks like a whole response (Ollama, llama.cpp,
SGLang, TGI, watsonx, Gemini without ids) have none here: `StreamAccumulator` tells those by what came before.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from spendstream.adapters.langchain import type_of
from spendstream.adapters.openai import INPUT_TRANSCRIBED
from spendstream.adapters.reader import Node
from spendstream.adapters.registry import extract
from spendstream.adapters.result import AdapterError, ExtractedUsage
from spendstream.adapters.shapes import marked

_OBJECTS: Final = frozenset(
    {
        "chat.completion",
        "list",
        "response",
        "realtime.response",
        "video",
        "conversation.response",
        "rerank",
        "interaction",
        "batch",
    }
)
"""What responses say that they are; chunks say another, or nothing."""
_AT_ONCE: Final = (
    "embeddings", "embedding", "embeddings_by_type", "predictions", "generated_images", "usage_info", "custom_id",
)  # fmt: skip
"""What is never streamed: vectors, pictures, pages, the lines of a batch's file."""
_HEADER: Final = "x-amzn-bedrock-input-token-count"


def is_whole(chunk: object) -> bool:
    """Whether this is a whole response. False for what is none at all."""
    kind = chunk.get("object") if isinstance(chunk, Mapping) else getattr(chunk, "object", None)
    if isinstance(kind, str):  # most chunks, so first
        return kind in _OBJECTS
    kind = type_of(chunk)
    if isinstance(kind, str) and kind != "message":
        return kind in ("ai", INPUT_TRANSCRIBED)
    try:
        node = Node(chunk, "stream")
        if kind == "message":
            return node.has("stop_reason") and node.has("usage")
        if node.has(*_AT_ONCE):
            return True
        return not node.has("event_type") and any(one(node) for one in _FORMS)
    except AdapterError:
        return False


_NO_RESPONSES: Final = (str, bytes, bytearray, int, float, complex, type(None), BaseException)
_MAX_DEPTH: Final = 4


def items_in(listed: Iterable[object], depth: int = 0) -> Iterator[object]:
    """What may be a response in a list or tuple, and in those in it; vectors are not looked through."""
    for item in listed:
        if isinstance(item, _NO_RESPONSES):
            continue
        if not isinstance(item, list | tuple):
            yield item
        elif depth < _MAX_DEPTH and item and not isinstance(item[0], float):
            yield from items_in(item, depth + 1)


def found_in(provider: str, value: object) -> ExtractedUsage | None:
    """What a response says that stands among other things; None for anything else.

    Usage alone makes no response: beside one it is the same usage again, told apart. Raises AdapterError for a
    response that cannot be read.
    """
    whole = is_whole(value)
    try:
        found = extract(provider, value, salvage=True)
    except AdapterError:
        if whole:
            raise
        return None
    if whole or (found.usage is not None and (found.response_id or found.response_model)):
        return found
    return found if found.usage is not None and marked(Node(value, provider)) else None


def is_message_chunk(value: object) -> bool:
    """Whether this is a chunk of one of LangChain's messages."""
    return type_of(value) == "AIMessageChunk"


def _images(node: Node) -> bool:
    """OpenAI's, or an unnamed list with its usage; Nova Canvas, Titan and Stability."""
    listed = _is_list(node.raw("data")) and node.has("created", "usage")
    return listed or _is_list(node.raw("images")) or _is_list(node.raw("artifacts"))


def _results(node: Node) -> bool:
    """Rerank, Titan, moderations, recordings of Deepgram; not watsonx, whose chunks have results too."""
    beside = ("total_tokens", "usage", "input_text_token_count")
    if not node.has("results"):
        return False
    return node.has(*beside) or str(node.raw("id")).startswith("modr-") or _has_in(node, "metadata", "duration")


def _chat(node: Node) -> bool:
    """Converse and Nova; Cohere; Mistral's conversations; OpenAI's form without its name."""
    if node.has("output"):
        return node.has("stop_reason")
    if node.has("finish_reason"):
        return node.has("message")
    if node.has("outputs"):
        return node.has("usage")
    choices = node.raw("choices")
    if not _is_list(choices) or not choices:
        return False
    first = Node(choices[0], "choice")
    return first.has("message") and not first.has("delta")


def _transcription(node: Node) -> bool:
    return isinstance(node.raw("text"), str) and node.has("usage", "duration")


def _interaction(node: Node) -> bool:
    return node.has("status") and _has_in(node, "usage", "total_input_tokens")


def _others(node: Node) -> bool:
    """Cohere's embeddings and rerank; Llama on Bedrock; boto3's whole answer; Cloudflare, Replicate, xAI's video."""
    if _has_in(node, "meta", "billed_units") or _has_in(node, "metrics", "input_token_count"):
        return True
    if node.has("generation") and node.has("stop_reason"):  # of a stream, the first chunk has the prompt's tokens
        return node.has("prompt_token_count") and node.has("generation_token_count")
    if (http := node.raw("ResponseMetadata")) is not None and _has_in(Node(http, "http"), "HTTPHeaders", _HEADER):
        return True
    return (node.has("success") and _has_in(node, "result", "usage")) or _has_in(node, "video", "duration")


_FORMS: Final = (_chat, _interaction, _results, _images, _transcription, _others)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _has_in(node: Node, name: str, field: str) -> bool:
    value = node.raw(name)
    if value is None or _is_list(value) or isinstance(value, str | bytes | int | float):
        return False
    return Node(value, name).has(field)
