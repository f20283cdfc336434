"""OpenAI's Responses API, realtime, and the hosted tools."""

from typing import Any

import pytest
from openai.types.responses import Response, ResponseCompletedEvent, ResponseCreatedEvent

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from spendstream.adapters.openai_responses import UNNAMED_IMAGE_MODEL
from spendstream_schemas import ToolCalls
from tests.unit.producers.adapters.support import meters

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1.0,
    "model": "gpt-5.6",
    "service_tier": "flex",
    "status": "completed",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "output": [
        {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"type": "search", "query": "a"}},
        {"type": "web_search_call", "id": "w2", "status": "completed", "action": {"type": "open_page", "url": "u"}},
        {"type": "file_search_call", "id": "f1", "status": "completed", "queries": ["a"]},
        {"type": "code_interpreter_call", "id": "c1", "status": "completed", "container_id": "k", "code": "1"},
        {"type": "code_interpreter_call", "id": "c2", "status": "completed", "container_id": "k", "code": "2"},
    ],
    "usage": {
        "input_tokens": 900,
        "input_tokens_details": {
            "cached_tokens": 400,
            "cache_write_tokens": 300,
            "cache_write_tokens_details": {"ttl_30m_tokens": 100, "ttl_12h_tokens": 150},
        },
        "output_tokens": 80,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 980,
    },
}
EXPECTED = {
    "input_tokens": 900,
    "cache_read_tokens": 400,
    "cache_write_tokens": 50,
    "cache_write_30m_tokens": 100,
    "cache_write_12h_tokens": 150,
    "output_tokens": 80,
    "reasoning_tokens": 64,
}


@pytest.mark.parametrize("response", [RESPONSE, Response.model_validate(RESPONSE)], ids=["dict", "sdk"])
def test_cache_writes_are_split_by_lifetime(response: object) -> None:
    """What the split leaves over was written with a lifetime that is not reported."""
    found = extract("openai", response)
    assert meters(found) == EXPECTED
    assert (found.service_tier, found.operation, found.response_id) == ("flex", "responses", "resp_1")


def test_only_billable_tool_calls_are_counted() -> None:
    """Opening a page is not a search; two calls in one container are one container."""
    assert extract("openai", RESPONSE).tool_calls == ToolCalls(web_search=1, file_search=1, code_execution=1)


def test_reported_searches_win_over_counted_ones() -> None:
    """tool_usage counts billable searches, so 0 there means none, whatever the output lists."""
    hosted = {"web_search": {"num_requests": 0}}
    assert extract("openai", RESPONSE | {"tool_usage": hosted}).tool_calls == ToolCalls(
        web_search=0, file_search=1, code_execution=1
    )


@pytest.mark.parametrize(
    ("tool", "counted"),
    [
        ({"type": "code_interpreter", "container": {"type": "auto"}}, 2),
        ({"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "1g"}}, 2),
        ({"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "4g"}}, 5),
        ({"type": "code_interpreter", "container": "cntr_1"}, 2),
        ({"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "lots"}}, 2),
    ],
)
def test_a_container_counts_by_its_memory(tool: dict[str, Any], counted: int) -> None:
    """Calls in one container are one; one of 4 GB costs as much as four of 1 GB; a hosted shell has one of its own."""
    shell = {"type": "shell_call", "environment": {"type": "container_reference", "container_id": "s"}}
    local = {"type": "shell_call", "environment": {"type": "local"}}
    body = RESPONSE | {"tools": [tool, {"type": "shell"}], "output": [*RESPONSE["output"], shell, local]}
    found = extract("openai", body).tool_calls
    assert found is not None
    assert found.code_execution == counted


@pytest.mark.parametrize(
    ("tools", "model"),
    [([{"type": "image_generation", "model": "gpt-image-1.5"}], "gpt-image-1.5"), ([], UNNAMED_IMAGE_MODEL)],
)
def test_tokens_of_the_image_tool_are_usage_of_another_model(tools: list[object], model: str) -> None:
    """They are not part of the response's own usage and are billed at the image model's prices."""
    images = {
        "input_tokens": 50,
        "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
        "output_tokens": 1000,
        "output_tokens_details": {"image_tokens": 1000, "text_tokens": 0},
        "total_tokens": 1050,
    }
    found = extract("openai", RESPONSE | {"tools": tools, "tool_usage": {"image_gen": images}})
    assert meters(found) == EXPECTED
    (other,) = found.also
    assert other.response_model == model
    assert meters(other) == {
        "input_tokens": 50,
        "input_image_tokens": 40,
        "output_tokens": 1000,
        "output_image_tokens": 1000,
    }


def test_the_completed_event_ends_the_stream() -> None:
    """response.created has no usage yet; response.completed carries the whole response."""
    started = RESPONSE | {"usage": None, "output": [], "service_tier": "auto", "status": "in_progress"}
    stream = StreamAccumulator("openai")
    stream.add(
        ResponseCreatedEvent.model_validate({"type": "response.created", "sequence_number": 0, "response": started})
    )
    cut = stream.result()
    assert (cut.usage, cut.response_model, cut.response_id, cut.service_tier) == (None, "gpt-5.6", "resp_1", None)
    stream.add({"type": "response.output_text.delta", "delta": "secret", "sequence_number": 1})
    stream.add(
        ResponseCompletedEvent.model_validate(
            {"type": "response.completed", "sequence_number": 2, "response": RESPONSE}
        )
    )
    assert meters(stream.result()) == EXPECTED


@pytest.mark.parametrize(
    ("said", "session"),
    [
        ({"conversation": {"id": "conv_1"}}, "conv_1"),
        ({"conversation": None}, None),
        ({"conversation": {"id": 5}}, None),
        ({"conversation_id": "conv_2"}, "conv_2"),
        ({"conversation": {"id": "c" * 129}}, None),
        ({}, None),
    ],
)
def test_the_conversation_of_a_response_is_its_session(said: dict[str, Any], session: str | None) -> None:
    """As the object or, in Realtime, by its id; what cannot be one costs itself alone."""
    found = extract("openai", {"id": "r", "object": "response", "usage": {"input_tokens": 3}} | said)
    assert (found.session_id, meters(found)) == (session, {"input_tokens": 3})


def test_realtime_reports_cached_audio() -> None:
    """Realtime uses the singular names and splits cached tokens by modality."""
    usage = {
        "input_tokens": 100,
        "output_tokens": 60,
        "input_token_details": {
            "cached_tokens": 40,
            "audio_tokens": 70,
            "text_tokens": 30,
            "cached_tokens_details": {"audio_tokens": 25, "text_tokens": 15},
        },
        "output_token_details": {"audio_tokens": 50, "text_tokens": 10},
    }
    found = extract("openai", {"object": "realtime.response", "id": "r", "usage": usage})
    assert found.operation == "realtime"
    assert meters(found) == {
        "input_tokens": 100,
        "cache_read_tokens": 40,
        "input_audio_tokens": 70,
        "cache_read_audio_tokens": 25,
        "output_tokens": 60,
        "output_audio_tokens": 50,
    }


def test_a_split_larger_than_its_whole_is_refused() -> None:
    """Cache writes by lifetime cannot exceed all cache writes."""
    details = {
        "cached_tokens": 0,
        "cache_write_tokens": 10,
        "cache_write_tokens_details": {"ttl_30m_tokens": 8, "ttl_12h_tokens": 3},
    }
    usage = {"input_tokens": 100, "output_tokens": 1, "input_tokens_details": details}
    with pytest.raises(AdapterError, match="add up to 11, more than all cache writes, 10"):
        extract("openai", RESPONSE | {"usage": usage})
