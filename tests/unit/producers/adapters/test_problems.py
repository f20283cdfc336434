"""Responses of every provider in which one field is not what it should be, through `track` and the price book."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from spendstream.adapters.problems import problem, reading
from spendstream_schemas import TokenUsage, UsageEvent
from stream_jobs.facts import facts_of
from tests.unit.pricing.shipped import shipped_book as book
from tests.unit.producers.adapters import (
    test_anthropic,
    test_bedrock,
    test_cohere,
    test_deepgram,
    test_gemini,
    test_mistral,
    test_openai,
    test_openai_responses,
    test_openai_video,
)
from tests.unit.producers.adapters.forms import LLAMA_CPP, OLLAMA_CHAT, SGLANG, TITAN, VOYAGE
from tests.unit.producers.recorder import Recorder

OPENAI_USAGE: dict[str, Any] = {
    "prompt_tokens": 1000,
    "completion_tokens": 300,
    "total_tokens": 1300,
    "prompt_tokens_details": {"cached_tokens": 200, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 100},
}


def openai_shaped(model: str, **usage: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion",
        "model": model,
        "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "secret"}}],
        "usage": OPENAI_USAGE | usage,
    }


MESSAGE: dict[str, Any] = test_anthropic.MESSAGE | {
    "usage": test_anthropic.USAGE | {"service_tier": "standard", "speed": "standard", "inference_geo": "global"}
}
LANGCHAIN: dict[str, Any] = {
    "type": "ai",
    "id": "run-1",
    "content": "secret",
    "response_metadata": {"model_name": "gpt-4o-2024-08-06", "id": "chatcmpl-7", "service_tier": "default"},
    "usage_metadata": {
        "input_tokens": 1000,
        "output_tokens": 300,
        "total_tokens": 1300,
        "input_token_details": {"cache_read": 200},
        "output_token_details": {"reasoning": 100},
    },
}
RESPONSES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "openai chat": ("openai", "gpt-4o", openai_shaped("gpt-4o-2024-08-06")),
    "openai responses": ("openai", "gpt-5", test_openai_responses.RESPONSE),
    "openai video": ("openai", "sora-2-pro", test_openai_video.JOB),
    "openai embeddings": ("voyageai", "voyage-3.5", VOYAGE),
    "openai, all of it": ("openai", "gpt-4o", test_openai.CHAT),
    "azure": ("azure", "gpt-4o", openai_shaped("gpt-4o-2024-08-06")),
    "groq": ("groq", "openai/gpt-oss-120b", openai_shaped("openai/gpt-oss-120b")),
    "deepseek": (
        "deepseek",
        "deepseek-chat",
        openai_shaped("deepseek-chat", prompt_cache_hit_tokens=200, prompt_cache_miss_tokens=800),
    ),
    "x-ai": ("x-ai", "grok-4", openai_shaped("grok-4", total_tokens=1400, num_sources_used=0)),
    "perplexity": (
        "perplexity",
        "sonar",
        openai_shaped("sonar", search_context_size="high", num_search_queries=1, prompt_tokens_details=None),
    ),
    "openrouter": ("openrouter", "openai/gpt-4o", openai_shaped("openai/gpt-4o", cost=0.01)),
    "dashscope": (
        "dashscope",
        "qwen-plus",
        {"request_id": "r", "output": {"text": "secret"}, "usage": {"input_tokens": 1000, "output_tokens": 200}},
    ),
    "anthropic": ("anthropic", "claude-opus-5", MESSAGE),
    "anthropic on aws": ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", MESSAGE),
    "google": ("google", "gemini-2.5-flash", test_gemini.RESPONSE),
    "aws": ("aws", "us.amazon.nova-pro-v1:0", test_bedrock.RESPONSE),
    "aws titan": ("aws", "amazon.titan-text-express-v1", TITAN),
    "cohere": ("cohere", "command-a-03-2025", test_cohere.CHAT),
    "mistral": ("mistral", "mistral-large-2512", test_mistral.CHAT),
    "deepgram": ("deepgram", "nova-3", test_deepgram.recording(2)),
    "ollama": ("ollama", "llama3.2", OLLAMA_CHAT),
    "llama.cpp": ("llama.cpp", "qwen3-8b", LLAMA_CPP),
    "sglang": ("sglang", "qwen3-8b", SGLANG),
    "langchain": ("openai", "gpt-4o", LANGCHAIN),
    "unknown": ("nobody-knows-it", "gpt-4o", openai_shaped("gpt-4o")),
}
HOSTILE: list[Any] = [
    12345678901234567890,
    -1,
    True,
    1.5,
    float("nan"),
    10**40,
    "x" * 300,
    "a\nb",
    b"bytes",
    {"a": 1},
    [1],
    ["x", {"type": 5}],
    object(),
]


def cost(events: list[UsageEvent]) -> int | None:
    """What the call costs, in pico-USD; None if a part of it is unpriced."""
    costs = [book().price(facts_of(event)).list_cost for event in events]
    return sum(one for one in costs if one is not None) if None not in costs else None


def counted(events: list[UsageEvent]) -> dict[str, Any]:
    usage = events[0].usage
    assert isinstance(usage, TokenUsage)
    return usage.model_dump(exclude_none=True)


def tracked(provider: str, model: str, response: Any, **fields: Any) -> Recorder:
    recorder = Recorder()
    with recorder.track(provider=provider, model=model, **fields) as call:
        assert call.record(response) is response
    assert recorder.events
    return recorder


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def changed(response: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The response with the value at this place; without what stands there if the value is None."""
    found = copy.deepcopy(response)
    holder = found
    for key in path[:-1]:
        holder = holder[key]
    if value is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return found


def _may_be(value: Any, response: Any, path: tuple[Any, ...]) -> bool:
    """Whether the value is none that is bad there: parts of a second, an object with fields that nobody knows."""
    before = response
    for key in path:
        before = before[key]
    return (value == 1.5 and path[-1] in ("seconds", "duration")) or (
        isinstance(value, dict) and isinstance(before, dict)
    )


@pytest.mark.parametrize("name", RESPONSES)
def test_a_bad_field_costs_nothing_else(name: str) -> None:
    """Counts that do not hang on it stay; the call never becomes cheaper without being unpriced; nothing raises."""
    provider, model, response = RESPONSES[name]
    clean = tracked(provider, model, response)
    whole, price = counted(clean.events), cost(clean.events)
    assert len(whole) > 1
    for path in places(response):
        without = counted(tracked(provider, model, changed(response, path, None)).events)
        untouched = {meter: count for meter, count in whole.items() if without.get(meter) == count}
        for value in HOSTILE:
            if _may_be(value, response, path):
                continue
            found = tracked(provider, model, changed(response, path, value))
            where = (path, value, found.events)
            kept = counted(found.events)
            assert untouched.items() <= kept.items(), where
            paid = cost(found.events)
            assert price is None or paid is None or paid >= price, where


@pytest.mark.parametrize("field", ["prompt_tokens_details", "completion_tokens_details"])
def test_details_that_are_none(field: str) -> None:
    """The totals stay. What the details would have said may be dearer, so nothing is priced; it counts as trouble."""
    recorder = tracked("openai", "gpt-4o", openai_shaped("gpt-4o-2024-08-06", **{field: "x"}))
    assert recorder.only.usage.model_dump()["input_tokens"] == 1000
    assert recorder.only.usage.model_dump()["output_tokens"] == 300
    assert (recorder.only.response_model, cost(recorder.events)) == ("unreadable", None)
    assert recorder._counters.keyed()[2] == {"unreadable_response": 1}


@pytest.mark.parametrize("name", ["anthropic", "google", "mistral", "langchain", "ollama", "openai chat"])
def test_a_name_that_cannot_be_read_is_counted(name: str) -> None:
    """The counts are all there; the model says that it was unreadable, and the counter that something was."""
    provider, model, response = RESPONSES[name]
    where = {"google": ("modelVersion",), "langchain": ("response_metadata", "model_name")}.get(name, ("model",))
    clean, found = tracked(provider, model, response), tracked(provider, model, changed(response, where, "x" * 202))
    assert counted(found.events) == counted(clean.events)
    assert found.events[0].response_model == "unreadable"
    assert found._counters.keyed()[2] == {"unreadable_response": 1}


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (("openai", ""), {}),
        (("openai", None), {}),
        (("openai", "m" * 300), {}),
        (("openai", 5), {}),
        (("p" * 300, "gpt-4o"), {}),
        (("", "gpt-4o"), {}),
        ((None, "gpt-4o"), {}),
        (("openai", "gpt-4o"), {"event_id": "e" * 500}),
        (("openai", "gpt-4o"), {"event_id": 5}),
        (("openai", "gpt-4o"), {"region": 5, "trace_id": "t" * 999}),
    ],
    ids=str,
)
def test_what_the_service_says_wrongly_costs_no_counts(asked: tuple[Any, Any], fields: dict[str, Any]) -> None:
    """One event comes out, with the counts; what is wrong with it is counted."""
    recorder = tracked(*asked, openai_shaped("gpt-4o-2024-08-06"), **fields)
    assert recorder.only.usage.model_dump()["input_tokens"] == 1000
    assert recorder.only.response_model == "gpt-4o-2024-08-06"
    errors = recorder._counters.keyed()[2]
    assert errors.get("invalid_fields") or asked == ("openai", None), errors


def test_a_chunk_that_cannot_be_read_leaves_the_stream_unpriced() -> None:
    """What other chunks say stays; without the bad one they may be too cheap."""
    stream = StreamAccumulator("anthropic")
    stream.add({"type": "message_start", "message": MESSAGE})
    with pytest.raises(AdapterError, match="expected an object"):
        stream.add({"type": "message_delta", "usage": "x"})
    found = stream.result()
    assert found.response_model == "unreadable"
    assert found.usage is not None


def test_without_salvage_a_response_is_refused() -> None:
    """`extract` raises as before, also where another response is being read for what is left of it around it."""
    bad = openai_shaped("gpt-4o", prompt_tokens_details="x")
    with pytest.raises(AdapterError, match="prompt_tokens_details: expected an object"):
        extract("openai", bad)
    assert extract("openai", bad, salvage=True).unreadable
    with reading(salvage=True) as problems:
        with pytest.raises(AdapterError):
            extract("openai", bad)
        problem("said")
    assert (problems.said, problems.lost) == (["said"], True)
