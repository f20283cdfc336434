"""Providers with an OpenAI-compatible API whose usage means something else."""

from typing import Any

import pytest

from spendstream.adapters import AdapterError, StreamAccumulator, extract
from spendstream_schemas import Conditions, ToolCalls
from tests.unit.producers.adapters.support import meters


def chat(**usage: Any) -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion", "model": "m", "usage": usage}


def test_deepseek_cache_hits_are_cache_reads() -> None:
    """Hits and misses add up to prompt_tokens."""
    found = extract(
        "deepseek",
        chat(prompt_tokens=100, completion_tokens=5, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
    )
    assert meters(found) == {"input_tokens": 100, "cache_read_tokens": 64, "output_tokens": 5}


def test_deepseek_hits_and_misses_must_add_up() -> None:
    """They are not repaired when they do not."""
    with pytest.raises(AdapterError, match="= 101, but prompt_tokens = 100"):
        extract("deepseek", chat(prompt_tokens=100, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=37))


@pytest.mark.parametrize(
    ("completion", "total", "output"),
    [(9, 135, 103), (103, 135, 103), (9, None, 103)],
    ids=["reasoning outside", "reasoning inside", "no total: as documented"],
)
def test_xai_reasoning_stands_outside_unless_the_total_says_otherwise(
    completion: int, total: int | None, output: int
) -> None:
    """xAI's own example: 32 prompt, 9 completion and 94 reasoning tokens are 135 in total."""
    usage = chat(
        prompt_tokens=32,
        completion_tokens=completion,
        total_tokens=total,
        completion_tokens_details={"reasoning_tokens": 94},
    )
    assert meters(extract("x-ai", usage)) == {"input_tokens": 32, "output_tokens": output, "reasoning_tokens": 94}


def test_xai_totals_that_fit_neither_way_are_refused() -> None:
    """Neither reading gives the total, so neither is taken."""
    with pytest.raises(AdapterError, match="total_tokens = 136 is neither"):
        extract(
            "x-ai",
            chat(
                prompt_tokens=32,
                completion_tokens=9,
                total_tokens=136,
                completion_tokens_details={"reasoning_tokens": 94},
            ),
        )


def test_xai_tool_calls_are_read_from_the_usage() -> None:
    """Search on X is a tool of its own; search in attachments is a search in files at another price."""
    details = {"web_search_calls": 2, "x_search_calls": 1, "document_search_calls": 4}
    found = extract("x-ai", chat(prompt_tokens=1, completion_tokens=1, server_side_tool_usage_details=details))
    assert found.tool_calls == ToolCalls(web_search=2, social_search=1, file_search=4)
    assert found.conditions == Conditions(search_context="attachment")


def test_perplexity_bills_citations_reasoning_and_searches_beside_the_answer() -> None:
    """All three stand outside of completion_tokens."""
    found = extract(
        "perplexity",
        chat(
            prompt_tokens=10,
            completion_tokens=100,
            citation_tokens=500,
            reasoning_tokens=2000,
            num_search_queries=7,
            search_context_size="high",
        ),
    )
    assert meters(found) == {
        "input_tokens": 10,
        "output_tokens": 2600,
        "citation_tokens": 500,
        "reasoning_tokens": 2000,
    }
    assert found.tool_calls == ToolCalls(web_search=7)
    assert found.conditions == Conditions(search_context="high")


def test_groq_streams_carry_usage_in_their_own_field() -> None:
    """The last chunk has x_groq.usage; on_demand is the standard tier."""
    stream = StreamAccumulator("groq")
    stream.add({"id": "1", "object": "chat.completion.chunk", "model": "m", "x_groq": {"id": "req"}})
    stream.add(
        {
            "id": "1",
            "object": "chat.completion.chunk",
            "service_tier": "on_demand",
            "x_groq": {"id": "req", "usage": {"prompt_tokens": 3, "completion_tokens": 4, "queue_time": 0.1}},
        }
    )
    found = stream.result()
    assert meters(found) == {"input_tokens": 3, "output_tokens": 4}
    assert found.service_tier == "standard"


def test_together_reports_cached_tokens_beside_the_totals() -> None:
    """cached_tokens may stand in the usage object itself; 0 stays 0."""
    assert meters(extract("together", chat(prompt_tokens=5, completion_tokens=1, cached_tokens=0))) == {
        "input_tokens": 5,
        "cache_read_tokens": 0,
        "output_tokens": 1,
    }


def test_openrouter_reports_cache_writes() -> None:
    """Its usage has OpenAI's fields, and its own cost fields are ignored."""
    details = {"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0}
    found = extract(
        "openrouter", chat(prompt_tokens=194, completion_tokens=2, prompt_tokens_details=details, cost=0.95)
    )
    assert meters(found) == {
        "input_tokens": 194,
        "cache_read_tokens": 0,
        "cache_write_tokens": 100,
        "input_audio_tokens": 0,
        "output_tokens": 2,
    }


def test_litellm_keeps_anthropics_cache_writes_inside_the_prompt() -> None:
    """With their lifetimes where the details say them."""
    found = extract(
        "litellm",
        chat(
            prompt_tokens=2450,
            completion_tokens=10,
            total_tokens=2460,
            cache_read_input_tokens=2000,
            cache_creation_input_tokens=400,
            prompt_tokens_details={
                "cached_tokens": 2000,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 300},
            },
        ),
    )
    assert meters(found) == {
        "input_tokens": 2450,
        "cache_read_tokens": 2000,
        "cache_write_5m_tokens": 100,
        "cache_write_1h_tokens": 300,
        "output_tokens": 10,
    }
    plain = extract("litellm", chat(prompt_tokens=9, completion_tokens=1, cache_creation_input_tokens=4))
    assert meters(plain) == {"input_tokens": 9, "cache_write_tokens": 4, "output_tokens": 1}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": None, "completion_tokens": 3, "total_tokens": 10}, (7, 3)),
        ({"completion_tokens": 3, "total_tokens": 10}, (7, 3)),
        ({"prompt_tokens": 7, "total_tokens": 10}, (7, 3)),
        ({"input_tokens": None, "output_tokens": 3, "total_tokens": 10}, (7, 3)),
        ({"prompt_tokens": 7, "total_tokens": 7}, (7, None)),
        ({"prompt_tokens": 0, "completion_tokens": 3, "total_tokens": 10}, (0, 3)),
        ({"prompt_tokens": 7, "completion_tokens": 3}, (7, 3)),
    ],
    ids=str,
)
@pytest.mark.parametrize("provider", ["openai", "vllm", "nobody-knows-it"])
def test_the_total_says_what_is_not_reported(
    provider: str, usage: dict[str, int | None], expected: tuple[int, int | None]
) -> None:
    """One of input and output may be missing; a 0 is reported."""
    found = meters(extract(provider, {"object": "chat.completion", "usage": usage}))
    assert (found.get("input_tokens"), found.get("output_tokens")) == expected


@pytest.mark.parametrize("provider", ["openai", "azure", "openrouter", "google", "vllm", "nobody-knows-it"])
@pytest.mark.parametrize(
    ("written", "total", "output"), [(9, 135, 103), (100, 226, 194), (100, 132, 100), (100, None, 100)], ids=str
)
def test_the_total_says_where_reasoning_stands(provider: str, written: int, total: int | None, output: int) -> None:
    """Beside the answer, however much it is, if the total is the sum of all three (Grok as Azure serves it)."""
    usage = {"prompt_tokens": 32, "completion_tokens": written, "completion_tokens_details": {"reasoning_tokens": 94}}
    body: dict[str, Any] = {"object": "chat.completion", "usage": usage | {"total_tokens": total}}
    assert meters(extract(provider, body)) == {"input_tokens": 32, "output_tokens": output, "reasoning_tokens": 94}


@pytest.mark.parametrize("provider", ["openai", "vllm", "nobody-knows-it"])
def test_more_reasoning_than_answer_needs_a_total_that_is_the_sum(provider: str) -> None:
    """Else the numbers contradict each other."""
    usage = {"prompt_tokens": 32, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 94}}
    with pytest.raises(AdapterError, match="contradicts itself"):
        extract(provider, {"object": "chat.completion", "usage": usage | {"total_tokens": 41}})


@pytest.mark.parametrize(("total", "output"), [(1100, 100), (1020, 20), (None, 20)])
def test_what_gemini_thought_is_in_the_total_only(total: int | None, output: int) -> None:
    """In OpenAI's form, as Google serves it; thoughts are billed as output."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": total}
    found = meters(extract("google", {"object": "chat.completion", "usage": usage}))
    assert (found["output_tokens"], found.get("reasoning_tokens")) == (output, 80 if output == 100 else None)
