"""Mistral, from the SDK's classes."""

from decimal import Decimal
from typing import Any

import pytest
from mistralai.client import models

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from spendstream_schemas import ToolCalls
from tests.unit.producers.adapters.support import meters

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
    assert extract("mistral", models.ConversationResponse.model_validate(body)).response_id == "msg_2"
    stream = StreamAccumulator("mistral")
    stream.add({"data": {"type": "conversation.response.started", "conversation_id": "conv_1"}})
    stream.add({"data": {"type": "message.output.delta", "id": "msg_3", "content": "h"}})
    stream.add({"data": {"type": "conversation.response.done", "usage": usage}})
    assert (stream.result().response_id, meters(stream.result())) == (
        "msg_3",
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
