"""From a response to a whole event."""

from datetime import UTC, datetime

import pytest

from spendstream.adapters import AdapterError, StreamAccumulator, usage_event, usage_events
from spendstream_schemas import Attribution, Conditions
from tests.unit.producers.adapters.test_anthropic import MESSAGE, USAGE, iteration
from tests.unit.producers.adapters.test_openai import CHAT

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_everything_the_response_says_is_in_the_event() -> None:
    """And what the caller says beside it."""
    event = usage_event(
        "openai",
        CHAT,
        source="svc",
        model="gpt-5",
        event_id="e1",
        occurred_at=NOON,
        attribution={"project": "p", "labels": {"a": "b"}},
        latency_ms=12.5,
        trace_id="t",
    )
    assert (event.event_id, event.occurred_at, event.source) == ("e1", NOON, "svc")
    assert (event.model, event.response_model, event.response_id) == ("gpt-5", "gpt-5-2025-08-07", "chatcmpl-1")
    assert (event.service_tier, event.operation, event.latency_ms) == ("standard", "chat", 12.5)
    assert event.attribution == Attribution(project="p", labels={"a": "b"})


def test_each_event_gets_an_id_of_its_own() -> None:
    """Two calls with the same response are two events."""
    first, second = (usage_event("openai", CHAT, source="svc") for _ in range(2))
    assert first.event_id != second.event_id


def test_the_callers_conditions_join_those_of_the_response() -> None:
    """One by one, and the caller wins: it may know what the response leaves out."""
    event = usage_event("anthropic", MESSAGE, source="s", conditions=Conditions(data_residency="eu", speed="standard"))
    assert event.conditions == Conditions(inference_geo="us", speed="standard", data_residency="eu")


def test_a_cut_stream_is_an_event_with_unknown_usage() -> None:
    """No meter at all, so that pricing says it does not know, instead of a bill of 0."""
    stream = StreamAccumulator("openai")
    event = usage_event("openai", stream.result(), source="s", model="gpt-5", status="cancelled")
    assert event.usage.model_dump(exclude_none=True) == {"kind": "tokens"}
    assert event.status == "cancelled"


def test_usage_of_another_model_is_another_event() -> None:
    """With an id that the same response always gets, and without the provider's id, which belongs to the first."""
    usage = USAGE | {"iterations": [iteration("advisor_message", model="claude-fable-5")]}
    main, advisor = usage_events(
        "anthropic",
        MESSAGE | {"usage": usage},
        source="s",
        event_id="e",
        model="opus",
        attribution={"team": "t"},
        session_id="c",
    )
    assert (main.session_id, advisor.session_id) == ("c", "c")
    assert (main.event_id, main.response_model, main.response_id) == ("e", "claude-opus-4-6", "msg_1")
    assert (advisor.event_id, advisor.response_model, advisor.response_id) == ("e.1", "claude-fable-5", None)
    assert advisor.model is None
    assert advisor.attribution.team == "t"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"source": ""}, "empty_value: source"),
        ({"source": "s", "occurred_at": datetime(2026, 1, 1)}, "naive_timestamp"),  # noqa: DTZ001
        ({"source": "s", "colour": "red"}, "unknown_field: colour"),
        ({"source": "s", "conditions": {"weather": "fair"}}, r"unknown_field: conditions\.weather"),
        ({"source": "s", "conditions": 3}, "expected Conditions or a dict, got int"),
        ({"source": "s", "status": "fine"}, "not_allowed: status"),
    ],
)
def test_what_breaks_the_contract_is_refused_early(fields: dict[str, object], says: str) -> None:
    """With the reason code the consumer would give."""
    with pytest.raises(AdapterError, match=says):
        usage_event("openai", CHAT, **fields)  # type: ignore[arg-type]


def test_tokens_need_a_model() -> None:
    """Bedrock does not name it, so the caller has to."""
    with pytest.raises(AdapterError, match="model_missing"):
        usage_event("aws", {"usage": {"inputTokens": 1, "outputTokens": 1}}, source="s")
