"""OpenAI chat, embeddings and batch lines, from the SDK's own classes and from plain dicts."""

from typing import Any

import pytest
from openai.lib.streaming.chat import ChunkEvent
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from spendstream.adapters import AdapterError, ExtractedUsage, StreamAccumulator, extract, is_whole, usage_event
from tests.unit.producers.adapters.support import meters

USAGE: dict[str, Any] = {
    "prompt_tokens": 1000,
    "completion_tokens": 300,
    "total_tokens": 1300,
    "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 120,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 7,
    },
}
CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5-2025-08-07",
    "service_tier": "default",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": USAGE,
}
EXPECTED = {
    "input_tokens": 1000,
    "cache_read_tokens": 600,
    "cache_write_tokens": 100,
    "input_audio_tokens": 0,
    "output_tokens": 300,
    "reasoning_tokens": 120,
    "output_audio_tokens": 0,
    "accepted_prediction_tokens": 0,
    "rejected_prediction_tokens": 7,
}


def chunk(**fields: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-5",
        "choices": [],
    } | fields


@pytest.mark.parametrize("response", [CHAT, ChatCompletion.model_validate(CHAT)], ids=["dict", "sdk"])
def test_chat_totals_already_include_their_parts(response: object) -> None:
    """Cached tokens are inside prompt_tokens and reasoning is inside completion_tokens: nothing is added."""
    found = extract("openai", response)
    assert meters(found) == EXPECTED
    assert (found.response_model, found.response_id) == ("gpt-5-2025-08-07", "chatcmpl-1")
    assert (found.service_tier, found.operation) == ("standard", "chat")


def test_an_absent_part_is_not_zero() -> None:
    """Without details there are two meters and no zeros."""
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert meters(extract("openai", ChatCompletion.model_validate(CHAT | {"usage": usage}))) == {
        "input_tokens": 5,
        "output_tokens": 2,
    }


@pytest.mark.parametrize(
    ("reported", "served"),
    [("default", "standard"), ("fast", "priority"), ("priority", "priority"), ("flex", "flex"), ("auto", None),
     ("scale", "scale"), ("ultrafast", "ultrafast"), (None, None)],
)  # fmt: skip
def test_the_tier_served_counts(reported: str | None, served: str | None) -> None:
    """'auto' says what was asked for and is no tier; unknown tiers pass through for pricing to judge."""
    assert extract("openai", CHAT | {"service_tier": reported}).service_tier == served


def test_embeddings_have_input_only() -> None:
    """An embedding response gives input tokens; there is no output to report."""
    body = {
        "object": "list",
        "data": [],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    found = extract("azure", CreateEmbeddingResponse.model_validate(body))
    assert meters(found) == {"input_tokens": 8}
    assert found.operation == "embeddings"


def test_a_batch_line_is_billed_as_batch() -> None:
    """The body of a batched response says tier 'default'; the batch price applies."""
    line = {"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "body": CHAT}, "error": None}
    found = extract("openai", line)
    assert (found.service_tier, meters(found)) == ("batch", EXPECTED)


def test_the_last_chunk_carries_the_usage() -> None:
    """Chunks before it have usage null; the model and tier come from any chunk."""
    stream = StreamAccumulator("openai")
    stream.add({"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": []})  # Azure's first chunk
    stream.add(ChatCompletionChunk.model_validate(chunk(usage=None)))
    stream.add(ChatCompletionChunk.model_validate(chunk(service_tier="priority")))
    stream.add(ChatCompletionChunk.model_validate(chunk(usage=USAGE)))
    found = stream.result()
    assert meters(found) == EXPECTED
    assert (found.response_model, found.service_tier, found.operation) == ("gpt-5", "priority", "chat")


def test_events_of_the_sdks_stream_helper_are_unwrapped() -> None:
    """It yields each chunk inside an event, and further events that carry no usage."""
    stream = StreamAccumulator("openai")
    stream.add(ChunkEvent.construct(type="chunk", chunk=ChatCompletionChunk.model_validate(chunk(usage=USAGE))))
    stream.add({"type": "content.done", "content": "secret"})
    assert meters(stream.result()) == EXPECTED
    assert stream.result().operation == "chat"


def test_a_cut_stream_keeps_what_is_known() -> None:
    """Cut before the last chunk: usage is unknown, not zero, and model and id stay known."""
    stream = StreamAccumulator("openai")
    stream.add(chunk())
    assert stream.result() == ExtractedUsage(response_model="gpt-5", response_id="chatcmpl-1", operation="chat")


def test_a_stream_without_any_chunk_gives_nothing() -> None:
    """Cut before the first chunk is no error."""
    assert StreamAccumulator("openai").result() == ExtractedUsage()


@pytest.mark.parametrize(
    ("usage", "says"),
    [
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}}, "part_exceeds_whole"),
        ({"prompt_tokens_details": {"cached_tokens": 6}}, "part_without_whole"),
        ({"prompt_tokens": -1}, r"openai\.usage\.prompt_tokens: expected a count"),
        ({"prompt_tokens": "5"}, "expected a whole number, got str"),
        ({"prompt_tokens": True}, "expected a whole number, got True"),
        ({"prompt_tokens": 1.5}, "expected a whole number, got 1.5"),
        ({"prompt_tokens": 10**5000}, "expected a count"),
        ({"prompt_tokens": 5, "prompt_tokens_details": [1]}, "expected an object with named fields, got list"),
        ({"input_tokens": 5, "cache_creation_input_tokens": 1}, "got Anthropic's"),
        ([], "expected an object with named fields, got list"),
    ],
)
def test_bad_numbers_are_named_not_repaired(usage: object, says: str) -> None:
    """The message names the field or the contradiction."""
    with pytest.raises(AdapterError, match=says):
        extract("openai", CHAT | {"usage": usage})


@pytest.mark.parametrize(
    ("response", "status", "tier"),
    [
        ({"custom_id": "a", "response": None, "error": {"code": "batch_expired"}}, "error", "batch"),
        ({"custom_id": "a", "response": {"status_code": 400, "body": {"error": {"message": "no"}}}}, "error", "batch"),
        ({"error": {"code": 502, "message": "Upstream"}}, "error", None),
        ({"object": "response", "id": "r", "status": "failed", "error": {"code": "server_error"}}, "error", None),
        ({"object": "response", "id": "r", "status": "cancelled"}, "cancelled", None),
        ({"object": "response", "id": "r", "status": "incomplete", "error": None}, None, None),
        (CHAT, None, "default"),
    ],
)
def test_a_failure_says_so(response: dict[str, Any], status: str | None, tier: str | None) -> None:
    """Failed batch lines and responses, and errors under HTTP 200, are failures; the event carries it."""
    found = extract("openai", response)
    assert found.status == status
    if tier == "batch":
        assert found.service_tier == "batch"
    event = usage_event("openai", response, source="svc", model="gpt-4o")
    assert event.status == (status or "ok")


@pytest.mark.parametrize("field", ["id", "model", "service_tier", "object"])
@pytest.mark.parametrize("value", [12345, "x" * 300, "a\nb", {"a": 1}], ids=str)
def test_a_name_that_cannot_be_read_costs_no_counts(field: str, value: object) -> None:
    """Tier and model say so, so that nothing is priced as another; an id is left out."""
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    found = extract("openai", {"object": "chat.completion", "id": "c", "model": "gpt-4o", "usage": usage, field: value})
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (10, 2)
    assert found.response_id == (None if field == "id" else "c")
    assert found.response_model == ("unreadable" if field == "model" else "gpt-4o")
    assert found.service_tier == ("unreadable" if field == "service_tier" else None)


@pytest.mark.parametrize("output", [{"text": "hi"}, {"choices": []}, "hi"])
def test_an_output_that_is_no_list(output: object) -> None:
    """DashScope's own API puts an object there: it holds no tool calls, and the counts are read beside it."""
    body = {"request_id": "r", "output": output, "usage": {"input_tokens": 10, "output_tokens": 2}}
    found = extract("dashscope", body)
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens, found.response_id) == (10, 2, "r")


def test_a_batch_object_is_priced_as_a_batch() -> None:
    """The object of `client.batches.retrieve` sums up its lines, which are billed at the batch's price."""
    usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, "output_tokens_details": {}}
    batch = {"object": "batch", "id": "batch_1", "model": "gpt-5", "status": "completed", "usage": usage}
    found = extract("openai", batch)
    assert (found.service_tier, found.response_model, found.response_id) == ("batch", "gpt-5", "batch_1")
    assert meters(found) == {"input_tokens": 100, "output_tokens": 20}
    assert is_whole(batch)
