"""`litellm`: who served, behind the gateway."""

import base64
from typing import Any, Final

import pytest

from spendstream.adapters import AdapterError, ExtractedUsage, StreamAccumulator, extract, usage_event, usage_events
from spendstream.adapters.litellm import served_by
from spendstream_schemas import UsageEvent


class Answer:
    """The attributes that matter of LiteLLM's ModelResponse; tests/frameworks/calls.py has the real one."""

    object = "chat.completion"

    def __init__(self, hidden: Any, model: str = "gemini-2.5-flash") -> None:
        self._hidden_params, self.model = hidden, model
        self.usage: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("hidden", "provider"),
    [
        ({"custom_llm_provider": "gemini"}, "google"),
        ({"custom_llm_provider": "vertex_ai"}, "google"),
        ({"custom_llm_provider": "bedrock_converse"}, "aws"),
        ({"custom_llm_provider": "xai"}, "x-ai"),
        ({"custom_llm_provider": "groq"}, "groq"),
        ({"litellm_model_name": "anthropic/claude-sonnet-4-5"}, "anthropic"),
        ({"litellm_model_name": "openrouter/anthropic/claude-sonnet-4-5"}, "openrouter"),
        ({"litellm_model_name": "gpt-4o"}, None),
        ({"custom_llm_provider": 7}, None),
        ({}, None),
        (None, None),
        ("gemini", None),
    ],
)
def test_the_provider_that_served_is_the_events(hidden: Any, provider: str | None) -> None:
    """By our name for it; what says nothing stays the gateway's."""
    assert served_by(Answer(hidden)) == provider
    event = usage_event("litellm", Answer(hidden), source="svc", model="asked")
    assert event.provider == (provider or "litellm")
    if provider is not None:
        assert event.response_model == "gemini-2.5-flash"


SERVED = {
    "gemini": ("gemini-2.5-flash", "google"),
    "vertex_ai": ("claude-sonnet-4-5@20250929", "google"),
    "bedrock": ("us.amazon.nova-pro-v1:0", "aws"),
    "azure": ("gpt-5.1", "azure"),
    "cohere_chat": ("command-a-03-2025", "cohere"),
    "xai": ("grok-4.3", "x-ai"),
    "deepinfra": ("meta-llama/Llama-3.3-70B-Instruct", "deepinfra"),
    "openrouter": ("anthropic/claude-sonnet-4.5", "openrouter"),
    "together_ai": ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
    "groq": ("openai/gpt-oss-120b", "groq"),
    "fireworks_ai": ("accounts/fireworks/models/gpt-oss-120b", "fireworks"),
    "hosted_vllm": ("meta-llama/Llama-3.1-8B-Instruct", "vllm"),
    "nvidia_nim": ("meta/llama-3.3-70b-instruct", "nvidia"),
}


@pytest.mark.parametrize("server", SERVED)
def test_only_the_name_of_the_server_is_cut_off_a_model(server: str) -> None:
    """Some answers have it before the provider's name of the model and some have not, also those of one provider,
    whole and in a stream; a maker is part of the name."""
    model, provider = SERVED[server]
    for spelt in (model, f"{server}/{model}"):
        answer = Answer({"custom_llm_provider": server}, spelt)
        stream = StreamAccumulator("litellm")
        stream.add(answer)
        for found in (extract("litellm", answer), stream.result()):
            assert (found.provider, found.response_model) == (provider, model)


def test_who_says_the_provider_is_believed() -> None:
    """Only a call that is tracked as `litellm` asks LiteLLM who served."""
    assert usage_event("openai", Answer({"custom_llm_provider": "groq"}), source="s", model="m").provider == "openai"


def test_an_id_that_litellm_has_wrapped_is_the_provider_s() -> None:
    """So the same call, seen by the provider's own SDK too, has one id; what only looks like it stays as it is."""
    inner = "litellm:custom_llm_provider:openai;model_id:None;response_id:resp_abc"
    wrapped = "resp_" + base64.b64encode(inner.encode()).decode()
    body = {"object": "response", "model": "gpt-5", "usage": {"input_tokens": 1, "output_tokens": 2}}
    ids = {wrapped: "resp_abc", wrapped.rstrip("="): "resp_abc", "resp_bGl0ZWxsbT!": "resp_bGl0ZWxsbT!", "r": "r"}
    for given, expected in ids.items():
        assert extract("litellm", body | {"id": given}).response_id == expected


ITERATIONS: Final[list[dict[str, Any]]] = [
    {"type": "compaction", "input_tokens": 5000, "output_tokens": 100},
    {"type": "message", "input_tokens": 1000, "output_tokens": 1000, "cache_read_input_tokens": 300},
    {
        "type": "advisor_message",
        "model": "claude-opus-4-6",
        "input_tokens": 4000,
        "output_tokens": 200,
        "cache_read_input_tokens": 700,
        "cache_creation_input_tokens": 90,
        "output_tokens_details": {"thinking_tokens": 50},
    },
    {"type": "advisor_message", "model": "claude-opus-4-6", "input_tokens": 30, "output_tokens": 4},
]


def summed_up() -> dict[str, Any]:
    """As LiteLLM's calculate_usage does: all iterations in the totals, the cache in the prompt."""

    def all_of(name: str) -> int:
        return sum(one.get(name, 0) for one in ITERATIONS)

    read, written = all_of("cache_read_input_tokens"), all_of("cache_creation_input_tokens")
    prompt, completion = all_of("input_tokens") + read + written, all_of("output_tokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_creation_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": 50},
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "iterations": ITERATIONS,
        "speed": "fast",
    }


def test_an_advisor_s_tokens_are_not_the_main_model_s() -> None:
    """LiteLLM's totals have those of all iterations; each advisor's become an event of its own, as Anthropic's own
    response of the same call says."""
    own = {
        "type": "message",
        "model": "claude-sonnet-4-5",
        "usage": ITERATIONS[1] | {"iterations": ITERATIONS, "speed": "fast"},
    }
    direct = usage_events("anthropic", own, source="svc", model="claude-sonnet-4-5", event_id="e")
    answer = Answer({"custom_llm_provider": "anthropic"}, "anthropic/claude-sonnet-4-5")
    answer.usage = summed_up()
    stream = StreamAccumulator("litellm")
    stream.add(answer)
    for found in (extract("litellm", answer), stream.result()):
        events = usage_events("litellm", found, source="svc", model="anthropic/claude-sonnet-4-5", event_id="e")
        assert [event.provider for event in events] == ["anthropic"] * 3
        for ours, theirs in zip(events, direct, strict=True):
            assert (ours.response_model, ours.conditions) == (theirs.response_model, theirs.conditions)
            assert counts(ours) == counts(theirs)


def counts(event: UsageEvent) -> dict[str, Any]:
    """The meters that are not 0."""
    return {name: count for name, count in event.usage.model_dump(exclude={"kind"}).items() if count}


def test_advisors_that_used_more_than_all_together_contradict_the_totals() -> None:
    """The counts of such an answer are not repaired by guessing."""
    usage = summed_up() | {"completion_tokens": 100}
    with pytest.raises(AdapterError, match="advisors have 200 output_tokens, but all together are 100"):
        extract("litellm", {"object": "chat.completion", "model": "m", "usage": usage})


def through(server: str, model: str, **usage: Any) -> list[ExtractedUsage]:
    """What LiteLLM's answer says, whole and as the last chunk of a stream."""
    answer = Answer({"custom_llm_provider": server}, model)
    answer.usage = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000} | usage
    stream = StreamAccumulator("litellm")
    stream.add(answer)
    return [extract("litellm", answer), stream.result()]


STATED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "openrouter": ("openrouter", {"cost": 0.5}),
    "openrouter with a key of one's own": (
        "openrouter",
        {"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}},
    ),
    "xai": ("xai", {"cost_in_usd_ticks": 50_000_000, "cost": 0.005}),
    "perplexity": ("perplexity", {"cost": {"total_cost": 0.032}}),
    "perplexity in euros": ("perplexity", {"cost": {"total_cost": 0.032, "currency": "EUR"}}),
}


@pytest.mark.parametrize("name", STATED)
def test_what_the_server_states_is_stated(name: str) -> None:
    """As in the provider's own response, whole and in a stream."""
    server, usage = STATED[name]
    body = {"object": "chat.completion", "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1, **usage}}
    direct = extract(server, body)
    assert (direct.stated_cost_usd is None) == (direct.stated_cost_refused is not None)
    for found in through(server, "m", **usage):
        assert found.stated_cost_usd == direct.stated_cost_usd
        assert (found.stated_cost_refused is None) == (direct.stated_cost_refused is None)


@pytest.mark.parametrize("server", ["openai", "anthropic", "groq", "together_ai", "litellm_proxy"])
def test_what_litellm_has_computed_is_not_stated(server: str) -> None:
    """Its ``usage.cost`` of other providers comes from its own table."""
    assert [found.stated_cost_usd for found in through(server, "m", cost=0.5)] == [None, None]


@pytest.mark.parametrize(
    ("usage", "output"),
    [
        ({"reasoning_tokens": 2000}, 3500),
        ({"completion_tokens_details": {"reasoning_tokens": 2000}}, 3500),
        ({"reasoning_tokens": 2000, "completion_tokens_details": {"reasoning_tokens": 2000}}, 3500),
        ({"completion_tokens_details": {"reasoning_tokens": 0}}, 1500),
        ({}, 1500),
    ],
)
def test_perplexity_s_reasoning_and_citations_are_beside_its_answer(usage: dict[str, Any], output: int) -> None:
    """LiteLLM moves the reasoning into the details, and leaves the answer's count as it is."""
    for found in through("perplexity", "perplexity/sonar-deep-research", citation_tokens=500, **usage):
        assert found.usage is not None
        assert (found.usage.output_tokens, found.usage.citation_tokens) == (output, 500)
        assert (found.usage.reasoning_tokens or 0) == output - 1500


@pytest.mark.parametrize("tier", ["standard", "priority", "batch"])
def test_anthropic_s_tier_is_the_one_in_the_usage(tier: str) -> None:
    """LiteLLM leaves it there; what stands in the response itself goes before."""
    assert [found.service_tier for found in through("anthropic", "m", service_tier=tier)] == [tier] * 2
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "service_tier": tier}
    body = {"object": "chat.completion", "model": "m", "usage": usage}
    assert extract("litellm", body).service_tier == tier
    assert extract("litellm", body | {"service_tier": "flex"}).service_tier == "flex"
