"""Bedrock Converse: boto3 returns plain dicts (their shapes are those of AWS's API reference)."""

from typing import Any

import pytest

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from spendstream_schemas import Conditions
from tests.unit.producers.adapters.support import meters

USAGE: dict[str, Any] = {
    "inputTokens": 10,
    "outputTokens": 50,
    "totalTokens": 1360,
    "cacheReadInputTokens": 1000,
    "cacheWriteInputTokens": 300,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 100}, {"ttl": "5m", "inputTokens": 150}],
}
RESPONSE: dict[str, Any] = {
    "ResponseMetadata": {"RequestId": "req-1", "HTTPStatusCode": 200},
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 5},
    "serviceTier": {"type": "default"},
    "performanceConfig": {"latency": "optimized"},
}
EXPECTED = {
    "input_tokens": 1310,
    "cache_read_tokens": 1000,
    "cache_write_tokens": 50,
    "cache_write_5m_tokens": 150,
    "cache_write_1h_tokens": 100,
    "output_tokens": 50,
}


def test_cache_stands_outside_of_input_tokens_and_is_added() -> None:
    """10 + 1000 + 300; of the writes 50 have no reported lifetime."""
    found = extract("aws", RESPONSE)
    assert meters(found) == EXPECTED
    assert (found.response_id, found.response_model, found.service_tier) == ("req-1", None, "standard")
    assert found.conditions == Conditions(latency="optimized")


def test_snake_case_is_read_too() -> None:
    """Some wrappers convert the names."""
    usage = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 90}
    assert meters(extract("aws", {"usage": usage})) == {
        "input_tokens": 100,
        "cache_read_tokens": 90,
        "output_tokens": 5,
    }


def test_a_lifetime_this_version_does_not_know_is_an_unknown_lifetime() -> None:
    """Its tokens are not lost and not taken for another lifetime."""
    usage = {"inputTokens": 1, "outputTokens": 1, "cacheDetails": [{"ttl": "24h", "inputTokens": 7}]}
    assert meters(extract("aws", {"usage": usage})) == {"input_tokens": 8, "cache_write_tokens": 7, "output_tokens": 1}


def test_the_metadata_event_ends_the_stream() -> None:
    """Before it usage is unknown."""
    stream = StreamAccumulator("aws")
    stream.add({"messageStart": {"role": "assistant"}})
    stream.add({"contentBlockDelta": {"delta": {"text": "secret"}, "contentBlockIndex": 0}})
    assert stream.result().usage is None
    stream.add({"metadata": {name: RESPONSE[name] for name in ("usage", "serviceTier", "performanceConfig")}})
    found = stream.result()
    assert meters(found) == EXPECTED
    assert found.conditions == Conditions(latency="optimized")
    assert "secret" not in repr(vars(stream))


def test_details_above_the_total_are_refused() -> None:
    """Writes by lifetime cannot exceed all writes."""
    with pytest.raises(AdapterError, match="add up to 250, more than all cache writes, 200"):
        extract("aws", RESPONSE | {"usage": USAGE | {"cacheWriteInputTokens": 200}})


def test_openai_shapes_on_bedrock_are_read_as_such() -> None:
    """Bedrock also serves OpenAI's API; the shape decides."""
    body = {"object": "chat.completion", "id": "1", "model": "gpt-oss", "usage": {"prompt_tokens": 3}}
    assert meters(extract("aws", body)) == {"input_tokens": 3}
