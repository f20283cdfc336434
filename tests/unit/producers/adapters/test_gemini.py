"""Gemini, from google-genai's classes (snake_case) and from REST payloads (camelCase)."""

from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from spendstream_schemas import ToolCalls
from tests.unit.producers.adapters.support import meters

USAGE: dict[str, Any] = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 600,
    "toolUsePromptTokenCount": 40,
    "candidatesTokenCount": 50,
    "thoughtsTokenCount": 200,
    "totalTokenCount": 1290,
    "trafficType": "PROVISIONED_THROUGHPUT",
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 700}, {"modality": "AUDIO", "tokenCount": 300}],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 30}],
}
RESPONSE: dict[str, Any] = {"modelVersion": "gemini-2.5-flash", "responseId": "r1", "usageMetadata": USAGE}
EXPECTED = {
    "input_tokens": 1040,
    "cache_read_tokens": 600,
    "input_audio_tokens": 300,
    "cache_read_audio_tokens": 100,
    "tool_use_input_tokens": 40,
    "output_tokens": 250,
    "reasoning_tokens": 200,
    "output_image_tokens": 30,
}


def grounded(model: str, *chunks: dict[str, Any]) -> dict[str, Any]:
    metadata = {"webSearchQueries": ["a", "b", ""], "groundingChunks": list(chunks)}
    return RESPONSE | {"modelVersion": model, "candidates": [{"groundingMetadata": metadata}]}


@pytest.mark.parametrize(
    "response", [RESPONSE, types.GenerateContentResponse.model_validate(RESPONSE)], ids=["camel", "sdk"]
)
def test_thoughts_and_tool_prompts_are_added(response: object) -> None:
    """Cached content is inside the prompt; thoughts and tool prompts stand outside of the counts."""
    found = extract("google", response)
    assert meters(found) == EXPECTED
    assert (found.response_model, found.response_id, found.operation) == ("gemini-2.5-flash", "r1", "chat")
    assert found.service_tier == "provisioned"


def test_thoughts_without_candidates_are_the_output() -> None:
    """Google leaves out a count of 0: a call that only thought still produced output."""
    usage = {"promptTokenCount": 5, "thoughtsTokenCount": 7}
    assert meters(extract("google", RESPONSE | {"usageMetadata": usage})) == {
        "input_tokens": 5,
        "output_tokens": 7,
        "reasoning_tokens": 7,
    }


@pytest.mark.parametrize(
    ("field", "reported", "served"),
    [
        ("trafficType", "ON_DEMAND", "standard"),
        ("trafficType", "ON_DEMAND_PRIORITY", "priority"),
        ("trafficType", "ON_DEMAND_FLEX", "flex"),
        ("trafficType", "ON_DEMAND_OFFPEAK", "offpeak"),
        ("trafficType", "TRAFFIC_TYPE_UNSPECIFIED", None),
        ("serviceTier", "flex", "flex"),
        ("serviceTier", "unspecified", "standard"),
        ("trafficType", "SOMETHING_NEW", "something_new"),
    ],
)
def test_tiers(field: str, reported: str, served: str | None) -> None:
    """Vertex AI reports traffic types, the Developer API service tiers."""
    usage = {"promptTokenCount": 5, field: reported}
    assert extract("google", RESPONSE | {"usageMetadata": usage}).service_tier == served


@pytest.mark.parametrize(("model", "searches"), [("gemini-2.5-pro", 1), ("gemini-3-pro", 2)])
def test_grounding_is_billed_per_prompt_or_per_query(model: str, searches: int) -> None:
    """Up to 2.5 a grounded prompt is one unit; later models pay for each query that is not empty."""
    response = types.GenerateContentResponse.model_validate(grounded(model))
    assert extract("google", response).tool_calls == ToolCalls(web_search=searches)


def test_a_query_counts_once_over_all_chunks_and_candidates() -> None:
    """A stream may name its queries with every chunk, and add some."""
    stream = StreamAccumulator("google")
    for queries in (["a"], ["a", "b"], ["b", ""]):
        metadata = {"groundingMetadata": {"webSearchQueries": queries}}
        stream.add({"modelVersion": "gemini-3-pro-preview", "candidates": [metadata, metadata]})
    assert stream.result().tool_calls == ToolCalls(web_search=2)


@given(chunks=st.lists(st.lists(st.sampled_from(["", "a", "b", "c", "A"])), max_size=6))
def test_each_query_is_billed_once_however_it_is_told(chunks: list[list[str]]) -> None:
    """Over any chunks and repetitions: the number of different texts, the empty one not counted."""
    stream = StreamAccumulator("google")
    stream.add({"modelVersion": "gemini-3-pro-preview"})
    for queries in chunks:
        stream.add({"candidates": [{"groundingMetadata": {"webSearchQueries": queries}}]})
    unique = len({query for queries in chunks for query in queries if query})
    assert stream.result().tool_calls == (ToolCalls(web_search=unique) if unique else None)


def test_grounding_in_maps_is_a_tool_of_its_own() -> None:
    """It is told by the chunks that came from maps."""
    found = extract("google", grounded("gemini-2.5-pro", {"maps": {"title": "x"}}))
    assert found.tool_calls == ToolCalls(web_search=1, maps_grounding=1)


def test_the_last_usage_of_a_stream_counts() -> None:
    """Every chunk carries cumulative usage; grounding seen earlier stays known."""
    stream = StreamAccumulator("google")
    stream.add(types.GenerateContentResponse.model_validate({"responseId": "r1", "modelVersion": "gemini-2.5-flash"}))
    assert stream.result().usage is None
    first = grounded("gemini-2.5-flash") | {"usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 1}}
    first["candidates"][0]["content"] = {"parts": [{"text": "secret"}]}
    stream.add(types.GenerateContentResponse.model_validate(first))
    stream.add(types.GenerateContentResponse.model_validate(RESPONSE))
    found = stream.result()
    assert meters(found) == EXPECTED
    assert found.tool_calls == ToolCalls(web_search=1)
    assert "secret" not in repr(vars(stream))


def test_embeddings_report_tokens_or_characters() -> None:
    """Vertex AI counts tokens per text (declared as floats) and billable characters per request."""
    body = {
        "embeddings": [{"values": [0.1], "statistics": {"tokenCount": 4.0}}, {"statistics": {"tokenCount": 3.0}}],
        "metadata": {"billableCharacterCount": 31},
    }
    found = extract("google", types.EmbedContentResponse.model_validate(body))
    assert found.operation == "embeddings"
    assert meters(found) == {"input_tokens": 7, "input_characters": 31}


def test_embeddings_of_the_developer_api_report_usage_metadata() -> None:
    """There the usage stands where chat has it."""
    body = {"embeddings": [{"values": [0.1]}], "usageMetadata": {"promptTokenCount": 9}}
    found = extract("google", types.EmbedContentResponse.model_validate(body))
    assert (found.operation, meters(found)) == ("embeddings", {"input_tokens": 9})


def test_more_cached_than_read_is_refused() -> None:
    """The cache is inside the prompt."""
    with pytest.raises(AdapterError, match="part_exceeds_whole"):
        extract("google", RESPONSE | {"usageMetadata": {"promptTokenCount": 5, "cachedContentTokenCount": 6}})
