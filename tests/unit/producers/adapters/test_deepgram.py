"""Deepgram: recordings and streams."""

from decimal import Decimal
from typing import Any

import pytest

from spendstream.adapters import AdapterError, StreamAccumulator, extract, usage_events
from tests.unit.producers.adapters.support import meters

TOLD: dict[str, Any] = {
    "request_id": "r1",
    "duration": 25.933313,
    "channels": 2,
    "models": ["u"],
    "model_info": {"u": {"name": "general-nova-3", "version": "2024-12-20.0", "arch": "nova-3"}},
}


def recording(channels: int = 1, **metadata: Any) -> dict[str, Any]:
    return {"metadata": TOLD | metadata, "results": {"channels": [{"alternatives": []}] * channels}}


def test_a_recording_is_its_seconds() -> None:
    """Stereo that is not transcribed apart is billed once."""
    found = extract("deepgram", recording())
    assert meters(found) == {"input_audio_seconds": Decimal("25.933313")}
    assert (found.response_model, found.response_id, found.operation) == ("nova-3", "r1", "transcription")


def test_channels_that_are_transcribed_apart_are_billed_each() -> None:
    """Two channels, twice the seconds."""
    assert meters(extract("deepgram", recording(2))) == {"input_audio_seconds": Decimal("51.866626")}


def test_a_stream_ends_with_what_is_billed() -> None:
    """Results come before it, and say nothing of the price."""
    stream = StreamAccumulator("deepgram")
    stream.add(
        {"type": "Results", "duration": 3.0, "start": 0.0, "channel": {"alternatives": [{"transcript": "secret"}]}}
    )
    assert stream.result().usage is None
    stream.add({"type": "Metadata", **TOLD, "channels": 1})
    found = stream.result()
    assert meters(found) == {"input_audio_seconds": Decimal("25.933313")}
    assert (found.response_model, found.operation) == ("nova-3", "streaming")
    assert "secret" not in repr(vars(stream))


@pytest.mark.parametrize("duration", [-1, float("nan"), "3", True])
def test_impossible_durations_are_refused(duration: object) -> None:
    """A duration is a finite, non-negative number."""
    with pytest.raises(AdapterError, match="expected seconds"):
        extract("deepgram", recording(duration=duration))


def test_a_response_without_metadata_is_refused() -> None:
    """Nothing in it is of Deepgram."""
    with pytest.raises(AdapterError, match="none of them"):
        extract("deepgram", {"results": {}})


def test_audio_intelligence_is_billed_by_tokens_beside_the_audio() -> None:
    """A summary and sentiments were asked for: an event each, unpriced until a rate card knows them."""
    told = recording(summary_info={"model_uuid": "u", "input_tokens": 95, "output_tokens": 63})
    told["metadata"]["sentiment_info"] = {"model_uuid": "u", "input_tokens": 105, "output_tokens": 0}
    told["metadata"]["topics_info"] = {"model_uuid": "u", "input_tokens": 0, "output_tokens": 0}
    audio, summary, sentiment = usage_events("deepgram", told, source="s", model="nova-3")
    assert audio.usage.model_dump()["input_audio_seconds"] == Decimal("25.933313")
    assert (summary.response_model, summary.usage.model_dump()["input_tokens"]) == ("summary", 95)
    assert (sentiment.response_model, sentiment.usage.model_dump()["input_tokens"]) == ("sentiment", 105)
