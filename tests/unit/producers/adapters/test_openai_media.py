"""OpenAI images and transcription."""

from decimal import Decimal

import pytest
from openai.types import ImagesResponse
from openai.types.audio import Transcription

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from tests.unit.producers.adapters.support import meters

IMAGE_USAGE = {
    "input_tokens": 60,
    "input_tokens_details": {"image_tokens": 50, "text_tokens": 10},
    "output_tokens": 4160,
    "total_tokens": 4220,
}


def test_image_output_without_breakdown_is_image_tokens() -> None:
    """output_tokens of GPT image models were defined as image tokens before the breakdown was introduced."""
    found = extract("openai", ImagesResponse.model_validate({"created": 1, "data": [{}], "usage": IMAGE_USAGE}))
    assert found.operation == "image"
    assert meters(found) == {
        "input_tokens": 60,
        "input_image_tokens": 50,
        "output_tokens": 4160,
        "output_image_tokens": 4160,
    }


def test_image_output_with_breakdown_is_taken_as_it_is() -> None:
    """With a breakdown only its image tokens are image tokens."""
    usage = IMAGE_USAGE | {"output_tokens_details": {"image_tokens": 4000, "text_tokens": 160}}
    found = extract("openai", {"created": 1, "data": [{}], "usage": usage})
    assert meters(found)["output_image_tokens"] == 4000


def test_images_without_usage_are_counted() -> None:
    """DALL-E reports no tokens; what is billed is the number of images."""
    assert meters(extract("openai", {"created": 1, "data": [{"url": "a"}, {"url": "b"}]})) == {"output_images": 2}


def test_images_whose_usage_has_no_tokens_are_counted() -> None:
    """xAI's images report what they cost, and no tokens."""
    body = {"data": [{"url": "a"}], "usage": {"cost_in_usd_ticks": 200_000_000}}
    assert meters(extract("x-ai", body)) == {"output_images": 1}


def test_the_author_of_an_svg_is_billed_apart() -> None:
    """svg_usage belongs to another model than the image usage."""
    svg = {"model": "gpt-5.6", "input_tokens": 9, "output_tokens": 20, "reasoning_tokens": 5, "total_tokens": 29}
    body = {"created": 1, "data": [{}], "usage": IMAGE_USAGE, "svg_usage": svg}
    (other,) = extract("openai", ImagesResponse.model_validate(body)).also
    assert other.response_model == "gpt-5.6"
    assert meters(other) == {"input_tokens": 9, "output_tokens": 20, "reasoning_tokens": 5}


def test_the_completed_event_of_an_image_stream_has_the_usage() -> None:
    """Partial images carry none."""
    stream = StreamAccumulator("openai")
    stream.add({"type": "image_generation.partial_image", "b64_json": "...", "partial_image_index": 0})
    stream.add({"type": "image_generation.completed", "b64_json": "...", "usage": IMAGE_USAGE})
    assert meters(stream.result())["output_tokens"] == 4160


def test_transcription_is_billed_by_duration_or_by_tokens() -> None:
    """usage.type tells which; seconds become an exact decimal."""
    by_time = Transcription.model_validate({"text": "a", "usage": {"type": "duration", "seconds": 12.3}})
    assert meters(extract("openai", by_time)) == {"input_audio_seconds": Decimal("12.3")}
    by_token = {
        "text": "a",
        "usage": {
            "type": "tokens",
            "input_tokens": 14,
            "output_tokens": 45,
            "total_tokens": 59,
            "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
        },
    }
    found = extract("openai", Transcription.model_validate(by_token))
    assert meters(found) == {"input_tokens": 14, "input_audio_tokens": 14, "output_tokens": 45}
    assert found.operation == "transcription"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "3", True, Decimal("NaN")])
def test_impossible_durations_are_refused(seconds: object) -> None:
    """A duration is a finite, non-negative number."""
    with pytest.raises(AdapterError, match="expected seconds"):
        extract("openai", {"text": "a", "usage": {"type": "duration", "seconds": seconds}})
