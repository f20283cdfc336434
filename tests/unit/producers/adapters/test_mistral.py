"""Mistral, from the SDK's classes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from mistralai.client import models

from spendstream.adapters import AdapterError, StreamAccumulator, extract, usage_event
from spendstream_schemas import ToolCalls
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import facts_of
from tests.unit.pricing.shipped import shipped_book as book
from tests.unit.producers.adapters.support import meters

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
CHAT: dict[str, Any] = {
    "id": "m1",
    "object": "chat.completion",
    "model": "mistral-large-2512",
    "created": 1,
    "choices": [],
    "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "service_tier": "priority"},
}


@pytest.mark.parametrize("response", [CHAT, models.ChatCompletionResponse.model_validate(CHAT)], ids=["dict", "sdk"])
def test_chat(response: object) -> None:
    """The tier stands inside the usage."""
    found = extract("mistral", response)
    assert meters(found) == {"input_tokens": 10, "output_tokens": 4}
    assert (found.service_tier, found.operation, found.response_id) == ("priority", "chat", "m1")


def test_a_zero_that_the_sdk_invented_is_absent() -> None:
    """The SDK fills absent counts with 0; an embedding has no output count, and a reported 0 stays."""
    body = {"id": "e", "object": "list", "model": "mistral-embed", "data": [], "usage": {"prompt_tokens": 7}}
    found = extract("mistral", models.EmbeddingResponse.model_validate(body))
    assert (found.operation, meters(found)) == ("embeddings", {"input_tokens": 7})
    body["usage"] = {"prompt_tokens": 7, "completion_tokens": 0}
    assert meters(extract("mistral", models.EmbeddingResponse.model_validate(body))) == {
        "input_tokens": 7,
        "output_tokens": 0,
    }


def test_transcription_reports_seconds() -> None:
    """Audio is billed by the second, beside its tokens."""
    body = {
        "model": "voxtral-mini",
        "text": "a",
        "language": None,
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8, "prompt_audio_seconds": 203},
    }
    found = extract("mistral", models.TranscriptionResponse.model_validate(body))
    assert found.operation == "transcription"
    assert meters(found) == {"input_tokens": 3, "output_tokens": 5, "input_audio_seconds": Decimal(203)}


def test_ocr_reports_pages() -> None:
    """Under usage_info."""
    body = {"model": "mistral-ocr", "pages": [], "usage_info": {"pages_processed": 29, "doc_size_bytes": 1}}
    found = extract("mistral", models.OCRResponse.model_validate(body))
    assert (found.operation, meters(found)) == ("ocr", {"input_pages": 29})


def page(*annotations: str | None) -> dict[str, Any]:
    box = {"top_left_x": 0, "top_left_y": 0, "bottom_right_x": 1, "bottom_right_y": 1}
    images = [{"id": str(n), **box, "image_annotation": one} for n, one in enumerate(annotations)]
    return {"index": 0, "markdown": "a", "images": images, "dimensions": None}


@pytest.mark.parametrize(
    ("more", "annotated"),
    [
        ({"document_annotation": '{"a": 1}'}, True),
        ({"pages": [page(), page(None, "{}")]}, True),
        ({"pages": [page("{}")], "document_annotation": "{}"}, True),
        ({"document_annotation": None, "pages": [page(None), page()]}, False),
        ({"document_annotation": ""}, False),
        ({}, False),
    ],
)
def test_pages_are_annotated_where_an_annotation_came(more: dict[str, Any], annotated: bool) -> None:
    """`usage_info` does not say it, and they cost three times as much."""
    body = {"model": "mistral-ocr-2505", "pages": [], "usage_info": {"pages_processed": 10}} | more
    counted = {"input_pages": 10} | ({"input_annotated_pages": 10} if annotated else {})
    for response in (body, models.OCRResponse.model_validate(body)):
        assert meters(extract("mistral", response)) == counted
    priced = book().price(facts_of(usage_event("mistral", body, source="svc", occurred_at=NOW)))
    assert priced.list_cost == 10 * PICO_PER_USD * (3 if annotated else 1) // 1000


USAGE = {"prompt_tokens": 188, "completion_tokens": 55, "total_tokens": 243}
CALLED: dict[str, tuple[dict[str, int] | None, list[str], ToolCalls | None, str | None]] = {
    "counted": ({"web_search": 1, "web_search_premium": 2}, [], ToolCalls(web_search=3), None),
    "counted and listed": ({"web_search": 1}, ["web_search", "web_search"], ToolCalls(web_search=1), None),
    "listed only": (None, ["web_search", "code_interpreter"], ToolCalls(web_search=1, code_execution=1), None),
    "listed beside others that are counted": (
        {"image_generation": 1},
        ["document_library"],
        ToolCalls(image_generation=1, file_search=1),
        None,
    ),
    "an unknown one, counted": ({"github_mcp": 2}, [], None, "github_mcp"),
    "an unknown one, listed": (None, ["jira", "jira"], None, "jira"),
    "unknown ones beside a search": ({"web_search": 1, "b": 1}, ["a"], ToolCalls(web_search=1), "a,b"),
    "an unknown one that was not called": ({"github_mcp": 0}, ["github_mcp"], None, None),
    "none": ({}, [], None, None),
}


@pytest.mark.parametrize("name", CALLED)
def test_no_call_of_a_connector_is_free_for_want_of_a_name_or_a_count(name: str) -> None:
    """Whole and in a stream: what the usage leaves out is counted as it was executed, and what nobody here knows is
    named in a condition that no price has."""
    counted, executed, tools, unknown = CALLED[name]
    usage = USAGE if counted is None else USAGE | {"connectors": counted}
    outputs = [{"type": "tool.execution", "name": one, "arguments": "secret"} for one in executed]
    outputs.append({"type": "function.call", "name": "web_search", "tool_call_id": "t", "arguments": "{}"})
    whole = extract("mistral", {"object": "conversation.response", "outputs": outputs[:-1], "usage": usage})
    stream = StreamAccumulator("mistral")
    for one in outputs:
        kind = {"tool.execution": "tool.execution.started", "function.call": "function.call.delta"}[one["type"]]
        stream.add({"event": kind, "data": one | {"type": kind, "output_index": 0}})
    stream.add({"data": {"type": "conversation.response.done", "usage": usage}})
    assert "secret" not in str(stream._known)
    for found in (whole, stream.result()):
        assert found.tool_calls == tools
        assert (found.conditions and found.conditions.search_context) == unknown
        event = usage_event("mistral", found, source="svc", model="mistral-large-2411", occurred_at=NOW)
        reason = book().price(facts_of(event)).reason
        assert (reason is None) == (unknown is None and (tools is None)), reason


def test_connector_tokens_are_input_beside_the_prompt() -> None:
    """188 + 55 + 7112 = 7355: the total shows that they stand outside."""
    usage = {
        "prompt_tokens": 188,
        "completion_tokens": 55,
        "total_tokens": 7355,
        "connector_tokens": 7112,
        "connectors": {"web_search": 1},
    }
    body = {"object": "conversation.response", "conversation_id": "conv", "outputs": [], "usage": usage}
    found = extract("mistral", models.ConversationResponse.model_validate(body))
    assert meters(found) == {"input_tokens": 7300, "tool_use_input_tokens": 7112, "output_tokens": 55}
    assert (found.tool_calls, found.response_id) == (ToolCalls(web_search=1), None)
    with pytest.raises(AdapterError, match="= 7355, but total_tokens = 7356"):
        extract("mistral", body | {"usage": usage | {"total_tokens": 7356}})


def test_a_turn_of_a_conversation_has_an_id_of_its_own() -> None:
    """The conversation's is shared by all of its turns: none of them would be told from the others."""
    usage = {"prompt_tokens": 188, "completion_tokens": 55, "total_tokens": 243}
    outputs = [{"type": "message.output", "id": f"msg_{n}", "content": "hi"} for n in (1, 2)]
    body = {"object": "conversation.response", "conversation_id": "conv_1", "outputs": outputs, "usage": usage}
    whole = extract("mistral", models.ConversationResponse.model_validate(body))
    assert (whole.response_id, whole.session_id) == ("msg_2", "conv_1")
    stream = StreamAccumulator("mistral")
    stream.add({"data": {"type": "conversation.response.started", "conversation_id": "conv_1"}})
    stream.add({"data": {"type": "message.output.delta", "id": "msg_3", "content": "h"}})
    stream.add({"data": {"type": "conversation.response.done", "usage": usage}})
    assert (stream.result().response_id, stream.result().session_id, meters(stream.result())) == (
        "msg_3",
        "conv_1",
        {"input_tokens": 188, "output_tokens": 55},
    )


def test_the_last_event_of_a_stream_has_the_usage() -> None:
    """The client wraps each chunk in an event with `data`."""
    chunk = CHAT | {"object": "chat.completion.chunk", "usage": None}
    stream = StreamAccumulator("mistral")
    stream.add(models.CompletionEvent.model_validate({"data": chunk}))
    assert (stream.result().usage, stream.result().response_model) == (None, "mistral-large-2512")
    stream.add(models.CompletionEvent.model_validate({"data": chunk | {"usage": CHAT["usage"]}}))
    assert meters(stream.result()) == {"input_tokens": 10, "output_tokens": 4}
    assert stream.result().service_tier == "priority"
