"""The same call costs the same, whether its response is the provider's own or comes through LangChain or LiteLLM."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from spendstream.adapters import StreamAccumulator, usage_events
from spendstream.adapters.langchain import fold
from spendstream.adapters.reader import Node
from tests.unit.pricing.test_responses_priced import cost

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SEARCH = {"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search", "query": "secret"}}
OPENED = {"type": "web_search_call", "id": "o", "status": "completed", "action": {"type": "open_page", "url": "secret"}}
CODE = {"type": "code_interpreter_call", "id": "c", "container_id": "k", "code": "secret"}
FILES = {"type": "file_search_call", "id": "f", "queries": ["secret"]}
DRAWN = {"type": "image_generation_call", "id": "i", "result": "secret"}


def responses(model: str, *output: dict[str, Any], **usage: Any) -> dict[str, Any]:
    counts = {"input_tokens": 1000, "output_tokens": 1000, "total_tokens": 2000, **usage}
    return {"id": "r", "object": "response", "model": model, "output": list(output), "usage": counts}


def chat(model: str, **usage: Any) -> dict[str, Any]:
    counts = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000, **usage}
    return {"id": "c", "object": "chat.completion", "model": model, "usage": counts}


def gemini(model: str, grounding: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    counts = {"promptTokenCount": 1000, "candidatesTokenCount": 1000, "totalTokenCount": 2000, **usage}
    candidates = [] if grounding is None else [{"groundingMetadata": grounding}]
    return {"modelVersion": model, "responseId": "r", "usageMetadata": counts, "candidates": candidates}


def claude(model: str, **usage: Any) -> dict[str, Any]:
    return {
        "id": "m",
        "type": "message",
        "model": model,
        "usage": {"input_tokens": 1000, "output_tokens": 1000, **usage},
    }


def converse(**fields: Any) -> dict[str, Any]:
    return {"usage": {"inputTokens": 1000, "outputTokens": 1000, "totalTokens": 2000}, **fields}


def message(model: str, content: Any = "x", more: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    """LangChain's, with what an integration puts beside the usage."""
    return {
        "type": "ai",
        "id": "lc_run--1",
        "content": content,
        "additional_kwargs": more or {},
        "usage_metadata": {"input_tokens": 1000, "output_tokens": 1000, "total_tokens": 2000},
        "response_metadata": {"model_name": model, **said},
    }


def standard(name: str, item: dict[str, Any], **extras: Any) -> dict[str, Any]:
    """LangChain's standard content block of a hosted tool (`output_version="v1"`)."""
    return {
        "type": "server_tool_call",
        "id": item["id"],
        "name": name,
        "args": item.get("action", {}),
        "extras": extras,
    }


TEXT = {"type": "text", "text": "x"}
NOVA = "us.amazon.nova-pro-v1:0"
ROUTED = {"promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"}}
ROUTER = "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/amazon.nova:1"
GPT, FLASH, FLASH3, OPUS, SONAR = (
    "gpt-5.1-2025-11-13",
    "gemini-2.5-flash",
    "gemini-3-flash-preview",
    "claude-opus-4-6",
    "sonar-pro",
)
XAI_TOOLS = {"server_side_tool_usage_details": {"document_search_calls": 1, "web_search_calls": 2}}
LANGCHAIN: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {
    "openai: search, in the content": (
        "openai",
        GPT,
        responses(GPT, SEARCH, OPENED),
        message(GPT, [SEARCH, OPENED, TEXT]),
        "0.02125",
    ),
    "openai: search, in the older form": (
        "openai",
        GPT,
        responses(GPT, SEARCH),
        message(GPT, [TEXT], {"tool_outputs": [SEARCH]}),
        "0.02125",
    ),
    "openai: search, in standard blocks": (
        "openai",
        GPT,
        responses(GPT, SEARCH, OPENED),
        message(GPT, [standard("web_search", SEARCH), standard("web_search", OPENED), TEXT]),
        "0.02125",
    ),
    "openai: containers": ("openai", GPT, responses(GPT, CODE, CODE), message(GPT, [CODE, CODE]), "0.04125"),
    "openai: containers in standard blocks": (
        "openai",
        GPT,
        responses(GPT, CODE),
        message(GPT, [standard("code_interpreter", CODE, container_id="k")]),
        "0.04125",
    ),
    "openai: files": ("openai", GPT, responses(GPT, FILES), message(GPT, [FILES]), "0.01375"),
    "openai: images": ("openai", GPT, responses(GPT, DRAWN), message(GPT, [DRAWN]), "no_price_for_tool"),
    "openai: priority": (
        "openai",
        GPT,
        responses(GPT) | {"service_tier": "priority"},
        message(GPT, service_tier="priority"),
        "0.0225",
    ),
    "xai: search": ("x-ai", "grok-4.3", responses("grok-4.3", SEARCH), message("grok-4.3", [SEARCH]), "0.00875"),
    "xai: tools by name": (
        "x-ai",
        "grok-4.3",
        chat("grok-4.3", **XAI_TOOLS),
        message("grok-4.3", token_usage=XAI_TOOLS),
        "0.02375",
    ),
    "google: grounding": (
        "google",
        FLASH,
        gemini(FLASH, {"webSearchQueries": ["a"]}),
        message(FLASH, grounding_metadata={"web_search_queries": ["a"]}),
        "0.0378",
    ),
    "google: grounding, in camel case": (
        "google",
        FLASH3,
        gemini(FLASH3, {"webSearchQueries": ["a", "b", "a"]}),
        message(FLASH3, groundingMetadata={"webSearchQueries": ["a", "b", "a"]}),
        "0.0315",
    ),
    "google: priority": (
        "google",
        FLASH,
        gemini(FLASH, {"webSearchQueries": ["a"]}, trafficType="ON_DEMAND_PRIORITY"),
        message(
            FLASH,
            grounding_metadata={"web_search_queries": ["a"]},
            usage_metadata={"traffic_type": "ON_DEMAND_PRIORITY"},
        ),
        "0.04004",
    ),
    "google: code of its own, in standard blocks": (
        "google",
        FLASH,
        gemini(FLASH),
        message(FLASH, [standard("code_interpreter", CODE)]),
        "0.0028",
    ),
    "anthropic: fast, in the US": (
        "anthropic",
        OPUS,
        claude(OPUS, speed="fast", inference_geo="us"),
        message(OPUS, usage={"speed": "fast", "inference_geo": "us"}),
        "0.198",
    ),
    "anthropic: in the US": (
        "anthropic",
        OPUS,
        claude(OPUS, inference_geo="us"),
        message(OPUS, usage={"inference_geo": "us"}),
        "0.033",
    ),
    "anthropic: search, in standard blocks too": (
        "anthropic",
        OPUS,
        claude(OPUS, server_tool_use={"web_search_requests": 2}),
        message(OPUS, [standard("web_search", SEARCH)], usage={"server_tool_use": {"web_search_requests": 2}}),
        "0.05",
    ),
    "aws: latency": (
        "aws",
        NOVA,
        converse(performanceConfig={"latency": "optimized"}),
        message(NOVA, performanceConfig={"latency": "optimized"}),
        "0.005",
    ),
    "aws: tier": (
        "aws",
        NOVA,
        converse(serviceTier={"type": "priority"}),
        message(NOVA, serviceTier={"type": "priority"}),
        "0.007",
    ),
    "aws: router": ("aws", ROUTER, converse(trace=ROUTED), message(ROUTER, trace=ROUTED), "0.004"),
    "perplexity: size": (
        "perplexity",
        SONAR,
        chat(SONAR, search_context_size="high"),
        message(SONAR, search_context_size="high"),
        "0.032",
    ),
    "perplexity: searches": (
        "perplexity",
        "sonar-deep-research",
        chat("sonar-deep-research", num_search_queries=2, citation_tokens=500, reasoning_tokens=100),
        message("sonar-deep-research", num_search_queries=2)
        | {
            "usage_metadata": {
                "input_tokens": 1000,
                "output_tokens": 1000,
                "output_token_details": {"reasoning": 100, "citation_tokens": 500},
            }
        },
        "0.0213",
    ),
    "openrouter: stated": (
        "openrouter",
        "some/model-nobody-knows",
        chat("some/model-nobody-knows", cost=0.04),
        message("some/model-nobody-knows", token_usage={"cost": 0.04}),
        "0.04",
    ),
}


def same(provider: str, model: str, own: Any, wrapped: Any, usd: str) -> None:
    answers = [cost(provider, response, model, occurred_at=NOW) for response in (own, wrapped)]
    for answer in answers:
        if usd[0].isdigit():
            assert Decimal(answer) == Decimal(usd), answers
        else:
            assert answer.startswith(usd), answers


@pytest.mark.parametrize("case", LANGCHAIN)
def test_langchain_costs_what_the_call_costs(case: str) -> None:
    """What stands outside of the usage is read where LangChain's integrations put it, in whole messages and chunks."""
    provider, model, own, wrapped, usd = LANGCHAIN[case]
    same(provider, model, own, wrapped, usd)
    stream = StreamAccumulator(provider)
    said: dict[str, Any] = {"grounding_metadata": {}}
    nothing = {"content": "", "additional_kwargs": {}, "response_metadata": said, "usage_metadata": None}
    chunk = wrapped | {"type": "AIMessageChunk"}
    for one in (chunk | nothing, chunk, chunk | nothing):
        stream.add(one)
    streamed: Any = stream.result()
    same(provider, model, own, streamed, usd)


def test_nothing_that_was_written_is_kept_of_a_stream() -> None:
    """Of a block that calls a tool only what it costs stays."""
    known: dict[str, object] = {}
    blocks = [SEARCH, CODE, FILES, DRAWN, standard("web_search", SEARCH), {"type": "text", "text": "secret"}]
    fold(known, Node({"type": "AIMessageChunk", "content": blocks, "response_metadata": {}}, "openai"))
    assert "secret" not in str(known)
    assert "web_search_call" in str(known)


class LiteLLM:
    """The attributes that matter of LiteLLM's ModelResponse; tests/frameworks/calls.py has the real one."""

    object = "chat.completion"
    id = "c"

    def __init__(self, by: str, model: str, usage: dict[str, Any], hidden: Any = None, **fields: Any) -> None:
        self.model = f"{by}/{model}"
        self.usage = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000, **usage}
        self._hidden_params = {"custom_llm_provider": by, **(hidden or {})}
        for name, value in fields.items():
            setattr(self, name, value)


PRIORITY = {"traffic_type": "ON_DEMAND_PRIORITY"}
THROUGH_LITELLM: dict[str, tuple[str, dict[str, Any], LiteLLM, str]] = {
    "gemini: searches among the details": (
        FLASH,
        gemini(FLASH, {"webSearchQueries": ["a"]}),
        LiteLLM("gemini", FLASH, {"prompt_tokens_details": {"web_search_requests": 1}}),
        "0.0378",
    ),
    "gemini: grounding": (
        FLASH,
        gemini(FLASH, {"webSearchQueries": ["a"]}),
        LiteLLM("gemini", FLASH, {}, vertex_ai_grounding_metadata=[{"webSearchQueries": ["a"]}]),
        "0.0378",
    ),
    "gemini: hidden grounding": (
        FLASH3,
        gemini(FLASH3, {"webSearchQueries": ["a", "b", "a"]}),
        LiteLLM("gemini", FLASH3, {}, {"vertex_ai_grounding_metadata": [{"webSearchQueries": ["a", "b", "a"]}]}),
        "0.0315",
    ),
    "gemini: both say it": (
        FLASH3,
        gemini(FLASH3, {"webSearchQueries": ["a", "b"]}),
        LiteLLM(
            "gemini",
            FLASH3,
            {"prompt_tokens_details": {"web_search_requests": 2}},
            vertex_ai_grounding_metadata=[{"webSearchQueries": ["a", "b"]}],
        ),
        "0.0315",
    ),
    "vertex: priority in the usage": (
        FLASH,
        gemini(FLASH, trafficType="ON_DEMAND_PRIORITY"),
        LiteLLM("vertex_ai", FLASH, PRIORITY),
        "0.00504",
    ),
    "vertex: priority beside it": (
        FLASH,
        gemini(FLASH, trafficType="ON_DEMAND_PRIORITY"),
        LiteLLM("vertex_ai", FLASH, {}, provider_specific_fields=PRIORITY),
        "0.00504",
    ),
    "vertex: hidden priority": (
        FLASH,
        gemini(FLASH, trafficType="ON_DEMAND_PRIORITY"),
        LiteLLM("vertex_ai", FLASH, {}, {"provider_specific_fields": PRIORITY}),
        "0.00504",
    ),
    "anthropic: fast, in the US": (
        OPUS,
        claude(OPUS, speed="fast", inference_geo="us"),
        LiteLLM("anthropic", OPUS, {"speed": "fast", "inference_geo": "us"}),
        "0.198",
    ),
    "anthropic: search": (
        OPUS,
        claude(OPUS, server_tool_use={"web_search_requests": 2}),
        LiteLLM("anthropic", OPUS, {"server_tool_use": {"web_search_requests": 2}}),
        "0.05",
    ),
    "xai: its own count is copied": (
        "grok-4.3",
        chat("grok-4.3", server_side_tool_usage_details={"web_search_calls": 1}),
        LiteLLM(
            "xai",
            "grok-4.3",
            {
                "server_side_tool_usage_details": {"web_search_calls": 1},
                "prompt_tokens_details": {"web_search_requests": 1},
            },
        ),
        "0.00875",
    ),
    "perplexity: size": (
        SONAR,
        chat(SONAR, search_context_size="high"),
        LiteLLM("perplexity", SONAR, {"search_context_size": "high"}),
        "0.032",
    ),
}
_OWN = {"gemini": "google", "vertex_ai": "google", "xai": "x-ai"}


@pytest.mark.parametrize("case", THROUGH_LITELLM)
def test_litellm_costs_what_the_call_costs(case: str) -> None:
    """Whether the service says `litellm` or the provider, in whole answers and in streams."""
    model, own, wrapped, usd = THROUGH_LITELLM[case]
    by = wrapped._hidden_params["custom_llm_provider"]
    provider = _OWN.get(by, by)
    assert Decimal(cost(provider, own, model, occurred_at=NOW)) == Decimal(usd)
    response: Any = wrapped
    assert Decimal(cost("litellm", response, model, occurred_at=NOW)) == Decimal(usd)
    stream = StreamAccumulator("litellm")
    for chunk in (LiteLLM(by, model, {}), wrapped):
        stream.add(chunk)
    streamed: Any = stream.result()
    assert Decimal(cost(provider, streamed, model, occurred_at=NOW)) == Decimal(usd)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"server_side_tool_usage_details": {"file_search_calls": 1}}, "0.00625"),
        ({"server_side_tool_usage_details": {"document_search_calls": 1}}, "0.01375"),
        (XAI_TOOLS, "0.02375"),
        ({"server_side_tool_usage_details": {"document_search_calls": 1, "file_search_calls": 1}}, "unknown_condition"),
        ({"server_side_tool_usage_details": {"image_generation_calls": 1}}, "no_price_for_tool"),
        ({"server_side_tool_usage_details": {"view_image_calls": 1}}, "unknown_condition"),
        ({"server_side_tool_usage_details": {"view_x_video_calls": 2, "web_search_calls": 1}}, "unknown_condition"),
        ({"server_side_tool_usage_details": {"mcp_calls": 3}}, "0.00375"),
        ({"server_side_tool_usage_details": {"view_image_calls": 0}}, "0.00375"),
        ({"num_server_side_tools_used": 1}, "unknown_condition"),
        ({"num_server_side_tools_used": 2, "server_side_tool_usage_details": {"web_search_calls": 2}}, "0.01375"),
        ({"num_server_side_tools_used": 3, "server_side_tool_usage_details": {"mcp_calls": 2}}, "unknown_condition"),
        ({"num_sources_used": 5, "server_side_tool_usage_details": {"web_search_calls": 1}}, "0.00875"),
    ],
)
def test_every_tool_of_xai_is_priced_or_said_to_have_no_price(usage: dict[str, Any], usd: str) -> None:
    """Attachments cost $10 per thousand searches, collections $2.50; what nobody knows is priced as xAI states it."""
    answer = cost("x-ai", chat("grok-4.3", **usage), "grok-4.3", occurred_at=NOW)
    if usd[0].isdigit():
        assert Decimal(answer) == Decimal(usd)
    else:
        assert answer.startswith(usd)
        stated = chat("grok-4.3", **usage, cost_in_usd_ticks=137_500_000)
        assert Decimal(cost("x-ai", stated, "grok-4.3", occurred_at=NOW)) == Decimal("0.01375")


def test_calls_that_xai_lists_are_no_unknown_tools() -> None:
    """The Responses API lists them; how many sources they cited is not billed."""
    response = responses("grok-4.3", SEARCH, num_server_side_tools_used=1, num_sources_used=5)
    assert Decimal(cost("x-ai", response, "grok-4.3", occurred_at=NOW)) == Decimal("0.00875")


def test_the_unknown_tool_is_named() -> None:
    """In the event, and so in the reason."""
    response = chat("grok-4.3", server_side_tool_usage_details={"view_image_calls": 1})
    (event,) = usage_events("x-ai", response, source="test", model="grok-4.3")
    assert event.conditions is not None
    assert event.conditions.search_context == "view_image_calls"
