"""Bedrock InvokeModel: each maker's body, Bedrock's headers, and the metrics that end a stream."""

import json
from typing import Any

import pytest

from spendstream.adapters import AdapterError, StreamAccumulator, extract, usage_event
from spendstream_schemas import TokenUsage
from tests.unit.producers.adapters import forms
from tests.unit.producers.adapters.support import meters


@pytest.mark.parametrize(
    ("body", "expected", "operation"),
    [
        (forms.TITAN, {"input_tokens": 5, "output_tokens": 61}, "completion"),
        ({"embedding": [0.1], "inputTextTokenCount": 7}, {"input_tokens": 7}, "embeddings"),
        ({"embeddingsByType": {"binary": [1]}, "inputTextTokenCount": 7}, {"input_tokens": 7}, "embeddings"),
        (forms.LLAMA, {"input_tokens": 17, "output_tokens": 3}, "completion"),
        (forms.NOVA, {"input_tokens": 100, "cache_read_tokens": 90, "output_tokens": 5}, "chat"),
        ({"images": ["c2VjcmV0", "c2VjcmV0"], "error": None}, {"output_images": 2}, "image"),
        ({"result": "success", "artifacts": [{"base64": "c2VjcmV0"}]}, {"output_images": 1}, "image"),
    ],
    ids=["titan", "titan embed", "titan embed v2", "llama", "nova", "nova canvas", "stability"],
)
@pytest.mark.parametrize("provider", ["aws", "bedrock"])
def test_bodies_are_counted(provider: str, body: dict[str, Any], expected: dict[str, int], operation: str) -> None:
    """Titan's results add up; images are counted by the piece."""
    found = extract(provider, body)
    assert meters(found) == expected
    assert found.operation == operation


HEADERS = {
    "x-amzn-bedrock-input-token-count": "12",
    "x-amzn-bedrock-output-token-count": "30",
    "x-amzn-bedrock-cache-read-input-token-count": "100",
    "x-amzn-bedrock-cache-write-input-token-count": "8",
}


def test_the_headers_count_what_the_body_does_not() -> None:
    """boto3's response as it is: Mistral's and Cohere's bodies have no counts. Cache stands outside and is added."""
    response = {"ResponseMetadata": {"RequestId": "req-1", "HTTPHeaders": HEADERS}, "contentType": "application/json"}
    found = extract("aws", response)
    assert meters(found) == {
        "input_tokens": 120,
        "cache_read_tokens": 100,
        "cache_write_tokens": 8,
        "output_tokens": 30,
    }
    assert found.response_id == "req-1"


def test_headers_that_are_no_numbers_are_refused() -> None:
    """They are not taken for nothing."""
    http = {"RequestId": "r", "HTTPHeaders": HEADERS | {"x-amzn-bedrock-input-token-count": "-1"}}
    with pytest.raises(AdapterError, match="x-amzn-bedrock-input-token-count: expected a whole number"):
        extract("aws", {"ResponseMetadata": http})


@pytest.mark.parametrize("as_bytes", [True, False], ids=["boto3's events", "decoded"])
def test_the_metrics_that_end_a_stream_are_counted(as_bytes: bool) -> None:
    """Whatever the maker's chunks are; the bytes of boto3's events are decoded."""
    chunks = [
        {"generation": "secret", "prompt_token_count": 9, "generation_token_count": 1},
        {
            "generation": "",
            "stop_reason": "stop",
            "amazon-bedrock-invocationMetrics": {
                "inputTokenCount": 9,
                "outputTokenCount": 40,
                "invocationLatency": 900,
                "firstByteLatency": 80,
            },
        },
    ]
    stream = StreamAccumulator("aws")
    for chunk in chunks:
        stream.add({"chunk": {"bytes": json.dumps(chunk).encode()}} if as_bytes else chunk)
    assert meters(stream.result()) == {"input_tokens": 9, "output_tokens": 40}
    assert "secret" not in repr(vars(stream))


def test_an_event_that_holds_no_json_is_refused_alone() -> None:
    """What was known before stays known."""
    stream = StreamAccumulator("aws")
    stream.add({"chunk": {"bytes": json.dumps({"prompt_token_count": 9, "generation_token_count": 4}).encode()}})
    with pytest.raises(AdapterError, match=r"chunk\.bytes: expected JSON"):
        stream.add({"chunk": {"bytes": b"\xff"}})
    assert meters(stream.result()) == {"input_tokens": 9, "output_tokens": 4}


@pytest.mark.parametrize(
    "body", [{"outputs": [{"text": "secret"}]}, {"generations": [{"text": "secret"}]}, {"results": [{"index": 0}]}]
)
def test_a_body_without_counts_is_an_event_without_usage(body: dict[str, Any]) -> None:
    """Unpriced as usage_unknown and seen; never an exception."""
    event = usage_event("aws", body, source="s", model="mistral.mistral-large-2402-v1:0")
    assert event.usage == TokenUsage(kind="tokens")
