"""Videos of OpenAI and xAI."""

from decimal import Decimal
from typing import Any

import pytest
from openai.types import Video

from spendstream.adapters import AdapterError, extract
from spendstream_schemas import Conditions
from tests.unit.producers.adapters.support import meters

JOB: dict[str, Any] = {
    "id": "video_1",
    "object": "video",
    "model": "sora-2-pro",
    "created_at": 1,
    "progress": 100,
    "seconds": "8",
    "size": "1024x1792",
    "status": "completed",
}


@pytest.mark.parametrize("response", [JOB, Video.model_validate(JOB)], ids=["dict", "sdk"])
def test_a_finished_video_counts_its_seconds_and_says_its_size(response: object) -> None:
    """The API writes seconds as a text; the size moves the price."""
    found = extract("openai", response)
    assert meters(found) == {"output_video_seconds": Decimal(8)}
    assert found.conditions == Conditions(size="1024x1792")
    assert (found.operation, found.response_id, found.response_model) == ("video", "video_1", "sora-2-pro")


@pytest.mark.parametrize("status", ["queued", "in_progress", "failed"])
def test_a_job_that_is_not_done_has_no_usage(status: str) -> None:
    """It is billed when it is done; a failed one is not."""
    assert extract("openai", JOB | {"status": status}).usage is None


def test_a_video_of_xai_tells_its_duration() -> None:
    """Its seconds stand beside the file; the size of the request is not repeated."""
    body = {"status": "done", "video": {"url": "https://x", "duration": 6}, "model": "grok-imagine-video"}
    found = extract("x-ai", body)
    assert meters(found) == {"output_video_seconds": Decimal(6)}
    assert (found.operation, found.conditions) == ("video", None)


@pytest.mark.parametrize("seconds", ["eight", "-8", "8.5", "", "٨", "9" * 30, True, -1])
def test_impossible_seconds_are_refused(seconds: object) -> None:
    """A duration is a whole number of seconds in digits, or a finite number."""
    with pytest.raises(AdapterError, match="seconds"):
        extract("openai", JOB | {"seconds": seconds})
