"""Servers that run models on one's own machines, in their native APIs: Ollama, llama.cpp, SGLang, TGI.

All of them, and vLLM, also serve OpenAI's API, which `openai` reads.

- Ollama ``/api/chat``, ``/api/generate``, ``/api/embed`` (docs.ollama.com/api): ``prompt_eval_count`` and
  ``eval_count``, in the last chunk of a stream; thinking is inside. A prompt that was answered from the cache may leave
  its count out.
- llama.cpp ``/completion`` (github.com/ggml-org/llama.cpp, tools/server): ``tokens_evaluated`` is the whole prompt,
  ``timings.cache_n`` how much of it was cached, ``tokens_predicted`` the answer.
- SGLang ``/generate`` (docs.sglang.ai): ``meta_info``. In a stream the counts are running totals.
- TGI ``/generate`` (huggingface.co/docs/text-generation-inference): ``details.generated_tokens``, and the prompt as
  ``details.input_length`` (streams) or by the items of ``details.prefill``, where it was asked for.
"""

from collections.abc import Mapping
from typing import Final

from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage
from spendstream_schemas.types import UNREADABLE

_OLLAMA_COUNTS: Final = ("model", "prompt_eval_count", "eval_count")
_OLLAMA_CONTENT: Final = ("message", "response", "embeddings", "embedding")  # only that it is there is kept
_OF_A_RESPONSE: Final = ("done", "content", "tokens_predicted", "meta_info", "token", "generated_text")
_NATIVE: Final = (
    "model", "id", "tokens_evaluated", "tokens_predicted", "timings", "meta_info", "details",
)  # fmt: skip


def extract_ollama(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response of Ollama's own API, or of the last chunk of a stream."""
    return ExtractedUsage(
        usage=token_usage(
            provider, {"input_tokens": root.count("prompt_eval_count"), "output_tokens": root.count("eval_count")}
        ),
        response_model=root.name("model", unreadable=UNREADABLE),
        operation=_ollama_operation(root),
    )


def _ollama_operation(root: Node) -> str | None:
    if root.has("embeddings", "embedding"):
        return "embeddings"
    if root.has("message"):
        return "chat"
    return "completion" if root.has("response", "done", "eval_count") else None


def fold_ollama(known: dict[str, object], chunk: Node) -> None:
    """Add one stream chunk to what is known: the counts come with the last one (``done``)."""
    known |= {name: chunk.raw(name) for name in _OLLAMA_COUNTS if chunk.has(name)}
    known |= {name: True for name in _OLLAMA_CONTENT if chunk.has(name)}
    if chunk.has("done"):
        known["done"] = chunk.raw("done")
        known["complete"] = known["done"] is True


def extract_native(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response of llama.cpp, SGLang or TGI in their own form."""
    meters, info, details = _llama_cpp(root), root.node("meta_info"), root.node("details")
    if info is not None:
        meters = {
            "input_tokens": info.count("prompt_tokens"),
            "cache_read_tokens": info.count("cached_tokens"),
            "output_tokens": info.count("completion_tokens"),
        }
    elif details is not None:
        prompt = details.count("input_length")
        meters = {
            "input_tokens": (len(details.nodes("prefill")) or None) if prompt is None else prompt,
            "output_tokens": details.count("generated_tokens"),
        }
    return ExtractedUsage(
        usage=token_usage(provider, meters),
        response_model=root.name("model", unreadable=UNREADABLE),
        response_id=root.name("id", 256) if info is None else info.name("id", 256),
        operation="completion",
    )


def _llama_cpp(root: Node) -> Meters:
    timings = root.node("timings")
    return {
        "input_tokens": root.count("tokens_evaluated"),
        "cache_read_tokens": None if timings is None else timings.count("cache_n"),
        "output_tokens": root.count("tokens_predicted"),
    }


def fold_native(known: dict[str, object], chunk: Node) -> None:
    """Add one stream chunk to what is known: the last counts win."""
    known |= {name: chunk.raw(name) for name in _NATIVE if chunk.has(name)}
    info = chunk.node("meta_info")
    if chunk.has("stop", "generated_text") or (info is not None and info.has("finish_reason")):
        known["complete"] = chunk.raw("stop") is not False


def begins(known: Mapping[str, object], chunk: Node) -> bool:
    """Whether a chunk, of which none has an id, is of another response than one that has ended."""
    return known.get("complete") is True and chunk.has(*_OF_A_RESPONSE)
