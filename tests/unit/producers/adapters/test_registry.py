"""Every reader against hostile input: an ExtractedUsage that validates, or AdapterError."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream.adapters import (
    PROVIDERS,
    AdapterError,
    ExtractedUsage,
    StreamAccumulator,
    extract,
    extract_span,
    usage_events,
)
from spendstream_schemas import parse_usage_event
from tests.unit.producers.adapters import (
    test_anthropic,
    test_bedrock,
    test_cohere,
    test_gemini,
    test_mistral,
    test_openai,
    test_openai_responses,
)
from tests.unit.producers.adapters.forms import FORMS

FIELDS = [
    "id",
    "object",
    "type",
    "model",
    "usage",
    "data",
    "message",
    "response",
    "metadata",
    "delta",
    "custom_id",
    "result",
    "body",
    "x_groq",
    "service_tier",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "completion_tokens_details",
    "reasoning_tokens",
    "input_tokens_details",
    "cache_write_tokens",
    "cache_write_tokens_details",
    "ttl_30m_tokens",
    "output",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "iterations",
    "ephemeral_5m_input_tokens",
    "server_tool_use",
    "web_search_requests",
    "usageMetadata",
    "promptTokenCount",
    "candidates",
    "thoughtsTokenCount",
    "promptTokensDetails",
    "modality",
    "tokenCount",
    "groundingMetadata",
    "webSearchQueries",
    "inputTokens",
    "cacheDetails",
    "ttl",
    "serviceTier",
    "meta",
    "billed_units",
    "search_units",
    "image_tokens",
    "tokens",
    "prompt_audio_seconds",
    "seconds",
    "connector_tokens",
    "connectors",
    "gen_ai.usage.input_tokens",
    "gen_ai.provider.name",
    "tool_usage",
    "image_gen",
    "svg_usage",
    "prompt_eval_count",
    "eval_count",
    "done",
    "meta_info",
    "details",
    "prefill",
    "tokens_evaluated",
    "inputTextTokenCount",
    "results",
    "relevance_score",
    "tokenCount",
    "amazon-bedrock-invocationMetrics",
    "inputTokenCount",
    "ResponseMetadata",
    "HTTPHeaders",
    "x-amzn-bedrock-input-token-count",
    "images",
    "predictions",
    "generatedImages",
    "bytesBase64Encoded",
    "duration",
    "text",
]
KINDS = [
    "message",
    "message_start",
    "message_delta",
    "message-end",
    "compaction",
    "advisor_message",
    "response",
    "chat.completion",
    "list",
    "response.completed",
    "image_generation.completed",
    "transcript.text.done",
    "web_search_call",
    "tokens",
    "AUDIO",
    "5m",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 1000)
    | st.integers()
    | st.floats()
    | st.sampled_from(KINDS)
    | st.text(max_size=5)
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=25,
)


# Real payloads, to be damaged: purely random ones hardly ever get as far as a usage.
PAYLOADS: dict[str, list[dict[str, Any]]] = {
    **{provider: [test_openai.CHAT, test_openai_responses.RESPONSE] for provider in PROVIDERS},
    "anthropic": [test_anthropic.MESSAGE, {"type": "message_start", "message": test_anthropic.MESSAGE}],
    "google": [test_gemini.RESPONSE, test_anthropic.MESSAGE],
    "aws": [test_bedrock.RESPONSE, {"metadata": test_bedrock.RESPONSE}],
    "cohere": [test_cohere.CHAT, {"type": "message-end", "id": "c", "delta": {"usage": test_cohere.USAGE}}],
    "mistral": [test_mistral.CHAT, {"data": test_mistral.CHAT}],
    "nobody-knows-it": [body for bodies in FORMS.values() for body in bodies],
}
NAMES_OF_PROVIDERS = st.sampled_from([*PROVIDERS, "nobody-knows-it"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a payload."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def damaged(draw: st.DrawFn, provider: str) -> Any:
    """A real payload with up to three of its values replaced."""
    payload = copy.deepcopy(draw(st.sampled_from(PAYLOADS[provider])))
    for _ in range(draw(st.integers(0, 3))):
        *parents, last = draw(st.sampled_from(list(places(payload)) or [("usage",)]))
        holder = payload
        for key in parents:
            holder = holder[key]
        holder[last] = draw(st.integers(0, 3000) | SCALARS | ANY_JSON)
    return payload


def booked(provider: str, found: ExtractedUsage) -> None:
    """What was extracted becomes events that the consumer accepts as they are."""
    for event in usage_events(provider, found, source="s", model="m"):
        parsed = parse_usage_event(event.model_dump_json(exclude_none=True).encode())
        assert parsed.message == event
        assert parsed.unknown_fields == ()


@settings(max_examples=300)
@given(NAMES_OF_PROVIDERS, ANY_JSON)
def test_any_json_is_read_or_refused(provider: str, payload: Any) -> None:
    """No other error than AdapterError, and nothing that the contract would refuse."""
    with contextlib.suppress(AdapterError):
        booked(provider, extract(provider, payload))


@pytest.mark.slow
@settings(max_examples=400)
@given(st.data(), NAMES_OF_PROVIDERS)
def test_any_damaged_response_is_read_or_refused(data: st.DataObject, provider: str) -> None:
    """One wrong value gives a valid event without it, or an error, but never a third thing."""
    with contextlib.suppress(AdapterError):
        booked(provider, extract(provider, data.draw(damaged(provider))))


@pytest.mark.slow
@settings(max_examples=200)
@given(st.data(), NAMES_OF_PROVIDERS)
def test_any_stream_is_read_or_refused(data: st.DataObject, provider: str) -> None:
    """A bad chunk is refused alone; the result is valid or refused."""
    stream = StreamAccumulator(provider)
    for chunk in data.draw(st.lists(ANY_JSON | damaged(provider), max_size=4)):
        with contextlib.suppress(AdapterError):
            stream.add(chunk)
    with contextlib.suppress(AdapterError):
        booked(provider, stream.result())


@settings(max_examples=100)
@given(ANY_JSON)
def test_any_span_is_read_or_refused(attributes: Any) -> None:
    """Attributes come from other people's instrumentations."""
    with contextlib.suppress(AdapterError):
        booked("openai", extract_span(attributes).extracted)


class Exploding:
    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)  # pytest looks for a name to show
        raise RuntimeError("lazy field failed")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("response", [Exploding(), MagicMock(), object(), None, 1, "text", b"{}", [], {}, {"a": 1}])
def test_what_is_no_response_is_refused(provider: str, response: object) -> None:
    """Including mocks, which answer to every name, and objects whose properties raise."""
    with pytest.raises(AdapterError, match=provider):
        extract(provider, response)


@pytest.mark.parametrize("provider", ["", "  ", None, 7, b"openai"])
def test_what_is_no_name_of_a_provider_is_refused_with_the_list(provider: Any) -> None:
    """The message says which ids there are."""
    with pytest.raises(AdapterError, match="such as openai, azure, anthropic"):
        extract(provider, test_openai.CHAT)
    with pytest.raises(AdapterError, match="no adapter"):
        StreamAccumulator(provider)


RESPONSE_STARTED = {"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress"}}
MESSAGE_STARTED = {"type": "message_start", "message": test_anthropic.MESSAGE}
COHERE_FAILED = {"type": "message-end", "delta": {"finish_reason": "ERROR"}}
FAILED_STREAMS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "responses, error": ("openai", [RESPONSE_STARTED, {"type": "error", "code": "server_error", "message": "no"}]),
    "responses, error alone": ("openai", [{"type": "error", "code": "server_error", "message": "no"}]),
    "responses, failed": ("azure", [RESPONSE_STARTED, {"type": "response.failed", "response": {"id": "r"}}]),
    "chat": ("openai", [{"id": "c", "object": "chat.completion.chunk"}, {"error": {"message": "no", "code": 502}}]),
    "anthropic": (
        "anthropic",
        [
            {"type": "message_start", "message": test_anthropic.MESSAGE},
            {"type": "error", "error": {"type": "overloaded"}},
        ],
    ),
    "anthropic on aws": (
        "aws",
        [
            {"type": "message_start", "message": test_anthropic.MESSAGE},
            {"type": "error", "error": {"type": "overloaded"}},
        ],
    ),
    "anthropic, error alone": ("anthropic", [{"type": "error", "error": {"type": "overloaded_error"}}]),
    "google": ("google", [test_gemini.RESPONSE, {"error": {"code": 503, "status": "UNAVAILABLE"}}]),
    "cohere": (
        "cohere",
        [{"type": "message-start", "id": "c"}, COHERE_FAILED],
    ),
}


@pytest.mark.parametrize("name", FAILED_STREAMS)
def test_a_stream_that_says_that_it_failed_is_an_error(name: str) -> None:
    """Whatever was known before stays: it may be billed."""
    provider, chunks = FAILED_STREAMS[name]
    whole, stream = StreamAccumulator(provider), StreamAccumulator(provider)
    for chunk in chunks:
        stream.add(chunk)
    for chunk in chunks[:-1]:
        whole.add(chunk)
    assert stream.result().status == "error"
    assert stream.result().usage == whole.result().usage
