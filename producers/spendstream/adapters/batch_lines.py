"""Lines of the output files of batches: each wraps a response, which does not say itself that it comes of a batch.

platform.openai.com/docs/guides/batch (so Azure, Groq, Together, Mistral, DashScope), docs.fireworks.ai (batch
inference), ai.google.dev/gemini-api/docs/batch-api, docs.cloud.google.com/vertex-ai (batch inference with Gemini),
docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html, docs.x.ai (batch API). Results of Anthropic's
batches are objects of its SDK too: `anthropic` reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage

_MARKS: Final = frozenset({"custom_id", "key", "request", "recordId", "batch_request_id"})
_FAILED: Final = ExtractedUsage(service_tier="batch", status="error")
_HTTP_ERRORS: Final = 400


def extract(root: Node, read: Callable[[Node], ExtractedUsage]) -> ExtractedUsage | None:
    """What `read` says of the response inside of a line, in the tier ``batch``; None for what is no such line."""
    if not isinstance(root.value, Mapping) or _MARKS.isdisjoint(root.value) or root.has("result"):
        return None
    inside = _inside(root)
    if inside is None:
        return _FAILED if root.has("error") and not root.has("usage", "object", "type") else None
    if inside is _NO_RESPONSE:
        return _FAILED
    found = read(inside)
    also = tuple([replace(other, service_tier="batch") for other in found.also])
    return replace(found, service_tier="batch", also=also)  # whatever the response says: "default", mostly


_NO_RESPONSE: Final = Node({}, "")


def _inside(root: Node) -> Node | None:
    if root.has("record_id"):
        return _object(root, "model_output")
    if root.has("batch_request_id"):
        result = _object(root, "batch_result")
        answer = None if result is None else _object(result, "response")
        if result is not None and answer is None and result.has("error"):
            return _NO_RESPONSE
        return None if answer is None else _object(answer, "chat_get_completion")
    answer = _object(root, "response")
    if answer is None or not root.has("custom_id"):
        return answer
    if (answer.count("status_code") or 0) >= _HTTP_ERRORS:
        return _NO_RESPONSE
    return _object(answer, "body") or (None if answer.has("status_code") else answer)


def _object(place: Node, name: str) -> Node | None:
    return place.node(name) if isinstance(place.raw(name), Mapping) and place.raw(name) else None
