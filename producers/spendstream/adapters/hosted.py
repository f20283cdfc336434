"""Hosts of others' models that answer in a form of their own: IBM watsonx, Cloudflare Workers AI, Replicate.

- watsonx ``/ml/v1/text/generation`` (cloud.ibm.com/apidocs/watsonx-ai): ``results[].input_token_count`` and
  ``generated_token_count``; each event of a stream has the counts so far. Its chat has OpenAI's form.
- Cloudflare (developers.cloudflare.com/workers-ai): the answer stands in ``result``, its usage in OpenAI's form.
- Replicate's predictions (replicate.com/docs/reference/http): ``metrics.input_token_count`` and
  ``output_token_count``, once the prediction is done.
"""

from collections.abc import Mapping
from typing import Final, Literal

from spendstream.adapters import openai
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, token_usage, total
from spendstream_schemas.types import UNREADABLE

_FIELDS: Final = ("id", "model", "model_id", "results", "result", "metrics", "status", "error", "success")
_GOES_ON: Final = (None, "not_finished", "NOT_FINISHED")
_FAILURES: Final[dict[str, Literal["error", "cancelled"]]] = {"failed": "error", "canceled": "cancelled"}


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response."""
    answer = None if isinstance(root.raw("result"), (str, list)) else root.node("result")
    if answer is not None and answer.has("usage"):
        return openai.extract(provider, answer)
    metrics = root.node("metrics")
    if metrics is not None:
        meters = {
            "input_tokens": metrics.count("input_token_count"),
            "output_tokens": metrics.count("output_token_count"),
        }
    else:
        results = root.nodes("results")
        meters = {
            "input_tokens": total(*(item.count("input_token_count") for item in results)),
            "output_tokens": total(*(item.count("generated_token_count") for item in results)),
        }
    return ExtractedUsage(
        usage=token_usage(provider, {**meters}),
        response_model=root.name("model", unreadable=UNREADABLE) or root.name("model_id", unreadable=UNREADABLE),
        response_id=root.name("id", 256),
        operation="completion",
        status=_FAILURES.get(root.name("status", 64) or ""),
    )


def begins(known: Mapping[str, object], chunk: Node) -> bool:
    """Whether an event is of another response: watsonx says when one has ended."""
    return known.get("complete") is True and chunk.has("results")


def fold(known: dict[str, object], chunk: Node) -> None:
    """Add one stream event to what is known: the last counts win."""
    known |= {name: chunk.raw(name) for name in _FIELDS if chunk.has(name)}
    if chunk.has("results"):
        ended = [item.name("stop_reason", 64) for item in chunk.nodes("results")]
        known["complete"] = all(reason not in _GOES_ON for reason in ended)
