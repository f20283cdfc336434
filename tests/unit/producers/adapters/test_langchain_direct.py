"""`langchain`: what a message says of fees, modalities and costs is what the provider's own response says of them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import pytest

from spendstream.adapters import ExtractedUsage, StreamAccumulator, extract
from spendstream.adapters.gemini import UNKNOWN_MODALITY
from spendstream_schemas import ToolCalls

Body = dict[str, Any]
USAGE: Final = {"input_tokens": 1000, "output_tokens": 1000, "total_tokens": 2000}


def message(model: str, *content: Body, usage: Body | None = None, **metadata: Any) -> Body:
    told = {"model_name": model} | metadata
    return {"type": "ai", "content": list(content), "usage_metadata": usage or USAGE, "response_metadata": told}


def both(provider: str, whole: Body) -> list[ExtractedUsage]:
    """Of the message, and of a stream in which all of it comes with the first chunk, and empty values after it."""
    stream = StreamAccumulator(provider)
    stream.add(whole | {"type": "AIMessageChunk"})
    stream.add({"type": "AIMessageChunk", "content": [], "response_metadata": {"model_name": ""}})
    return [extract(provider, whole), stream.result()]


def modality(**counts: int) -> list[Body]:
    return [{"modality": kind, "token_count": count} for kind, count in counts.items()]


VERTEX: Final[dict[str, tuple[str, Body]]] = {
    "audio in": ("gemini-2.5-flash", {"prompt_tokens_details": modality(AUDIO=1000)}),
    "images and video in": ("gemini-2.5-flash", {"prompt_tokens_details": modality(TEXT=100, IMAGE=600, VIDEO=300)}),
    "cached audio": (
        "gemini-2.5-flash",
        {
            "cached_content_token_count": 400,
            "cache_tokens_details": modality(AUDIO=400),
            "prompt_tokens_details": modality(AUDIO=900, TEXT=100),
        },
    ),
    "images out": ("gemini-2.5-flash-image", {"candidates_tokens_details": modality(IMAGE=1000)}),
    "text of a model of images": ("gemini-2.5-flash-image", {"candidates_tokens_details": modality(TEXT=1000)}),
    "thoughts beside the answer": ("gemini-2.5-flash", {"thoughts_token_count": 3000}),
    "tokens of tools": ("gemini-2.5-flash", {"tool_use_prompt_token_count": 500}),
    "a kind that nobody knows": ("gemini-2.5-flash", {"prompt_tokens_details": modality(SMELL=10)}),
}


@pytest.mark.parametrize("name", VERTEX)
def test_vertex_ai_s_own_usage_goes_before_langchain_s(name: str) -> None:
    """langchain-google-vertexai hands it on whole: with modalities, and the thoughts that its own counts leave out."""
    model, details = VERTEX[name]
    own = {"prompt_token_count": 1000, "candidates_token_count": 1000, "total_token_count": 2000} | details
    direct = extract("google", {"model_version": model, "usage_metadata": own})
    reasoning = details.get("thoughts_token_count")
    thoughts = {} if reasoning is None else {"output_token_details": {"reasoning": reasoning}}
    for found in both("google", message(model, usage=USAGE | thoughts, usage_metadata=own)):
        assert found.usage == direct.usage
        assert [(one.usage, one.response_model) for one in found.also] == [
            (one.usage, UNKNOWN_MODALITY) for one in direct.also
        ]


def grounded(model: str, grounding: Iterable[Body | None]) -> ExtractedUsage:
    stream = StreamAccumulator("google")
    for one in grounding:
        said = {} if one is None else {"grounding_metadata": one}
        chunk = {"type": "AIMessageChunk", "content": "x", "response_metadata": {"model_name": model} | said}
        stream.add(chunk | {"usage_metadata": USAGE})
    return stream.result()


NO_QUERIES: Final[Body] = {"web_search_queries": [], "grounding_chunks": [], "grounding_supports": []}
MAPS: Final[Body] = {"grounding_chunks": [{"maps": {"uri": "u"}}]}
GROUNDING: Final[dict[str, tuple[list[Body | None], int]]] = {
    "one chunk after another": ([{"web_search_queries": ["a"]}, {"web_search_queries": ["b"]}], 2),
    "empty lists after it": ([{"web_search_queries": ["a"]}, NO_QUERIES, None, NO_QUERIES], 1),
    "empty lists before it": ([NO_QUERIES, {"web_search_queries": ["a", "b"]}], 2),
    "the same query again": ([{"web_search_queries": ["a"]}, {"web_search_queries": ["a", ""]}], 1),
    "maps before searches": ([MAPS, {"web_search_queries": ["a"]}], 1),
}


@pytest.mark.parametrize("name", GROUNDING)
def test_the_grounding_of_all_chunks_counts(name: str) -> None:
    """As in Gemini's own stream; a later chunk takes none of it back."""
    grounding, searches = GROUNDING[name]
    found = grounded("gemini-3-flash-preview", grounding).tool_calls
    assert found is not None
    assert (found.web_search, found.maps_grounding) == (searches, 1 if MAPS in grounding else None)
    own = StreamAccumulator("google")
    for one in grounding:
        candidate = {} if one is None else {"grounding_metadata": one}
        own.add({"model_version": "gemini-3-flash-preview", "candidates": [candidate], "usage_metadata": {}})
    assert own.result().tool_calls == found


def test_a_stream_without_grounding_has_none() -> None:
    """Empty lists are no searches."""
    assert grounded("gemini-3-flash-preview", [NO_QUERIES, NO_QUERIES]).tool_calls is None


@pytest.mark.parametrize(
    ("provider", "said", "cost"),
    [
        ("openrouter", {"cost": 0.5, "cost_details": {"upstream_inference_cost": 0.4}}, Decimal("0.5")),
        ("openrouter", {"cost": 0.01, "cost_details": {"upstream_inference_cost": 0.4}}, Decimal("0.41")),
        ("openrouter", {"cost": 0}, Decimal(0)),
        ("openrouter", {"cost": 0.5, "token_usage": {"cost": 0.25}}, Decimal("0.25")),
        ("openai", {"cost": 0.5}, None),
    ],
)
def test_a_cost_beside_the_usage_is_the_provider_s(provider: str, said: Body, cost: Decimal | None) -> None:
    """langchain-openrouter keeps it in `response_metadata`; where the usage has one too, that goes before."""
    assert [found.stated_cost_usd for found in both(provider, message("some/model", **said))] == [cost] * 2


@pytest.mark.parametrize(
    "model", ["gpt-4o-search-preview-2025-03-11", "gpt-4o-mini-search-preview", "gpt-5-search-api"]
)
def test_models_that_search_before_they_answer(model: str) -> None:
    """Once for each answer, as in OpenAI's chat; a count that stands there goes before."""
    assert [found.tool_calls for found in both("openai", message(model))] == [ToolCalls(web_search=1)] * 2
    counted = message(model, {"type": "web_search_call", "id": "a"}, {"type": "web_search_call", "id": "b"})
    assert [found.tool_calls for found in both("openai", counted)] == [ToolCalls(web_search=2)] * 2


SEARCHES: Final = ("x_keyword_search", "x_semantic_search", "x_user_search", "x_thread_fetch")


@pytest.mark.parametrize("provider", ["x-ai", "openai"])
def test_searches_on_x_are_xai_s(provider: str) -> None:
    """LangChain drops the usage that counts them, so the items do; at others such an item is the service's own tool."""
    items = [{"type": "custom_tool_call", "name": name, "id": f"ctc_{name}", "input": "secret"} for name in SEARCHES]
    items.append({"type": "custom_tool_call", "name": "my_tool", "id": "ctc_mine"})
    own = {"object": "response", "model": "grok-4.3", "output": items, "usage": {"input_tokens": 1, "output_tokens": 1}}
    expected = ToolCalls(social_search=4) if provider == "x-ai" else None
    assert extract(provider, own).tool_calls == expected
    whole = message("grok-4.3", *items, items[0])
    assert [found.tool_calls for found in both(provider, whole)] == [expected] * 2
    counted = message("grok-4.3", *items, token_usage={"server_side_tool_usage_details": {"x_search_calls": 7}})
    if provider == "x-ai":
        assert [found.tool_calls for found in both(provider, counted)] == [ToolCalls(social_search=7)] * 2
