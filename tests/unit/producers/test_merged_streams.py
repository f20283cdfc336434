"""Streams that a generator merges: chunk by chunk, one after another, with ids and without."""

import random
from typing import Any

import pytest

from tests.unit.producers.provider_server import chat
from tests.unit.producers.recorder import Recorder, tokens

Chunk = dict[str, Any]


def usage_of(number: int) -> Chunk:
    return {"prompt_tokens": 10 * number, "completion_tokens": number, "total_tokens": 11 * number}


def stream(number: int, *, id_: str | None = None, model: str = "m", **said: Any) -> list[Chunk]:
    """Role, text, the end, usage."""
    whole = chat(object="chat.completion.chunk", id=f"c{number}" if id_ is None else id_, model=model, usage=None)
    role: Chunk = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None} | said
    text: Chunk = {"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": None} | said
    end: Chunk = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [
        *(whole | {"choices": [choice]} for choice in (role, text, end)),
        whole | {"choices": [], "usage": usage_of(number)},
    ]


def events_of(chunks: list[Chunk], provider: str = "openai") -> list[tuple[str | None, str | None, int | None]]:
    recorder = Recorder()
    with recorder.track(provider=provider, model="m") as call:
        list(call.wrap_stream(iter(chunks)))
    assert {event.status for event in recorder.events} == {"ok"}
    return sorted((event.response_id, event.response_model, tokens(event)[0]) for event in recorder.events)


@pytest.mark.parametrize("seed", range(40))
def test_streams_that_are_merged_chunk_by_chunk(seed: int) -> None:
    """In whatever order their chunks come, each is a call with its own usage and model."""
    rng = random.Random(seed)
    open_now = [stream(number, model=f"m{number}") for number in range(1, rng.randint(3, 6))]
    right = [(f"c{number}", f"m{number}", 10 * number) for number in range(1, len(open_now) + 1)]
    chunks: list[Chunk] = []
    while any(open_now):
        chunks.append(rng.choice([one for one in open_now if one]).pop(0))
    assert events_of(chunks) == right


def test_chunks_that_take_turns() -> None:
    """The usage of the first comes while the second is the one that is read."""
    first, second = stream(1), stream(2)
    taken = [chunk for pair in zip(first, second, strict=True) for chunk in pair]
    assert events_of(taken) == [("c1", "m", 10), ("c2", "m", 20)]


@pytest.mark.parametrize("together", [True, False])
def test_completions_with_empty_ids(together: bool) -> None:
    """TGI's: the role begins another where the one before has its end and its usage, together or one after another."""
    chunks = stream(1, id_="") + stream(2, id_="") + stream(3, id_="")
    if together:
        ends = [chunk for chunk in chunks if chunk["choices"] and chunk["choices"][0]["finish_reason"]]
        for number, chunk in enumerate(ends, start=1):
            chunk["usage"] = usage_of(number)
        chunks = [chunk for chunk in chunks if chunk["choices"]]
    assert events_of(chunks) == [(None, "m", 10), (None, "m", 20), (None, "m", 30)]


def test_one_completion_with_empty_ids_and_running_totals() -> None:
    """The role in each chunk, and usage in each, make no further calls of it; nor do several choices."""
    running = [chunk | {"usage": usage_of(1)} for chunk in stream(1, id_="")]
    second: Chunk = {"index": 1, "delta": {"role": "assistant", "content": "x"}, "finish_reason": None}
    running.insert(3, running[0] | {"choices": [second]})
    assert events_of(running) == [(None, "m", 10)]


@pytest.mark.parametrize("unfinished", [None, ""])
def test_a_finish_reason_that_is_empty(unfinished: str | None) -> None:
    """It is none: an id for each chunk and running totals are one call, whichever of the two stands there."""
    chunks = []
    for number in range(1, 6):
        choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": unfinished if number < 5 else "stop"}
        chunks.append(
            chat(object="chat.completion.chunk", id=f"r{number}", model="m", choices=[choice], usage=usage_of(number))
        )
    assert [found[2] for found in events_of(chunks)] == [50]


def test_responses_and_gemini_that_are_merged() -> None:
    """Their last events name them."""

    def responses(number: int) -> list[Chunk]:
        usage = {"input_tokens": 10 * number, "output_tokens": 1, "total_tokens": 10 * number + 1}
        whole = {"object": "response", "id": f"c{number}", "model": "m", "status": "completed", "usage": usage}
        begun = whole | {"status": "in_progress", "usage": None}
        return [{"type": "response.created", "response": begun}, {"type": "response.completed", "response": whole}]

    def gemini(number: int) -> list[Chunk]:
        usage = {"promptTokenCount": 10 * number, "candidatesTokenCount": 1, "totalTokenCount": 10 * number + 1}
        return [{"responseId": f"c{number}", "modelVersion": "m", "usageMetadata": usage}] * 2

    for provider, make in (("openai", responses), ("google", gemini)):
        taken = [chunk for pair in zip(make(1), make(2), strict=True) for chunk in pair]
        assert events_of(taken, provider) == [("c1", "m", 10), ("c2", "m", 20)]
