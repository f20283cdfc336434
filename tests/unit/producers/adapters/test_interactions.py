"""Google's Interactions API: as google-genai gives it (a local server), as a dict, whole and streamed."""

import asyncio
from typing import Any

import pytest
from google import genai

from spendstream.adapters import AdapterError, StreamAccumulator, extract, is_whole
from spendstream.adapters.result import ExtractedUsage
from spendstream_schemas import TokenUsage
from tests.unit.producers.adapters.local_api import LocalApi
from tests.unit.producers.recorder import Recorder

USAGE: dict[str, Any] = {
    "total_input_tokens": 1000,
    "total_output_tokens": 200,
    "total_thought_tokens": 300,
    "total_cached_tokens": 400,
    "total_tool_use_tokens": 50,
    "total_tokens": 1550,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 900}, {"modality": "audio", "tokens": 100}],
    "grounding_tool_count": [{"type": "google_search", "count": 2}],
}


def interaction(number: int = 1, **usage: Any) -> dict[str, Any]:
    """A whole interaction, as the server answers."""
    return {
        "id": f"v1_{number}",
        "object": "interaction",
        "model": "gemini-3-flash-preview",
        "status": "completed",
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "steps": [{"type": "model_output", "content": [{"type": "text", "text": "secret"}]}],
        "usage": USAGE | usage,
    }


def events(number: int = 1) -> list[dict[str, Any]]:
    """The same as a stream."""
    begun = interaction(number) | {"status": "in_progress"}
    del begun["usage"]
    return [
        {"event_type": "interaction.created", "interaction": begun},
        {"event_type": "step.start", "index": 0, "step": {"type": "model_output", "content": []}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "secret"}},
        {"event_type": "step.stop", "index": 0},
        {"event_type": "interaction.completed", "interaction": interaction(number)},
    ]


def right(found: ExtractedUsage) -> bool:
    usage = found.usage
    assert isinstance(usage, TokenUsage)
    assert usage.model_dump(exclude_none=True, exclude={"kind"}) == {
        "input_tokens": 1050,
        "tool_use_input_tokens": 50,
        "input_audio_tokens": 100,
        "cache_read_tokens": 400,
        "output_tokens": 500,
        "reasoning_tokens": 300,
    }
    assert found.tool_calls is not None
    return (found.response_model, found.response_id, found.operation, found.tool_calls.web_search) == (
        "gemini-3-flash-preview",
        "v1_1",
        "chat",
        2,
    )


def client(address: str) -> genai.Client:
    return genai.Client(api_key="k", http_options={"base_url": address})


@pytest.mark.slow
def test_a_whole_interaction_of_the_sdk() -> None:
    """The object that google-genai makes of it, and its dict."""
    with LocalApi(interaction()) as api, client(api.url) as google:
        found = google.interactions.create(model="gemini-3-flash-preview", input="q")
    assert right(extract("google", found))
    assert is_whole(found)
    assert right(extract("google", interaction()))


def test_a_stream_of_the_sdk() -> None:
    """Its events, sync and async."""
    recorder = Recorder()
    with LocalApi(events()) as api, client(api.url) as google:
        with recorder.track(provider="google", model="gemini-3-flash-preview") as call:
            assert len(list(call.wrap_stream(google.interactions.create(model="m", input="q", stream=True)))) == 5

        async def read() -> None:
            async with recorder.track(provider="google", model="gemini-3-flash-preview") as call:
                stream: Any = await google.aio.interactions.create(model="m", input="q", stream=True)
                assert len([event async for event in call.wrap_stream(stream)]) == 5
            await google.aio.aclose()

        asyncio.run(read())
    assert [event.response_id for event in recorder.events] == ["v1_1", "v1_1"]
    assert all(event.usage == extract("google", interaction()).usage for event in recorder.events)
    assert not recorder._counters.keyed()[2]


def test_a_stream_of_dicts_and_one_that_is_cut() -> None:
    """A cut one has no usage, unless an event before the last had some."""
    whole, cut = StreamAccumulator("google"), StreamAccumulator("somebody")
    for event in events():
        whole.add(event)
    for event in events()[:-2]:
        cut.add(event)
    assert right(whole.result())
    assert (cut.result().usage, cut.result().response_id, whole.complete, cut.complete) == (None, "v1_1", True, False)
    cut.add({"event_type": "interaction.status_update", "interaction_id": "v1_1", "status": "x", "usage": USAGE})
    assert right(cut.result())


@pytest.mark.parametrize("way", ["yielded", "streamed", "recorded"])
def test_several_interactions(way: str) -> None:
    """Each is a call of its own."""
    recorder = Recorder()
    with recorder.track(provider="google", model="m") as call:
        if way == "recorded":
            for number in (1, 2):
                call.record(interaction(number))
        elif way == "yielded":
            list(call.wrap_stream(interaction(number) for number in (1, 2)))
        else:
            list(call.wrap_stream(event for number in (1, 2) for event in events(number)))
    assert [event.response_id for event in recorder.events] == ["v1_1", "v1_2"]


@pytest.mark.parametrize(
    ("whole", "read", "written"),
    [(1850, 1050, 800), (1800, 1000, 800), (1550, 1050, 500), (1500, 1000, 500), (None, 1050, 800)],
)
def test_the_total_says_what_is_inside(whole: int | None, read: int, written: int) -> None:
    """Thoughts and tokens of tools are added unless the total has them already; without a total they are."""
    usage = extract("google", interaction(total_output_tokens=500, total_tokens=whole)).usage
    assert isinstance(usage, TokenUsage)
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (read, written, 300)


def test_a_total_that_fits_nothing() -> None:
    """Numbers that contradict each other are not priced as if they did not."""
    with pytest.raises(AdapterError, match="total_tokens = 1555"):
        extract("google", interaction(total_tokens=1555))
    assert extract("google", interaction(total_tokens=1555), salvage=True).response_model == "unreadable"


@pytest.mark.parametrize(("status", "ours"), [("failed", "error"), ("cancelled", "cancelled"), ("incomplete", None)])
def test_how_it_ended(status: str, ours: str | None) -> None:
    """A failed interaction is one, with what it used; one of an agent's is named by the agent."""
    told = interaction() | {"status": status, "agent": "deep-research", "service_tier": "flex"}
    del told["model"]
    found = extract("google", told)
    assert (found.status, found.response_model, found.service_tier) == (ours, "deep-research", "flex")


def test_grounding_of_older_models_and_kinds_that_nobody_knows() -> None:
    """Models up to 2.5 pay per grounded prompt; tokens of an unknown kind are an event of their own."""
    strange = interaction(output_tokens_by_modality=[{"modality": "smell", "tokens": 20}]) | {
        "model": "gemini-2.5-flash"
    }
    found = extract("google", strange)
    assert found.tool_calls is not None
    assert (found.tool_calls.web_search, [other.response_model for other in found.also]) == (1, ["unknown_modality"])
