"""Whole responses that a generator yields or a list holds: each is a call of its own, as `record` in a loop has it."""

import asyncio
import copy
from collections.abc import Generator
from typing import Any

import pytest

from tests.unit.producers.adapters import forms
from tests.unit.producers.adapters.test_events_page import KNOWN, OTHER_FORMS
from tests.unit.producers.provider_server import chat
from tests.unit.producers.recorder import Recorder, tokens

Body = dict[str, Any]

WHOLES: dict[str, tuple[str, Body]] = {
    **{f"{name} {place}": (name, body) for name, found in forms.FORMS.items() for place, body in enumerate(found)},
    **{name: (provider, body) for name, (_, provider, body) in OTHER_FORMS.items()},
    **{name: (provider, body) for name, (provider, body, _) in KNOWN.items()},
}


def said(recorder: Recorder) -> list[Body]:
    apart = {"event_id", "occurred_at", "latency_ms"}
    return [event.model_dump(exclude=apart) for event in recorder.events]


@pytest.mark.parametrize("way", ["yielded", "listed"])
@pytest.mark.parametrize("name", WHOLES)
def test_every_form_that_is_yielded_is_a_call_of_its_own(name: str, way: str) -> None:
    """The events of three responses are those that recording them one after another gives."""
    provider, body = WHOLES[name]
    bodies = [copy.deepcopy(body) for _ in range(3)]
    for number, one in enumerate(bodies):
        if one.get("type") == "message":
            one.setdefault("stop_reason", "end_turn")
        for candidate in one.get("candidates", []):
            candidate.setdefault("finishReason", "STOP")
        if "id" in one:
            one["id"] = f"r{number}"
        if "responseId" in one:
            one["responseId"] = f"r{number}"
    one_by_one, found = Recorder(), Recorder()
    with one_by_one.track(provider=provider, model="m") as call:
        for one in bodies:
            call.record(one)
    with found.track(provider=provider, model="m") as call:
        if way == "listed":
            call.wrap_stream(bodies)
        else:
            list(call.wrap_stream(one for one in bodies))
    assert said(found) == said(one_by_one)
    assert found._counters.keyed() == one_by_one._counters.keyed()


OLLAMA = {"model": "llama3", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": "x"}}
GEMINI = {"content": {"parts": [{"text": "x"}]}, "index": 0}
TITAN = {"outputText": "x", "index": 0}
METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 10, "outputTokenCount": 2}}
WATSONX = {"model_id": "m", "created_at": "2026-01-01T00:00:00Z"}


def _gemini(written: int, *, finished: bool) -> Body:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": written, "totalTokenCount": 10 + written}
    candidate = GEMINI | ({"finishReason": "STOP"} if finished else {})
    return {"modelVersion": "gemini-2.5-flash", "candidates": [candidate], "usageMetadata": usage}


def _watsonx(written: int, reason: str) -> Body:
    counts = {"input_token_count": 10, "generated_token_count": written, "stop_reason": reason}
    return WATSONX | {"results": [counts]}


CHUNKS: dict[str, tuple[str, list[Body]]] = {
    "ollama": (
        "ollama",
        [OLLAMA | {"done": False}, OLLAMA | {"done": True, "prompt_eval_count": 10, "eval_count": 2}],
    ),
    "llama.cpp": (
        "llama.cpp",
        [{"content": "x", "stop": False}, {"content": "", "stop": True, "tokens_evaluated": 10, "tokens_predicted": 2}],
    ),
    "sglang": (
        "sglang",
        [
            {"text": "x", "meta_info": {"prompt_tokens": 10, "completion_tokens": 1, "finish_reason": None}},
            {"text": "xx", "meta_info": {"prompt_tokens": 10, "completion_tokens": 2, "finish_reason": {"type": "x"}}},
        ],
    ),
    "tgi": (
        "tgi",
        [
            {"token": {"text": "x"}, "generated_text": None, "details": None},
            {"token": {}, "generated_text": "x", "details": {"input_length": 10, "generated_tokens": 2}},
        ],
    ),
    "watsonx": ("watsonx", [_watsonx(1, "not_finished"), _watsonx(2, "eos_token")]),
    "gemini": ("google", [_gemini(1, finished=False), _gemini(2, finished=True)]),
    "gemini, which says in each chunk that it has finished": (
        "google",
        [_gemini(1, finished=True), _gemini(2, finished=True)],
    ),
    "titan": ("aws", [TITAN, TITAN | {"totalOutputTextTokenCount": 2, "inputTextTokenCount": 10} | METRICS]),
    "llama": (
        "aws",
        [
            {"generation": "x", "prompt_token_count": 10, "generation_token_count": 1, "stop_reason": None},
            {"generation": "", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": "stop"}
            | METRICS,
        ],
    ),
    "converse": (
        "aws",
        [{"messageStart": {"role": "assistant"}}, {"metadata": {"usage": {"inputTokens": 10, "outputTokens": 2}}}],
    ),
    "transcription": (
        "openai",
        [
            {"type": "transcript.text.delta", "delta": "x"},
            {"type": "transcript.text.done", "usage": {"type": "tokens", "input_tokens": 10, "output_tokens": 2}},
        ],
    ),
}
"""Streams in forms without ids, the last chunks of which may look like whole responses."""


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("form", CHUNKS)
def test_chunks_are_not_mistaken_for_whole_responses(form: str, times: int) -> None:
    """One stream is one call, also of forms without ids; and so is each of several, one after another."""
    provider, chunks = CHUNKS[form]
    recorder = Recorder()
    with recorder.track(provider=provider, model="m") as call:
        list(call.wrap_stream(chunk for _ in range(times) for chunk in chunks))
    assert [tokens(event) for event in recorder.events] == [(10, 2)] * times
    assert {event.status for event in recorder.events} == {"ok"}


def test_a_stream_and_whole_responses_in_one_generator() -> None:
    """What is streamed is one call beside them."""
    recorder = Recorder()
    vectors = {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 5}}
    with recorder.track(provider="ollama", model="m") as call:
        list(call.wrap_stream(chunk for chunk in [vectors, *CHUNKS["ollama"][1], {**vectors}]))
    assert sorted(tokens(event)[0] or 0 for event in recorder.events) == [5, 5, 10]


A, B = chat(id="a"), chat(id="b")
VECTORS: Body = {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 5}}
HOLDERS: dict[str, tuple[Any, list[str | None]]] = {
    "a list": ([A, B], ["a", "b"]),
    "a tuple with its text": ((A, "text"), ["a"]),
    "text before it": (("text", A), ["a"]),
    "places": ([(0, A), (1, B)], ["a", "b"]),
    "lists of lists": ([[A], [B]], ["a", "b"]),
    "exceptions among them": ([A, ValueError("x"), None, 3, B], ["a", "b"]),
    "its usage beside it": ((A, A["usage"], {"usage": A["usage"]}), ["a"]),
    "a record of the service's own": ((A, {"id": "user-1", "name": "x"}, object(), {"text": "x"}), ["a"]),
    "twice the same": ((A, A), ["a"]),
    "vectors without ids": ([VECTORS, dict(VECTORS)], [None, None]),
    "a vector beside it": (([0.1, 0.2], A), ["a"]),
}


@pytest.mark.parametrize("way", ["recorded", "returned", "awaited", "returned at last"])
@pytest.mark.parametrize("name", HOLDERS)
def test_responses_among_other_things(name: str, way: str) -> None:
    """Each is an event, and what is no response is passed over, silently."""
    held, ids = HOLDERS[name]
    recorder = Recorder()
    tracker = recorder.track(provider="openai", model="m")
    if way == "recorded":
        with tracker as call:
            assert call.record(held) is held
    elif way == "returned":
        assert tracker(lambda: held)() is held
    elif way == "awaited":

        @tracker
        async def answer() -> Any:
            return held

        assert asyncio.run(answer()) is held
    else:

        @tracker
        def generator() -> Generator[Any, None, Any]:
            yield from ()
            return held

        steps: Any = generator()
        with pytest.raises(StopIteration) as end:
            next(steps)
        assert end.value.value is held
    assert [event.response_id for event in recorder.events] == ids
    assert not recorder._counters.keyed()[2]


@pytest.mark.parametrize("held", [["text"], [[0.1] * 3], (1, None), [{"name": "x"}]])
def test_a_list_without_a_response_says_so(held: Any) -> None:
    """As anything that is none does; the call has its event."""
    recorder = Recorder()
    with recorder.track(provider="openai", model="m") as call:
        call.record(held)
    assert recorder.only.response_id is None
    assert recorder._counters.keyed()[2] == {"unreadable_response": 1}


def test_what_a_generator_streams_and_then_returns() -> None:
    """The final response of the stream is the same call; another one is a further call; other values are passed
    over."""
    chunk = chat(object="chat.completion.chunk", id="a", choices=[])

    def generator(returned: Any) -> Generator[Any, None, Any]:
        yield chunk
        return returned

    for returned, ids in ((A, ["a"]), (B, ["a", "b"]), ("text", ["a"]), ({"answer": 1}, ["a"])):
        recorder = Recorder()
        list(recorder.track(provider="openai", model="m")(generator)(returned))
        assert [event.response_id for event in recorder.events] == ids
        assert not recorder._counters.keyed()[2]


def test_chunks_of_langchain_that_come_with_their_origin() -> None:
    """LangGraph's `stream_mode="messages"`, and messages with their place (`batch_as_completed`)."""
    usage: Any = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
    chunk: Body = {"type": "AIMessageChunk", "id": "run-1", "content": "x", "response_metadata": {}}
    message = chunk | {"type": "ai", "id": None, "usage_metadata": usage}
    chunks = [chunk, chunk | {"usage_metadata": usage}]
    recorder = Recorder()
    with recorder.track(provider="openai", model="m") as call:
        list(call.wrap_stream((one, {"langgraph_node": "agent"}) for one in chunks))
    with recorder.track(provider="openai", model="m") as call:
        list(call.wrap_stream((place, dict(message)) for place in (1, 0)))
    assert [tokens(event) for event in recorder.events] == [(10, 2)] * 3
    assert not recorder._counters.keyed()[2]


def test_what_realtime_transcribes_is_billed_beside_its_responses() -> None:
    """By the model that transcribes, which the event does not name: unpriced instead of the realtime model's price."""
    kind = "conversation.item.input_audio_transcription.completed"
    usage = {"type": "tokens", "input_tokens": 13, "output_tokens": 9, "total_tokens": 22}
    heard = {"type": kind, "event_id": "e", "item_id": "item_1", "content_index": 0, "transcript": "x", "usage": usage}
    whole = {"object": "realtime.response", "id": "r1", "status": "completed", "usage": {"input_tokens": 100}}
    recorder = Recorder()
    with recorder.track(provider="openai", model="gpt-realtime") as call:
        list(call.wrap_stream(iter([heard, {"type": "response.done", "response": whole}])))
    found = {(event.response_id, event.response_model, event.operation, tokens(event)) for event in recorder.events}
    assert found == {
        ("item_1", "input_audio_transcription", "transcription", (13, 9)),
        ("r1", None, "realtime", (100, None)),
    }
