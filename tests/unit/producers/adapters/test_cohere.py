"""Cohere chat, embed and rerank, from the SDK's classes as its client builds them."""

from typing import Any

import pytest
from cohere import EmbedByTypeResponse
from cohere.core.unchecked_base_model import construct_type
from cohere.types import ChatMessageEndEvent
from cohere.v2 import V2ChatResponse, V2RerankResponse

from spendstream.adapters import AdapterError, StreamAccumulator, extract, usage_events
from spendstream.adapters.cohere import UNCOUNTED
from tests.unit.producers.adapters.support import meters

USAGE: dict[str, Any] = {
    "billed_units": {"input_tokens": 5, "output_tokens": 418},
    "tokens": {"input_tokens": 71, "output_tokens": 418},
    "cached_tokens": 64,
}
CHAT: dict[str, Any] = {
    "id": "c1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": []},
    "usage": USAGE,
}


def embed(**billed: Any) -> object:
    body = {"response_type": "embeddings_by_type", "id": "e1", "embeddings": {}, "meta": {"billed_units": billed}}
    return construct_type(type_=EmbedByTypeResponse, object_=body)


@pytest.mark.parametrize("response", [CHAT, construct_type(type_=V2ChatResponse, object_=CHAT)], ids=["dict", "sdk"])
def test_billed_units_count_not_tokens(response: object) -> None:
    """5 of the 71 processed tokens are billed; 64 cached of the 71 cannot be a part of those 5."""
    found = extract("cohere", response)
    assert meters(found) == {"input_tokens": 5, "output_tokens": 418}
    assert (found.response_id, found.operation) == ("c1", "chat")


def test_cached_tokens_are_a_part_where_everything_processed_is_billed() -> None:
    """Then both counts have the same whole."""
    usage = USAGE | {"billed_units": {"input_tokens": 71.0, "output_tokens": 418.0}}
    assert meters(extract("cohere", CHAT | {"usage": usage})) == {
        "input_tokens": 71,
        "cache_read_tokens": 64,
        "output_tokens": 418,
    }


def test_more_cached_than_processed_is_refused() -> None:
    """cached_tokens is inside tokens.input_tokens."""
    with pytest.raises(AdapterError, match=r"cached_tokens = 72 > tokens\.input_tokens = 71"):
        extract("cohere", CHAT | {"usage": USAGE | {"cached_tokens": 72}})


def test_rerank_is_billed_in_search_units() -> None:
    """Under meta, not under usage."""
    body = {"id": "r1", "results": [], "meta": {"billed_units": {"search_units": 2}}}
    found = extract("cohere", construct_type(type_=V2RerankResponse, object_=body))
    assert (found.operation, meters(found)) == ("rerank", {"search_units": 2})


@pytest.mark.parametrize(
    ("billed", "expected"),
    [
        ({"input_tokens": 12}, {"input_tokens": 12}),
        ({"input_tokens": 0, "image_tokens": 50}, {"input_tokens": 50, "input_image_tokens": 50}),
        ({"input_tokens": 12, "text_tokens": 12, "image_tokens": 50}, {"input_tokens": 62, "input_image_tokens": 50}),
        ({"input_tokens": 62, "text_tokens": 12, "image_tokens": 50}, {"input_tokens": 62, "input_image_tokens": 50}),
        ({"input_tokens": 10, "image_tokens": 50}, {"input_tokens": 60, "input_image_tokens": 50}),
        (
            {"input_tokens": 60, "image_tokens": 50},
            {"input_tokens": 110, "input_image_tokens": 50},
        ),  # the dearer reading
        ({"images": 1, "image_tokens": 50}, {"input_tokens": 50, "input_image_tokens": 50}),
    ],
)
def test_embedded_images_are_input(billed: dict[str, Any], expected: dict[str, Any]) -> None:
    """Whether input_tokens holds the image tokens is read off the numbers."""
    found = extract("cohere", embed(**billed))
    assert (found.operation, meters(found)) == ("embeddings", expected)


@pytest.mark.parametrize(
    ("billed", "says"),
    [
        ({"input_tokens": 62, "text_tokens": 11, "image_tokens": 50}, "do not add up"),
        ({"input_tokens": 1.5}, "expected a whole number, got 1.5"),
    ],
)
def test_units_that_cannot_be_booked_are_refused(billed: dict[str, Any], says: str) -> None:
    """Better an error than a bill of 0."""
    with pytest.raises(AdapterError, match=says):
        extract("cohere", embed(**billed))


@pytest.mark.parametrize("unit", ["images", "classifications"])
def test_units_without_a_meter_cost_no_counts(unit: str) -> None:
    """The tokens of the call are counted; the units are an event of their own, which nobody can price."""
    first, other = usage_events("cohere", embed(input_tokens=100, **{unit: 1}), source="s", model="embed-v4.0")
    assert first.usage.input_tokens == 100  # type: ignore[union-attr]
    assert other.response_model == UNCOUNTED
    (alone,) = usage_events("cohere", embed(**{unit: 1}), source="s", model="embed-v4.0")
    (tokens,) = usage_events("cohere", embed(input_tokens=100, **{unit: 0}), source="s", model="embed-v4.0")
    assert alone.usage == other.usage
    assert tokens.usage == first.usage


def test_message_end_ends_the_stream() -> None:
    """The id comes first, the usage last."""
    stream = StreamAccumulator("cohere")
    stream.add({"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}})
    stream.add({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "secret"}}}})
    assert (stream.result().usage, stream.result().response_id) == (None, "c1")
    body = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}
    stream.add(construct_type(type_=ChatMessageEndEvent, object_=body))
    found = stream.result()  # the SDK's event classes have no `type` of their own: it comes with the payload
    assert meters(found) == {"input_tokens": 5, "output_tokens": 418}
    assert "secret" not in repr(vars(stream))
