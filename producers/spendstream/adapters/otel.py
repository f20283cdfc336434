"""OpenTelemetry GenAI span attributes, in the spelling of the conventions and in those found in the wild.

github.com/open-telemetry/semantic-conventions-genai (status "Development"): ``gen_ai.usage.input_tokens`` includes
cache, ``gen_ai.usage.output_tokens`` includes reasoning. Aliases: earlier versions of the conventions, Traceloop's
OpenLLMetry, and OpenInference (``llm.token_count.*``). In each row below the first name that is present counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from spendstream.adapters.events import usage_event
from spendstream.adapters.names import canonical
from spendstream.adapters.reader import Node
from spendstream.adapters.result import AdapterError, ExtractedUsage, Meters, token_usage
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas import UsageEvent
from spendstream_schemas.types import UNREADABLE

_METERS: Final[dict[str, tuple[str, ...]]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "completion_tokens",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "input_audio_tokens": ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"),
    "input_image_tokens": ("gen_ai.usage.image.input_tokens",),
    "output_audio_tokens": ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"),
    "output_image_tokens": ("gen_ai.usage.image.output_tokens",),
    "cache_read_audio_tokens": ("gen_ai.usage.audio.cache_read.input_tokens",),
    "cache_read_image_tokens": ("gen_ai.usage.image.cache_read.input_tokens",),
}
_PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_REQUEST_MODEL: Final = ("gen_ai.request.model", "llm.model_name")
_SESSION: Final = ("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id")
_TIER: Final = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
_SUMS: Final = {
    "gen_ai.operation.name": {"invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "chain", "plan"},
    "openinference.span.kind": {"agent", "chain", "evaluator", "guardrail", "prompt", "retriever", "tool"},
    "traceloop.span.kind": {"agent", "task", "tool", "workflow"},
    "langsmith.span.kind": {"chain", "parser", "prompt", "retriever", "tool"},
    "ai.operationId": {"ai.generatetext", "ai.streamtext", "ai.generateobject", "ai.streamobject", "ai.toolcall"},
}
"""Spans around model calls, each of which has a span of its own: agents, chains, tools. Their usage is a sum.

semantic-conventions-genai (gen-ai-agent-spans), OpenInference, OpenLLMetry, LangSmith, Vercel's AI SDK."""
_OPERATIONS: Final = {"generate_content": "chat", "text_completion": "completion"}


@dataclass(frozen=True, slots=True)
class SpanUsage:
    """What a span says: also the provider (in the contract's spelling) and the model that was asked for.

    `sums_children`: it stands around calls that have spans of their own, and has no usage here.
    """

    provider: str | None
    model: str | None
    extracted: ExtractedUsage
    sums_children: bool = False


def extract_span(attributes: Mapping[str, Any]) -> SpanUsage:
    """Read the attributes of one span. Raises AdapterError when they cannot be read or contradict each other."""
    if not isinstance(attributes, Mapping):
        raise AdapterError(f"span: expected a mapping of attributes, got {type(attributes).__name__}")
    node = Node(attributes, "span")
    named = _first_text(node, _PROVIDER, 64)
    provider = None if named is None else canonical(named)
    sums_children = any(str(node.raw(name)).lower() in kinds for name, kinds in _SUMS.items())
    meters: Meters = {} if sums_children else {meter: _first_count(node, names) for meter, names in _METERS.items()}
    operation = node.name("gen_ai.operation.name", 64)
    return SpanUsage(
        provider=provider,
        model=_first_text(node, _REQUEST_MODEL, 128),
        sums_children=sums_children,
        extracted=ExtractedUsage(
            usage=token_usage(provider or "span", meters),
            response_model=node.name("gen_ai.response.model", unreadable=UNREADABLE),
            response_id=node.name("gen_ai.response.id", 256),
            service_tier=normal_tier(provider or "openai", _first_text(node, _TIER, 64)),
            session_id=next((one for name in _SESSION if (one := node.name(name)) is not None), None),
            status=_status(node),
            operation=None if operation is None else _OPERATIONS.get(operation, operation),
        ),
    )


def span_event(attributes: Mapping[str, Any], *, source: str, **fields: Any) -> UsageEvent:
    """The event for one span; `fields` as in `usage_event`.

    Raises AdapterError for a span that is no call of a model: it names no provider, or sums up its children.
    """
    span = extract_span(attributes)
    if span.sums_children:
        raise AdapterError("span: it stands around calls that have spans of their own; counting both counts twice")
    provider = fields.pop("provider", None) or span.provider
    if provider is None:
        raise AdapterError(f"span: expected the provider in one of {', '.join(_PROVIDER)}, found none of them")
    return usage_event(provider, span.extracted, source=source, model=fields.pop("model", None) or span.model, **fields)


def _status(node: Node) -> Literal["error"] | None:
    """``error.type`` is set if and only if the operation failed; exporters write the span's status beside it."""
    failed = node.has("error.type") or str(node.raw("otel.status_code")).upper() == "ERROR"
    return "error" if failed else None


def _first_count(node: Node, names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := node.count(name)) is not None), None)


def _first_text(node: Node, names: tuple[str, ...], limit: int) -> str | None:
    return next((text for name in names if (text := node.name(name, limit, UNREADABLE)) is not None), None)
