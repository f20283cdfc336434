"""`langchain`: messages of any chat model, whole and in chunks."""

from types import SimpleNamespace
from typing import Any

import pytest

from spendstream.adapters import StreamAccumulator, extract, usage_event
from spendstream_schemas import TokenUsage, ToolCalls
from tests.unit.producers.recorder import Recorder, tokens


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def message(**fields: Any) -> dict[str, Any]:
    return {"type": "ai", "content": "x", "response_metadata": {"model_name": "gpt-4o-2024-08-06"}, **fields}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}, {"input_tokens": 100, "output_tokens": 20}),
        (
            {
                "input_tokens": 100,
                "output_tokens": 20,
                "input_token_details": {"cache_read": 40, "cache_creation": 10, "audio": 5},
                "output_token_details": {"reasoning": 7, "audio": 2},
            },
            {
                "input_tokens": 100,
                "cache_read_tokens": 40,
                "cache_write_tokens": 10,
                "input_audio_tokens": 5,
                "output_tokens": 20,
                "reasoning_tokens": 7,
                "output_audio_tokens": 2,
            },
        ),
        (
            {
                "input_tokens": 100,
                "output_tokens": 20,
                "input_token_details": {"flex_cache_read": 40, "flex": 60},
                "output_token_details": {"flex_reasoning": 7, "flex": 13},
            },
            {"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 20, "reasoning_tokens": 7},
        ),
        (
            {
                "input_tokens": 100,
                "output_tokens": 20,
                "input_token_details": {
                    "cache_creation": 0,
                    "ephemeral_5m_input_tokens": 30,
                    "ephemeral_1h_input_tokens": 20,
                },
            },
            {
                "input_tokens": 100,
                "cache_write_tokens": 0,
                "cache_write_5m_tokens": 30,
                "cache_write_1h_tokens": 20,
                "output_tokens": 20,
            },
        ),
    ],
)
def test_the_details_are_parts_of_their_wholes(usage: dict[str, Any], expected: dict[str, Any]) -> None:
    """LangChain's rule is the contract's: input includes cache, output includes reasoning."""
    assert extract("openai", message(usage_metadata=usage)).usage == TokenUsage(kind="tokens", **expected)


def test_ids_tier_and_tools_are_the_providers() -> None:
    """What LangChain counts nowhere stands in `response_metadata`; an id that it made itself is none."""
    metadata = {
        "id": "msg_1",
        "model": "claude-sonnet-4-5",
        "usage": {"service_tier": "priority", "server_tool_use": {"web_search_requests": 2}},
    }
    usage = {"input_tokens": 10, "output_tokens": 2}
    found = extract("anthropic", message(id="lc_run--1", usage_metadata=usage, response_metadata=metadata))
    assert (found.response_id, found.response_model, found.service_tier) == ("msg_1", "claude-sonnet-4-5", "priority")
    assert found.tool_calls == ToolCalls(web_search=2)
    assert extract("openai", message(id="run-1", usage_metadata=usage)).response_id is None


def test_the_usage_of_chunks_adds_up() -> None:
    """As LangChain's own `+` of chunks does."""
    stream = StreamAccumulator("anthropic")
    for usage, metadata in (
        ({"input_tokens": 100, "output_tokens": 0, "input_token_details": {"cache_read": 40}}, {"model_name": "m-1"}),
        (None, {}),
        ({"input_tokens": 0, "output_tokens": 20, "input_token_details": {"cache_read": 0}}, {"stop_reason": "end"}),
    ):
        stream.add({"type": "AIMessageChunk", "content": "x", "usage_metadata": usage, "response_metadata": metadata})
    found = stream.result()
    assert found.usage == TokenUsage(kind="tokens", input_tokens=100, cache_read_tokens=40, output_tokens=20)
    assert found.response_model == "m-1"


def test_a_structured_answer_has_its_message_beside_it() -> None:
    """`with_structured_output(..., include_raw=True)` answers with a dict."""
    raw = message(usage_metadata={"input_tokens": 3, "output_tokens": 4})
    event = usage_event("openai", {"raw": raw, "parsed": {"a": 1}, "parsing_error": None}, source="svc", model="gpt-4o")
    assert event.usage == TokenUsage(kind="tokens", input_tokens=3, output_tokens=4)


def test_a_message_without_usage_is_unknown_usage() -> None:
    """It is booked as unpriced, not as nothing."""
    assert extract("openai", message(usage_metadata=None)).usage is None


class LLMResult:
    """As LangChain's: an answer for each question, and the choices of each."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.generations = [[SimpleNamespace(message=answer, text="secret")] * 2 for answer in answers]


def test_what_holds_several_messages() -> None:
    """`batch`, `generate` and an agent's state: an event for each answer, in the state only for those since the last
    question, for the ones before were counted when they came."""

    def answer(number: int) -> dict[str, Any]:
        usage = {"input_tokens": 10, "output_tokens": number, "total_tokens": 10 + number}
        return message(usage_metadata=usage, response_metadata={"id": f"c{number}", "model_name": "gpt-4o"})

    question, tool = {"type": "human", "content": "secret"}, {"type": "tool", "content": "secret"}
    state = {"messages": [question, answer(9), question, answer(1), tool, answer(2)]}
    responses: list[Any] = [state, LLMResult(answer(1), answer(2)), [answer(1), answer(2)]]
    for response in responses:
        recorder = Recorder()
        with recorder.track(provider="openai", model="gpt-4o") as call:
            assert call.record(response) is response
        assert [(event.response_id, tokens(event)) for event in recorder.events] == [("c1", (10, 1)), ("c2", (10, 2))]


def test_the_events_of_an_agent() -> None:
    """`astream_events`: each model call's end is an event of ours; the chunks before it and the chain's end are not."""
    recorder = Recorder()
    events: list[dict[str, Any]] = []
    for number in (1, 2):
        usage = {"input_tokens": 10, "output_tokens": number, "total_tokens": 10 + number}
        answer = message(usage_metadata=usage, response_metadata={"id": f"c{number}", "model_name": "gpt-4o"})
        events.append({"event": "on_chat_model_stream", "run_id": "r", "data": {"chunk": answer}})
        events.append({"event": "on_chat_model_end", "run_id": "r", "data": {"output": answer}})
    events.append({"event": "on_chain_end", "run_id": "r", "data": {"output": {"messages": []}}})
    with recorder.track(provider="openai", model="gpt-4o") as call:
        assert list(call.wrap_stream(iter(events))) == events
    assert [(event.response_id, tokens(event)) for event in recorder.events] == [("c1", (10, 1)), ("c2", (10, 2))]
    assert recorder._counters.keyed()[2] == {}


def test_runs_are_told_apart_by_langchains_own_ids(recorder: Recorder) -> None:
    """The sum of a stream's chunks is its call; another run with equal usage is another, as classifications have it."""
    usage = {"input_tokens": 100, "output_tokens": 1, "total_tokens": 101}
    runs = [f"lc_run--01a223fe-b79d-72ce-9c6b-{number:012x}" for number in range(3)]

    def chunks(run: str) -> list[dict[str, Any]]:
        return [
            message(id=run) | {"type": "AIMessageChunk"},
            message(id=run, usage_metadata=usage, chunk_position="last") | {"type": "AIMessageChunk"},
        ]

    with recorder.track(provider="openai", model="gpt-4o") as call:
        for run in runs[:2]:
            for _ in call.wrap_stream(iter(chunks(run))):
                pass
            call.record(message(id=run, usage_metadata=usage))
        call.record(message(id=f"{runs[2]}-0", usage_metadata=usage))
    assert [tokens(event) for event in recorder.events] == [(100, 1)] * 3
