"""Anthropic messages, streams, batches and beta iterations."""

import math
from typing import Any

import pytest
from anthropic.types import Message, RawMessageDeltaEvent, RawMessageStartEvent
from anthropic.types.beta import BetaMessage
from hypothesis import given
from hypothesis import strategies as st

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from spendstream_schemas import Conditions, ToolCalls
from tests.unit.producers.adapters.support import meters

USAGE: dict[str, Any] = {
    "input_tokens": 10,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    "service_tier": "priority",
    "inference_geo": "us",
    "speed": "fast",
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-6",
    "content": [],
    "stop_reason": "end_turn",
    "usage": USAGE,
}
EXPECTED = {
    "input_tokens": 1310,
    "cache_read_tokens": 1000,
    "cache_write_5m_tokens": 200,
    "cache_write_1h_tokens": 100,
    "output_tokens": 50,
    "reasoning_tokens": 20,
}


@pytest.mark.parametrize("response", [MESSAGE, Message.model_validate(MESSAGE)], ids=["dict", "sdk"])
def test_cache_stands_outside_of_input_tokens_and_is_added(response: object) -> None:
    """10 uncached + 1000 read + 300 written = 1310; thinking is inside output_tokens."""
    found = extract("anthropic", response)
    assert meters(found) == EXPECTED
    assert (found.service_tier, found.response_id, found.response_model) == ("priority", "msg_1", "claude-opus-4-6")
    assert found.conditions == Conditions(inference_geo="us", speed="fast")
    assert found.tool_calls == ToolCalls(web_search=2, web_fetch=0)


def test_writes_without_a_split_have_an_unknown_lifetime() -> None:
    """They are neither 5-minute nor 1-hour writes until the provider says so."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 300, "output_tokens": 1}
    assert meters(extract("anthropic", MESSAGE | {"usage": usage})) == {
        "input_tokens": 310,
        "cache_write_tokens": 300,
        "output_tokens": 1,
    }


def test_a_geography_that_is_not_available_is_none() -> None:
    """'not_available' is what models without a choice of geography report."""
    usage = {"input_tokens": 1, "output_tokens": 1, "inference_geo": "not_available"}
    assert extract("anthropic", MESSAGE | {"usage": usage}).conditions is None


def iteration(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "input_tokens": 7,
        "cache_read_input_tokens": 70,
        "cache_creation_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 5,
    } | fields


def test_compaction_is_billed_on_top_of_the_totals() -> None:
    """Message iterations are inside the totals, compactions are not."""
    usage = USAGE | {"iterations": [iteration("compaction"), iteration("message")]}
    found = extract("anthropic", BetaMessage.model_validate(MESSAGE | {"usage": usage}))
    assert meters(found) == EXPECTED | {"input_tokens": 1387, "cache_read_tokens": 1070, "output_tokens": 55}


def test_an_advisor_is_usage_of_another_model() -> None:
    """Its tokens have the advisor model's price, so they do not enter the main usage."""
    usage = USAGE | {"iterations": [iteration("message"), iteration("advisor_message", model="claude-fable-5")]}
    found = extract("anthropic", BetaMessage.model_validate(MESSAGE | {"usage": usage}))
    assert meters(found) == EXPECTED
    (advisor,) = found.also
    assert advisor.response_model == "claude-fable-5"
    assert meters(advisor) == {
        "input_tokens": 77,
        "cache_read_tokens": 70,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 5,
    }


def start_event() -> RawMessageStartEvent:
    message = MESSAGE | {"stop_reason": None, "usage": USAGE | {"output_tokens": 3, "output_tokens_details": None}}
    return RawMessageStartEvent.model_validate({"type": "message_start", "message": message})


def delta(output: int, **usage: Any) -> RawMessageDeltaEvent:
    return RawMessageDeltaEvent.model_validate(
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": output} | usage}
    )


def test_stream_usage_is_cumulative() -> None:
    """The last count stands; adding would bill the same tokens again."""
    stream = StreamAccumulator("anthropic")
    stream.add(start_event())
    stream.add({"type": "ping"})
    stream.add({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "secret"}})
    stream.add(delta(20))
    stream.add(delta(50, output_tokens_details={"thinking_tokens": 20}, input_tokens=10))
    found = stream.result()
    assert meters(found) == EXPECTED
    assert (found.service_tier, found.response_id) == ("priority", "msg_1")
    assert "secret" not in repr(vars(stream))


def test_a_stream_cut_after_its_start_has_its_input() -> None:
    """Input is known from message_start; output is what was reported last, an estimate until its end says it."""
    stream = StreamAccumulator("anthropic")
    stream.add(start_event())
    without_thinking = {name: value for name, value in EXPECTED.items() if name != "reasoning_tokens"}
    assert meters(stream.result()) == without_thinking | {"output_tokens": 3}
    assert stream.result().estimated == ("output_tokens",)
    stream.add(delta(20))
    assert meters(stream.result()) == without_thinking | {"output_tokens": 20}
    assert stream.result().estimated == ()


DELTA_KINDS = [("text_delta", "text"), ("thinking_delta", "thinking"), ("input_json_delta", "partial_json")]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(DELTA_KINDS),
            st.text(max_size=30),
        )
    ),
    st.booleans(),
)
def test_what_a_cut_stream_delivered_is_counted(deltas: list[tuple[tuple[str, str], str]], ended: bool) -> None:
    """Text, thinking and tool input by 3.5 bytes a token, rounded up; the provider's own total replaces it."""
    stream = StreamAccumulator("anthropic")
    stream.add(start_event())
    for (kind, field), text in deltas:
        stream.add({"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: text}})
    size = sum(len(text.encode("utf-8", "replace")) for _, text in deltas)
    if ended:
        stream.add(delta(20))
    expected = 20 if ended else max(3, math.ceil(size * 2 / 7))
    assert meters(stream.result())["output_tokens"] == expected
    assert stream.result().estimated == (() if ended else ("output_tokens",))
    assert stream.complete is ended


def test_a_batch_result_is_a_message() -> None:
    """A line of a message batch's results, whose usage says tier batch itself."""
    message = MESSAGE | {"usage": {"input_tokens": 1, "output_tokens": 2, "service_tier": "batch"}}
    found = extract("anthropic", {"custom_id": "a", "result": {"type": "succeeded", "message": message}})
    assert (found.service_tier, meters(found)) == ("batch", {"input_tokens": 1, "output_tokens": 2})
    with pytest.raises(AdapterError, match="expected a succeeded batch result"):
        extract("anthropic", {"custom_id": "a", "result": {"type": "succeeded"}})


@pytest.mark.parametrize(("kind", "status"), [("errored", "error"), ("expired", "error"), ("canceled", "cancelled")])
def test_a_failed_batch_result_is_a_failure(kind: str, status: str) -> None:
    """It has no usage and nothing is billed; it says how it ended."""
    found = extract("anthropic", {"custom_id": "a", "result": {"type": kind}})
    assert (found.usage, found.service_tier, found.status) == (None, "batch", status)


@pytest.mark.parametrize("provider", ["aws", "google", "azure"])
def test_clouds_serve_anthropic_messages(provider: str) -> None:
    """Through Anthropic's client the payload is Anthropic's, whoever hosts the model."""
    assert meters(extract(provider, Message.model_validate(MESSAGE))) == EXPECTED
    stream = StreamAccumulator(provider)
    stream.add(start_event())
    stream.add(delta(50, output_tokens_details={"thinking_tokens": 20}))
    assert meters(stream.result()) == EXPECTED


@pytest.mark.parametrize(
    ("usage", "says"),
    [
        (USAGE | {"cache_creation_input_tokens": 299}, "add up to 300, more than all cache writes, 299"),
        ({"cache_read_input_tokens": 5, "output_tokens": 1}, "part_without_whole"),
        (USAGE | {"output_tokens": 10}, "part_exceeds_whole"),
        (USAGE | {"input_tokens": 10**12}, "out_of_range"),
    ],
)
def test_contradictions_are_named(usage: dict[str, Any], says: str) -> None:
    """Numbers that cannot all be true are refused."""
    with pytest.raises(AdapterError, match=says):
        extract("anthropic", MESSAGE | {"usage": usage})
