"""Hosts with a form of their own, whatever the service calls them; from the hosts' documentation."""

from typing import Any

import pytest

from spendstream.adapters import StreamAccumulator, extract
from tests.unit.producers.adapters.support import meters

WATSONX: dict[str, Any] = {
    "model_id": "ibm/granite-3-8b-instruct",
    "created_at": "2026-11-02T09:30:00.123Z",
    "results": [
        {"generated_text": "secret", "generated_token_count": 3, "input_token_count": 10, "stop_reason": "eos"}
    ],
}
CLOUDFLARE: dict[str, Any] = {
    "result": {"response": "secret", "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}},
    "success": True,
    "errors": [],
    "messages": [],
}
REPLICATE: dict[str, Any] = {
    "id": "p1",
    "model": "meta/meta-llama-3-70b-instruct",
    "version": "hidden",
    "input": {"prompt": "secret"},
    "output": ["secret"],
    "error": None,
    "status": "succeeded",
    "metrics": {"input_token_count": 10, "output_token_count": 3, "predict_time": 0.3, "tokens_per_second": 9.0},
}
BODIES = {"watsonx": WATSONX, "cloudflare": CLOUDFLARE, "replicate": REPLICATE}


@pytest.mark.parametrize("name", BODIES)
def test_a_host_is_known_by_its_form(name: str) -> None:
    """Whole and as the last event of a stream; only names and counts are kept."""
    found = extract(name, BODIES[name])
    assert meters(found) == {"input_tokens": 10, "output_tokens": 3}
    stream = StreamAccumulator(name)
    stream.add(BODIES[name])
    assert stream.result().usage == found.usage
    assert found.response_model == BODIES[name].get("model", BODIES[name].get("model_id"))


@pytest.mark.parametrize(("said", "status"), [("failed", "error"), ("canceled", "cancelled"), ("succeeded", None)])
def test_a_prediction_says_how_it_ended(said: str, status: str | None) -> None:
    """What it used by then is billed."""
    found = extract("replicate", REPLICATE | {"status": said})
    assert (found.status, meters(found)["input_tokens"]) == (status, 10)


def test_cohere_s_streams_are_known_by_their_events() -> None:
    """Under a name that nobody knows, and with the usage in the last event."""
    stream = StreamAccumulator("our-proxy")
    stream.add({"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}})
    stream.add({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "secret"}}}})
    billed = {"billed_units": {"input_tokens": 10, "output_tokens": 3}, "tokens": {"input_tokens": 99}}
    stream.add({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": billed}})
    assert meters(stream.result()) == {"input_tokens": 10, "output_tokens": 3}
    assert stream.result().response_id == "c1"
