"""OpenTelemetry span attributes, official and in the wild."""

from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as names

from spendstream.adapters import AdapterError, extract_span, span_event
from spendstream_schemas import TokenUsage
from tests.unit.producers.adapters.support import meters

OFFICIAL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "gen_ai.usage.cache_write.input_tokens": 10,
    "gen_ai.usage.reasoning.output_tokens": 20,
    "gen_ai.usage.audio.input_tokens": 5,
    "gen_ai.usage.image.output_tokens": 7,
    "gen_ai.usage.text.input_tokens": 95,
    "openai.response.service_tier": "default",
}
EXPECTED = {
    "input_tokens": 100,
    "cache_read_tokens": 60,
    "cache_write_tokens": 10,
    "input_audio_tokens": 5,
    "output_tokens": 50,
    "reasoning_tokens": 20,
    "output_image_tokens": 7,
}


def test_official_names() -> None:
    """Input includes cache and output includes reasoning already."""
    span = extract_span(OFFICIAL)
    assert (span.provider, span.model) == ("openai", "gpt-5")
    assert meters(span.extracted) == EXPECTED
    assert span.extracted.response_model == "gpt-5-2025-08-07"
    assert (span.extracted.service_tier, span.extracted.operation) == ("standard", "chat")


@pytest.mark.parametrize(
    ("alias", "meter"),
    [
        ("gen_ai.usage.prompt_tokens", "input_tokens"),
        ("prompt_tokens", "input_tokens"),
        ("llm.token_count.prompt", "input_tokens"),
        ("gen_ai.usage.completion_tokens", "output_tokens"),
        ("completion_tokens", "output_tokens"),
        ("llm.token_count.completion", "output_tokens"),
        (names.GEN_AI_USAGE_INPUT_TOKENS, "input_tokens"),
        (names.GEN_AI_USAGE_OUTPUT_TOKENS, "output_tokens"),
    ],
)
def test_aliases_of_the_totals(alias: str, meter: str) -> None:
    """Each spelling alone is enough."""
    assert meters(extract_span({alias: 9}).extracted) == {meter: 9}


@pytest.mark.parametrize(
    ("alias", "meter"),
    [
        (names.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, "cache_read_tokens"),
        (names.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, "cache_write_tokens"),
        ("gen_ai.usage.cache_creation_input_tokens", "cache_write_tokens"),
        ("llm.token_count.prompt_details.cache_read", "cache_read_tokens"),
        ("llm.token_count.prompt_details.cache_write", "cache_write_tokens"),
        ("gen_ai.usage.reasoning_tokens", "reasoning_tokens"),
        (names.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, "reasoning_tokens"),
        ("llm.token_count.completion_details.reasoning", "reasoning_tokens"),
    ],
)
def test_aliases_of_the_parts(alias: str, meter: str) -> None:
    """Earlier conventions, Traceloop and OpenInference."""
    totals = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 10}
    assert meters(extract_span(totals | {alias: 9}).extracted)[meter] == 9


def test_the_official_name_wins_over_an_alias() -> None:
    """Instrumentations that emit both report the same thing twice: it is counted once."""
    attributes = {"llm.token_count.prompt": 11, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.prompt_tokens": 12}
    assert meters(extract_span(attributes).extracted) == {"input_tokens": 10}


@pytest.mark.parametrize(
    ("name", "provider"),
    [("gcp.vertex_ai", "google"), ("aws.bedrock", "aws"), ("az.ai.openai", "azure"), ("mistral_ai", "mistral"),
     ("x_ai", "x-ai"), ("Anthropic", "anthropic"), ("ibm.watsonx.ai", "ibm.watsonx.ai")],
)  # fmt: skip
def test_provider_names(name: str, provider: str) -> None:
    """The older attribute gen_ai.system carries them too; unknown ones pass through."""
    assert extract_span({"gen_ai.provider.name": name}).provider == provider
    assert extract_span({"gen_ai.system": name}).provider == provider


def test_the_tier_asked_for_does_not_count() -> None:
    """Only the response's tier is what was served."""
    assert extract_span({"openai.request.service_tier": "flex"}).extracted.service_tier is None


def test_a_span_becomes_an_event() -> None:
    """With the model that was asked for and the one that was served."""
    event = span_event(OFFICIAL, source="gateway", trace_id="t")
    assert (event.provider, event.model, event.response_model) == ("openai", "gpt-5", "gpt-5-2025-08-07")
    assert (event.source, event.trace_id, event.response_id) == ("gateway", "t", "chatcmpl-1")


@pytest.mark.parametrize(
    ("attributes", "session"),
    [
        ({"gen_ai.conversation.id": "conv_1", "session.id": "s"}, "conv_1"),
        ({"session.id": "s"}, "s"),
        ({"traceloop.association.properties.session_id": "t"}, "t"),
        ({"gen_ai.conversation.id": "c" * 129, "session.id": "s"}, "s"),
        ({"gen_ai.conversation.id": 7}, None),
        ({}, None),
    ],
)
def test_a_span_says_which_conversation_it_is_of(attributes: dict[str, Any], session: str | None) -> None:
    """The conventions' name counts before the others'; what cannot be one costs itself, not the counts."""
    event = span_event({"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5", **attributes}, source="s")
    assert event.session_id == session


def test_openinference_names_the_model() -> None:
    """llm.model_name stands for the model asked for."""
    attributes = {"llm.provider": "anthropic", "llm.model_name": "claude-opus-4-6", "llm.token_count.prompt": 1}
    assert span_event(attributes, source="s").model == "claude-opus-4-6"


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 6}, "part_exceeds_whole"),
        ({"gen_ai.usage.input_tokens": "5"}, "expected a whole number"),
        ([("a", 1)], "expected a mapping"),
        ({"gen_ai.request.model": "m"}, "expected the provider in one of"),
    ],
)
def test_spans_that_cannot_be_read(attributes: Any, says: str) -> None:
    """An instrumentation that leaves cache out of the input is not repaired by guessing."""
    with pytest.raises(AdapterError, match=says):
        span_event(attributes, source="s")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"error.type": "timeout"}, "error"),
        ({"otel.status_code": "ERROR"}, "error"),
        ({"otel.status_code": "OK"}, "ok"),
    ],
)
def test_a_failed_span_is_an_error(more: dict[str, Any], status: str) -> None:
    """`error.type` stands on failed operations only; the span's status counts where an exporter writes it."""
    attributes = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5}
    assert span_event(attributes | more, source="svc").status == status


@pytest.mark.parametrize(
    "more",
    [
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "create_agent"},
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.operation.name": "chain"},
        {"openinference.span.kind": "AGENT"},
        {"openinference.span.kind": "CHAIN"},
        {"traceloop.span.kind": "workflow"},
        {"langsmith.span.kind": "chain"},
        {"ai.operationId": "ai.generateText"},
    ],
)
def test_spans_around_calls_are_not_counted(more: dict[str, str]) -> None:
    """An agent's span sums up its children, each of which has a span of its own: counting both counts twice."""
    attributes = {"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
    assert span_event(attributes, source="svc", model="gpt-4o").usage is not None
    found = extract_span(attributes | more)
    assert (found.sums_children, found.extracted.usage) == (True, None)
    with pytest.raises(AdapterError, match="counts twice"):
        span_event(attributes | more, source="svc", model="gpt-4o")


@pytest.mark.parametrize(
    "more",
    [
        {"gen_ai.operation.name": "chat"},
        {"openinference.span.kind": "LLM"},
        {"ai.operationId": "ai.generateText.doGenerate"},
    ],
)
def test_spans_of_calls_are_counted(more: dict[str, str]) -> None:
    """Also where they say what kind they are."""
    attributes = {"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 10} | more
    assert span_event(attributes, source="svc", model="gpt-4o").usage == TokenUsage(kind="tokens", input_tokens=10)
