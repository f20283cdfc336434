"""AWS Bedrock InvokeModel: each maker's own body, and what Bedrock itself says about the call.

Bedrock counts every call: in the headers of the response (``x-amzn-bedrock-input-token-count`` and its siblings) and,
in a stream, in the last chunk's ``amazon-bedrock-invocationMetrics``
(docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html). As in Converse, cache reads and writes stand
outside of the input and are added. Bodies of Anthropic, of OpenAI and of Nova are read by those modules.

- Titan: ``inputTextTokenCount``, ``results[].tokenCount``; in streams ``totalOutputTextTokenCount``. Embeddings have
  only the input.
- Llama: ``prompt_token_count``, ``generation_token_count``.
- Image models (Titan, Nova Canvas, Stability): the images are counted.
- What else has no counts (Mistral, Cohere): the headers' are all there is; give the response of boto3, not its body.
"""

import json
from collections.abc import Mapping
from typing import Final

from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node
from spendstream.adapters.result import AdapterError, ExtractedUsage, Meters, token_usage, total
from spendstream.adapters.shapes import INVOCATION_METRICS

_HEADERS: Final = {
    "input": "x-amzn-bedrock-input-token-count",
    "output": "x-amzn-bedrock-output-token-count",
    "read": "x-amzn-bedrock-cache-read-input-token-count",
    "written": "x-amzn-bedrock-cache-write-input-token-count",
}
_METRICS: Final = {
    "input": "input_token_count",
    "output": "output_token_count",
    "read": "cache_read_input_token_count",
    "written": "cache_write_input_token_count",
}
_FIELDS: Final = (
    "input_text_token_count", "total_output_text_token_count", "prompt_token_count", "generation_token_count",
    INVOCATION_METRICS,
)  # fmt: skip


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one body (decoded JSON) or of boto3's whole response, whose headers have the counts."""
    http = root.node("ResponseMetadata")
    headers = None if http is None else http.node("HTTPHeaders")
    meters = _body(root)
    if (metrics := root.node(INVOCATION_METRICS)) is not None:
        meters |= _counted({ours: metrics.count(name) for ours, name in _METRICS.items()})
    elif not any(count is not None for count in meters.values()) and headers is not None:
        meters = _counted({ours: _header(headers, name) for ours, name in _HEADERS.items()})
    return ExtractedUsage(
        usage=token_usage(provider, meters),
        response_id=root.name("id", 256) if http is None else http.name("RequestId", 256),
        operation=_operation(root),
    )


def _operation(root: Node) -> str | None:
    if root.has("embedding", "embeddings", "embeddings_by_type"):
        return "embeddings"
    if _pictures(root) is not None:
        return "image"
    return "completion" if root.has(*_FIELDS, "results", "outputs", "generations", "completion") else None


def _body(root: Node) -> Meters:
    written = total(*(item.count("token_count") for item in root.nodes("results")))
    return {
        "input_tokens": _first(root.count("input_text_token_count"), root.count("prompt_token_count")),
        "output_tokens": _first(
            written, root.count("total_output_text_token_count"), root.count("generation_token_count")
        ),
        "output_images": _pictures(root),
    }


def _pictures(root: Node) -> int | None:
    for name in ("images", "artifacts"):
        found = root.raw(name)
        if isinstance(found, (list, tuple)):
            return len(found)
    return None


def _counted(counts: Mapping[str, int | None]) -> Meters:
    uncached = counts["input"]
    return {
        "input_tokens": None if uncached is None else total(uncached, counts["read"], counts["written"]),
        "cache_read_tokens": counts["read"],
        "cache_write_tokens": counts["written"],
        "output_tokens": counts["output"],
    }


def _header(headers: Node, name: str) -> int | None:
    text = headers.text(name, 32)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        problem(f"{headers.path}.{name}: expected a whole number, got text of length {len(text)}")
        return None
    return Node({"count": int(text)}, f"{headers.path}.{name}").count("count")


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def decoded(chunk: Node) -> Node:
    """The JSON that an event of InvokeModelWithResponseStream carries as bytes; any other chunk as it is."""
    part = chunk.raw("chunk")
    data = part.get("bytes") if isinstance(part, Mapping) else None
    if not isinstance(data, (bytes, bytearray)):
        return chunk
    try:
        return Node(json.loads(data), f"{chunk.path}.chunk.bytes")
    except (ValueError, RecursionError):
        raise AdapterError(
            f"{chunk.path}.chunk.bytes: expected JSON, got {len(data)} bytes of something else"
        ) from None


def begins(known: Mapping[str, object], chunk: Node) -> bool:
    """Whether a chunk is of another response: Bedrock's metrics stand in the last one."""
    return INVOCATION_METRICS in known and chunk.has(*_FIELDS, "output_text", "generation")


def fold(known: dict[str, object], chunk: Node) -> None:
    """Add one stream chunk to what is known: the last counts win."""
    known |= {name: chunk.raw(name) for name in _FIELDS if chunk.has(name)}
