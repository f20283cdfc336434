"""Whose form a response has, whatever its provider is called.

Many providers answer in the form of another: OpenAI's above all, Anthropic's behind clouds and as a second API. So the
form of a response says how its counts are read, and the provider's name only what they mean there in particular.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal

from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node

Shape = Literal[
    "openai",
    "anthropic",
    "gemini",
    "interaction",
    "vertex_predict",
    "converse",
    "bedrock_invoke",
    "cohere",
    "ollama",
    "native",
    "hosted",
]

_TYPES: Final[Mapping[str, Shape]] = {
    "message": "anthropic",
    "message_start": "anthropic",
    "message_delta": "anthropic",
    "message-start": "cohere",
    "message-end": "cohere",
    "content-start": "cohere",
    "content-delta": "cohere",
    "content-end": "cohere",
    "tool-plan-delta": "cohere",
}
_OPENAI_OBJECTS: Final = ("chat.completion", "text_completion", "response", "realtime.response")
INVOCATION_METRICS: Final = "amazon-bedrock-invocationMetrics"
_MARKS: Final[Mapping[Shape, tuple[str, ...]]] = {
    "bedrock_invoke": (INVOCATION_METRICS, "input_text_token_count", "generation_token_count"),
    "ollama": ("prompt_eval_count", "eval_count"),
    "native": ("meta_info", "tokens_evaluated", "tokens_predicted", "generated_text"),
}
_PAIRS: Final[tuple[tuple[str, str, Shape], ...]] = (
    ("done", "created_at", "ollama"),
    ("custom_id", "result", "anthropic"),  # a result of a batch
)
_HINTS: Final[Mapping[Shape, tuple[str, ...]]] = {
    "converse": ("message_start", "content_block_delta", "message_stop"),
    "vertex_predict": ("predictions",),
}
_WITHIN: Final[tuple[tuple[str, str, Shape], ...]] = (
    ("meta", "billed_units", "cohere"),
    ("metadata", "usage", "converse"),
    ("result", "usage", "hosted"),
    ("metrics", "input_token_count", "hosted"),
    ("metrics", "output_token_count", "hosted"),
)


def marked(root: Node) -> Shape | None:
    """The form that a response names itself, or that no other API's responses have."""
    kind, what = root.raw("type"), root.raw("object")
    if kind is not None and not isinstance(kind, (str, Enum)):
        problem(f"{root.path}.type: expected text, got {type(kind).__name__}")
    if isinstance(kind, str) and kind in _TYPES:
        return _TYPES[kind]
    if isinstance(what, str) and (what.startswith(_OPENAI_OBJECTS) or what == "list"):
        return "openai"
    if root.has("usage", "event_type") or what == "interaction":  # the forms below have none of these
        return "interaction" if _is_interaction(root, what) else None
    if (usage := _part(root, "usage_metadata")) is not None and usage.has("prompt_token_count", "total_token_count"):
        return "gemini"
    paired = (shape for one, other, shape in _PAIRS if root.has(one) and root.has(other))
    return next(paired, None) or _first(root, _MARKS)


def _is_interaction(root: Node, what: object) -> bool:
    if what == "interaction" or str(root.raw("event_type")).startswith(("interaction.", "step.")):
        return True
    usage = _part(root, "usage")
    return usage is not None and usage.has("total_input_tokens", "total_output_tokens", "total_thought_tokens")


def recognised(root: Node) -> Shape | None:
    """The form that a response most likely has: also by the names of its counts. For providers that nobody knows."""
    shape = marked(root)
    if shape is None and (usage := _part(root, "usage")) is not None:
        return _by_counts(usage)
    for name, within, found in _WITHIN:
        if shape is None and (part := _part(root, name)) is not None and part.has(within):
            return found
    return shape or ("hosted" if _is_watsonx(root) else _first(root, _HINTS))


def _is_watsonx(root: Node) -> bool:
    items = root.raw("results")
    first = items[0] if isinstance(items, (list, tuple)) and items else None
    return isinstance(first, Mapping) and "generated_token_count" in first


def _first(root: Node, marks: Mapping[Shape, tuple[str, ...]]) -> Shape | None:
    return next((shape for shape, names in marks.items() if root.has(*names)), None)


def _by_counts(usage: Node) -> Shape | None:
    if usage.has("prompt_tokens", "completion_tokens"):
        return "openai"
    if usage.has("billed_units"):
        return "cohere"
    if usage.has("cache_creation_input_tokens", "cache_read_input_tokens") and not _is_camel(usage):
        return "anthropic"
    if _is_camel(usage):
        return "converse"
    return "openai" if usage.has("input_tokens", "output_tokens", "total_tokens") else None


def _is_camel(usage: Node) -> bool:
    return isinstance(usage.value, Mapping) and any(name in usage.value for name in ("inputTokens", "outputTokens"))


def _part(root: Node, name: str) -> Node | None:
    """A nested object; None for what is none: to tell a form apart nothing needs to be right."""
    value = root.raw(name)
    if value is None or isinstance(value, (str, bytes, bytearray, int, float, complex, list, tuple)):
        return None
    return root.node(name)
