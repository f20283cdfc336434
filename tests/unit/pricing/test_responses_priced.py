"""From a provider's response to what it costs: the adapter counts what the price book prices."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from spendstream.adapters import StreamAccumulator, usage_events
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import facts_of
from tests.unit.pricing.events import event, token_event
from tests.unit.pricing.shipped import shipped_book as book

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LATER = datetime(2026, 11, 28, tzinfo=UTC)
IMAGE_EDIT = {
    "total_tokens": 6000,
    "input_tokens": 2000,
    "output_tokens": 4000,
    "input_tokens_details": {"text_tokens": 400, "image_tokens": 1600},
}


def cost(provider: str, response: dict[str, Any], model: str, **fields: Any) -> str:
    """USD of all events of one response, or why one of them has no price."""
    total = 0
    for one in usage_events(provider, response, source="test", model=model, **{"occurred_at": NOW, **fields}):
        pricing = book().price(facts_of(one))
        if pricing.list_cost is None:
            return f"{pricing.reason}: {pricing.detail}"
        total += pricing.list_cost
    return f"{Decimal(total) / PICO_PER_USD:f}"


def gemini(model: str, usage: dict[str, Any], *queries: str) -> dict[str, Any]:
    grounding = [{"groundingMetadata": {"webSearchQueries": list(queries)}}] if queries else []
    return {"modelVersion": model, "responseId": "r", "usageMetadata": usage, "candidates": grounding}


def chat(model: str, prompt: int, completion: int, **details: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **details}
    return {"id": "c", "object": "chat.completion", "model": model, "usage": usage}


def images(usage: dict[str, Any]) -> dict[str, Any]:
    return {"created": 1, "data": [{}], "usage": usage}


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        # 400 text in, 1600 image in, 4000 image out
        ("gpt-image-2", "0.1348"),  # $5, $8, $30
        ("gpt-image-2.5-flare", "0.1348"),
        ("gpt-image-2.5-sunburst", "0.1348"),
        ("gpt-image-1", "0.178"),  # $5, $10, $40
        ("gpt-image-1-mini", "0.0368"),  # $2, $2.5, $8
        ("gpt-image-1.5", "0.1428"),  # $5, $8, $32
        ("chatgpt-image-latest", "0.1428"),
    ],
)
def test_every_image_model_of_openai_prices_an_edit(model: str, usd: str) -> None:
    """Text and images in, images out: each at its own price, through the Images API and the hosted tool alike."""
    assert Decimal(cost("openai", images(IMAGE_EDIT), model)) == Decimal(usd)
    hosted = {
        "id": "r",
        "object": "response",
        "model": "gpt-5.4",
        "usage": {"input_tokens": 0, "output_tokens": 0},
        "tools": [{"type": "image_generation", "model": model}],
        "tool_usage": {"image_gen": IMAGE_EDIT},
    }
    assert Decimal(cost("openai", hosted, "gpt-5.4")) == Decimal(usd)
    shown = hosted | {"tool_usage": {"image_gen": IMAGE_EDIT | {"output_tokens_details": {"image_tokens": 4000}}}}
    assert Decimal(cost("openai", shown, "gpt-5.4")) == Decimal(usd)


@pytest.mark.parametrize("model", ["gpt-image-1.5", "chatgpt-image-latest", "gpt-image-1"])
@pytest.mark.parametrize("details", [None, {}, {"image_tokens": 4000}, {"image_tokens": 4000, "text_tokens": 0}])
def test_what_an_image_model_writes_is_images_unless_it_says_otherwise(
    model: str, details: dict[str, int] | None
) -> None:
    """Before there was a breakdown all of the output was images, and an empty one says no more."""
    whole = images(IMAGE_EDIT | {"output_tokens_details": {"image_tokens": 4000}})
    assert cost("openai", images(IMAGE_EDIT | {"output_tokens_details": details}), model) == cost(
        "openai", whole, model
    )


TWO_PRICES = [
    ("google", "gemini-2.5-flash-image", "image"),
    ("google", "gemini-3-pro-image-preview", "image"),
    ("google", "gemini-3.1-flash-image-preview", "image"),
    ("google", "gemini-live-2.5-flash", "audio"),
    ("google", "gemini-omni-1.1-flash", "video"),
    ("openai", "gpt-image-1.5", "image"),
    ("openai", "gpt-audio", "audio"),
    ("openai", "gpt-realtime", "audio"),
    ("openai", "gpt-4o-audio-preview", "audio"),
    ("aws", "amazon.nova-sonic-v1:0", "audio"),
]


@pytest.mark.parametrize(("provider", "model", "kind"), TWO_PRICES)
def test_output_that_may_be_text_or_not_has_no_price(provider: str, model: str, kind: str) -> None:
    """Text is up to ten times cheaper: without the breakdown nobody knows. That all of it was text can be said."""
    used = {"input_tokens": 100, "output_tokens": 1290}
    silent = book().price(facts_of(token_event(model, used, provider=provider, at=NOW)))
    assert (silent.reason, f"output_{kind}_tokens, 0 too" in silent.detail) == ("ambiguous_usage", True)
    text, other = (
        book().price(facts_of(token_event(model, used | {f"output_{kind}_tokens": n}, provider=provider, at=NOW)))
        for n in (0, 1290)
    )
    assert text.list_cost is not None
    assert other.list_cost is not None
    assert text.list_cost < other.list_cost
    assert book().price(facts_of(token_event(model, {"input_tokens": 1}, provider=provider, at=NOW))).priced


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (
            {"candidatesTokenCount": 1290, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}]},
            "0.0387",
        ),
        (
            {"candidatesTokenCount": 1290, "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 1290}]},
            "0.003225",
        ),
        ({"candidatesTokenCount": 1290}, "ambiguous_usage"),
        ({"candidatesTokenCount": 1290, "candidatesTokensDetails": []}, "ambiguous_usage"),
        ({"thoughtsTokenCount": 1290}, "0.003225"),  # cut before it drew: thoughts are text
    ],
)
def test_an_image_model_of_gemini_is_priced_by_its_breakdown(usage: dict[str, Any], usd: str) -> None:
    """What the response calls text is text; what it does not tell is not guessed."""
    answer = cost("google", gemini("gemini-2.5-flash-image", {"promptTokenCount": 0} | usage), "gemini-2.5-flash-image")
    if usd.startswith("ambiguous"):
        assert answer.startswith(usd)
    else:
        assert Decimal(answer) == Decimal(usd)


@pytest.mark.parametrize(
    ("details", "usd"),
    [
        ({"cached_tokens": 0}, "0.018"),  # 10,000 x 1.2 + 1,000 x 6
        ({"cached_tokens": 5000}, "0.0132"),  # a hit costs a fifth
        ({"cached_tokens": 0, "cache_creation_input_tokens": 5000, "cache_type": "ephemeral"}, "0.0195"),  # 125 %
        (
            {
                "cached_tokens": 1000,
                "cache_creation_input_tokens": 5000,
                "cache_creation": {"ephemeral_5m_input_tokens": 5000},
                "cache_type": "ephemeral",
            },
            "0.01842",
        ),
        ({"cached_tokens": 5000, "cache_creation_input_tokens": 0, "cache_type": "ephemeral"}, "0.0126"),  # a tenth
        ({"cached_tokens": 5000, "cache_creation_input_tokens": 0, "cache_creation": {}}, "0.0132"),
    ],
)
def test_caches_of_dashscope_are_billed(details: dict[str, Any], usd: str) -> None:
    """What was written stands beside the hits, and is part of the prompt."""
    response = chat("qwen3-max", 10_000, 1000, prompt_tokens_details=details)
    assert Decimal(cost("dashscope", response, "qwen3-max")) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("google/gemini-2.5-flash-image", "image"),
        ("google/gemini-3-pro-image-preview", "image"),
        ("openai/gpt-5-image-mini", "image"),
        ("openai/gpt-audio", "audio"),
    ],
)
def test_what_is_no_text_does_not_cost_what_text_costs_at_a_router(model: str, kind: str) -> None:
    """OpenRouter's list has the price of text alone, and an image costs twelve times as much: what it states holds."""

    def answer(written: int | None, **usage: Any) -> str:
        details = {} if written is None else {"completion_tokens_details": {f"{kind}_tokens": written}}
        return cost("openrouter", chat(model, 1000, 1000, **details, **usage), model)

    assert answer(None).startswith("ambiguous_usage")
    assert answer(900).startswith("no_price_for_meter")
    assert answer(None, cost=0.04) == answer(900, cost=0.04) == "0.04"
    assert Decimal(answer(0)) > 0


def test_no_model_on_azure_searches_at_openais_price() -> None:
    """There it is grounding with Bing, of whichever model: a new one would inherit $10 instead of $14."""
    for model in sorted(model for provider, model in book().catalog.models() if provider == "openai"):
        usage = {"input_tokens": 0, "output_tokens": 0}
        searching = token_event(model, usage, provider="azure", at=LATER, tool_calls={"web_search": 1})
        found = book().price(facts_of(searching))
        assert found.list_cost is None or found.list_cost >= PICO_PER_USD * 14 // 1000, model


CREATED = {"cached_tokens": 1000, "cache_creation_input_tokens": 5000, "cache_type": "ephemeral"}
BY_LIFETIME = CREATED | {"cache_creation": {"ephemeral_5m_input_tokens": 5000}}


@pytest.mark.parametrize("details", [CREATED, BY_LIFETIME], ids=["whole", "by lifetime"])
@pytest.mark.parametrize(
    "form",
    [
        {"request_id": "r", "output": {"choices": []}, "usage": "prompt_tokens_details"},  # its own API
        {"id": "resp_1", "object": "response", "model": "qwen3-max", "output": [], "usage": "x_details"},
    ],
    ids=["own", "responses"],
)
def test_caches_of_dashscope_are_billed_whatever_the_api(form: dict[str, Any], details: dict[str, Any]) -> None:
    """As in chat: 4,000 x 1.2 + 1,000 x 0.12 + 5,000 x 1.5 + 1,000 x 6."""
    usage: dict[str, Any] = {"input_tokens": 10_000, "output_tokens": 1000, "total_tokens": 11_000}
    if form["usage"] == "x_details":
        usage |= {"input_tokens_details": {"cached_tokens": 1000}, "x_details": [{"prompt_tokens_details": details}]}
    else:
        usage |= {"prompt_tokens_details": details}
    assert Decimal(cost("dashscope", form | {"usage": usage}, "qwen3-max")) == Decimal("0.01842")


@pytest.mark.parametrize(
    ("billed", "usd"),
    [
        ({"input_tokens": 1000}, "0.00012"),
        ({"input_tokens": 1000, "images": 1}, "usage_unknown"),
        ({"images": 1}, "usage_unknown"),
        ({"input_tokens": 10, "image_tokens": 50}, "0.0000247"),  # 10 x 0.12 + 50 x 0.47
        ({"images": 1, "image_tokens": 50}, "0.0000235"),
    ],
)
def test_images_that_cohere_bills_by_the_piece_are_said_to_have_no_price(billed: dict[str, int], usd: str) -> None:
    """Where their tokens are billed they are priced; else the call is not priced as if it had been text alone."""
    answer = cost("cohere", {"embeddings": {"float": [[0.5]]}, "meta": {"billed_units": billed}}, "embed-v4.0")
    if usd.startswith("usage"):
        assert answer.startswith(usd)
    else:
        assert Decimal(answer) == Decimal(usd)


@pytest.mark.parametrize("kind", ["response.done", "response.completed", "response.incomplete"])
def test_an_event_that_carries_the_response_is_read_as_it(kind: str) -> None:
    """Realtime's last event of each turn is what its services have in their hands."""
    details = {"text_tokens": 100, "audio_tokens": 900, "cached_tokens": 0}
    usage = {"input_tokens": 1000, "output_tokens": 500, "input_token_details": details}
    usage["output_token_details"] = {"text_tokens": 100, "audio_tokens": 400}
    response = {"object": "realtime.response", "id": "r", "status": "completed", "usage": usage}
    event_of_it = {"type": kind, "event_id": "e", "response": response}
    assert cost("openai", event_of_it, "gpt-realtime") == cost("openai", response, "gpt-realtime")
    # 100 x 4 + 900 x 32 + 100 x 16 + 400 x 64
    assert Decimal(cost("openai", event_of_it, "gpt-realtime")) == Decimal("0.0564")


@pytest.mark.parametrize("side", ["promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails"])
def test_tokens_of_a_kind_that_nobody_knows_are_not_priced_as_text(side: str) -> None:
    """They are an event of their own, unpriced with its counts; those of documents are text."""
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 500, "cachedContentTokenCount": 300}
    strange = usage | {side: [{"modality": "TEXT", "tokenCount": 100}, {"modality": "HOLOGRAM", "tokenCount": 200}]}
    assert cost("google", gemini("gemini-2.5-flash", strange), "gemini-2.5-flash").startswith("unknown_model")
    known = usage | {side: [{"modality": "TEXT", "tokenCount": 100}, {"modality": "DOCUMENT", "tokenCount": 200}]}
    plain = cost("google", gemini("gemini-2.5-flash", usage), "gemini-2.5-flash")
    assert cost("google", gemini("gemini-2.5-flash", known), "gemini-2.5-flash") == plain
    events = usage_events("google", gemini("gemini-2.5-flash", strange), source="test", model="gemini-2.5-flash")
    for meter, whole in (("input_tokens", 1000), ("output_tokens", 500), ("cache_read_tokens", 300)):
        assert sum(getattr(one.usage, meter) or 0 for one in events) == whole


def test_a_prompt_router_names_the_model_that_it_chose() -> None:
    """In whole responses and in the last event of a stream; the router's own ARN says nothing of it."""
    router = "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1"
    chosen = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    usage = {"inputTokens": 1000, "outputTokens": 1000, "totalTokens": 2000}
    response = {"usage": usage, "trace": {"promptRouter": {"invokedModelId": chosen}}}
    plain = cost("aws", {"usage": usage}, "amazon.nova-pro-v1:0")
    assert cost("aws", response, router) == plain
    assert cost("aws", {"metadata": response}, router) == plain
    stream = StreamAccumulator("aws")
    stream.add({"metadata": response})
    (event_of_it,) = usage_events("aws", stream.result(), source="test", model=router)
    assert event_of_it.response_model == chosen
    assert cost("aws", {"usage": usage}, router).startswith("unknown_model")
    long = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/" + "x" * 100
    (cut,) = usage_events("aws", {"usage": usage, "trace": {"promptRouter": {"invokedModelId": long}}}, source="t")
    assert cut.response_model == "x" * 100


def test_images_in_a_batch_cost_half() -> None:
    """The batch price is of the same tokens."""
    in_batch = cost("openai", images(IMAGE_EDIT), "gpt-image-2", service_tier="batch")
    assert Decimal(in_batch) == Decimal("0.0674")


def test_an_image_model_that_the_hosted_tool_does_not_name_is_unpriced() -> None:
    """What nobody named is not guessed."""
    hosted = {"object": "response", "model": "gpt-5.4", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert cost("openai", hosted | {"tool_usage": {"image_gen": IMAGE_EDIT}}, "gpt-5.4").startswith("unknown_model")


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("gpt-4o-search-preview", "0.0375"),  # 1,000 x 2.5 + 1,000 x 10 + a search at $25 per thousand
        ("gpt-4o-search-preview-2025-03-11", "0.0375"),
        ("gpt-4o-mini-search-preview", "0.02575"),
        ("gpt-4o-mini-search-preview-2025-03-11", "0.02575"),
        ("gpt-5-search-api", "0.02125"),  # $10 per thousand
        ("gpt-5-search-api-2025-10-14", "0.02125"),
        ("gpt-4o", "0.0125"),  # does not search
    ],
)
def test_a_search_model_of_chat_pays_for_its_search(model: str, usd: str) -> None:
    """It searches before it answers, which the response does not count; without the count nothing is priced."""
    assert Decimal(cost("openai", chat(model, 1000, 1000), model)) == Decimal(usd)
    none = {"input_tokens": 1000, "output_tokens": 1000}
    raw = book().price(facts_of(token_event(model, none, provider="openai", at=NOW)))
    if model == "gpt-4o":
        assert raw.priced
    else:
        assert (raw.reason, "report tool_calls.web_search, 0 too" in raw.detail) == ("no_price_for_tool", True)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("perplexity", "sonar-deep-research"),
        ("openrouter", "openai/gpt-4o-search-preview"),
        ("openrouter", "perplexity/sonar-deep-research"),
        ("openrouter", "perplexity/sonar"),
    ],
)
def test_a_model_that_searches_of_itself_has_no_price_without_its_searches(provider: str, model: str) -> None:
    """The fee is not left out without a word; that there was no search can be said."""
    used = {"input_tokens": 1000, "output_tokens": 1000}
    silent = book().price(facts_of(token_event(model, used, provider=provider, at=NOW)))
    assert (silent.reason, "report tool_calls.web_search, 0 too" in silent.detail) == ("no_price_for_tool", True)
    said = book().price(facts_of(token_event(model, used, provider=provider, at=NOW, tool_calls={"web_search": 0})))
    assert said.priced


@pytest.mark.parametrize(
    ("model", "tool", "usd"),
    [
        # 1,000 in, 1,000 out, three searches
        ("gpt-4o-2024-08-06", "web_search_preview", "0.0875"),  # at $25 per thousand
        ("gpt-4o-2024-08-06", "web_search_preview_2025_03_11", "0.0875"),
        ("gpt-4o-2024-08-06", "web_search", "0.0425"),  # at $10
        ("gpt-4o-mini", "web_search_preview", "0.07575"),
        ("gpt-4.1", "web_search_preview", "0.085"),
        ("gpt-4.1-mini-2025-04-14", "web_search_preview", "0.077"),
        ("gpt-5", "web_search_preview", "0.04125"),  # models that reason pay $10 for both
        ("o3", "web_search_preview", "0.04"),
    ],
)
def test_the_older_search_tool_is_dearer_with_models_that_do_not_reason(model: str, tool: str, usd: str) -> None:
    """The response names the tool; listed in the output or counted beside it, the search costs the same."""
    call = {"type": "web_search_call", "action": {"type": "search"}}
    response = {
        "object": "response",
        "model": model,
        "tools": [{"type": tool}],
        "usage": {"input_tokens": 1000, "output_tokens": 1000},
    }
    assert Decimal(cost("openai", response | {"output": [call] * 3}, model)) == Decimal(usd)
    counted = response | {"tool_usage": {"web_search": {"num_requests": 3}}}
    assert Decimal(cost("openai", counted, model)) == Decimal(usd)
    unused = cost("openai", response, model)
    assert unused == cost("openai", response | {"tools": []}, model), "a tool that was not called moves nothing"


def test_azure_has_one_price_for_its_search_whatever_the_tool_is_called() -> None:
    """There it has only ever been called web_search_preview."""
    response = {
        "object": "response",
        "model": "gpt-4o-2024-08-06",
        "output": [{"type": "web_search_call", "action": {"type": "search"}}],
        "usage": {"input_tokens": 1000, "output_tokens": 1000},
    }
    named = response | {"tools": [{"type": "web_search_preview"}]}
    assert cost("azure", named, "gpt-4o-2024-08-06") == cost("azure", response, "gpt-4o-2024-08-06")
    assert Decimal(cost("azure", named, "gpt-4o-2024-08-06")) == Decimal("0.0265")


def test_live_search_of_xai_is_billed_by_the_source() -> None:
    """$25 per thousand; a reported 0 is no search, and before its price is known the call has none."""
    then = datetime(2025, 10, 1, tzinfo=UTC)
    plain = Decimal(cost("x-ai", chat("grok-3", 1000, 1000), "grok-3", occurred_at=then))
    used = chat("grok-3", 1000, 1000, num_sources_used=4)
    assert Decimal(cost("x-ai", used, "grok-3", occurred_at=then)) == plain + Decimal("0.1")
    none = chat("grok-3", 1000, 1000, num_sources_used=0)
    assert Decimal(cost("x-ai", none, "grok-3", occurred_at=then)) == plain
    early = cost("x-ai", used, "grok-3", occurred_at=datetime(2025, 6, 1, tzinfo=UTC))
    assert early.startswith("no_price_for")


@pytest.mark.parametrize(
    ("metadata", "usd"),
    [
        ({"imageSearchQueries": ["a", "b"]}, "0.030"),
        ({"imageSearchQueries": ["a"], "webSearchQueries": ["a"]}, "0.030"),  # each is a search
        ({"retrievalQueries": ["a"]}, "no_price_for_tool"),  # Vertex AI Search
        (
            {"retrievalQueries": ["a"], "groundingChunks": [{"retrievedContext": {"fileSearchStore": "s"}}]},
            "0.002",  # File Search: what it brings is billed as tokens
        ),
        ({"imageSearchQueries": [], "retrievalQueries": [""]}, "0.002"),
    ],
)
def test_every_query_that_gemini_names_is_billed_or_said_to_have_no_price(metadata: dict[str, Any], usd: str) -> None:
    """Searches for images are searches; retrievals are billed unless they are from the Gemini API's own store."""
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 500, "totalTokenCount": 1500}
    response = gemini("gemini-3-flash-preview", usage) | {"candidates": [{"groundingMetadata": metadata}]}
    answer = cost("google", response, "gemini-3-flash-preview")
    if usd.startswith("no_price"):
        assert answer.startswith(usd)
    else:
        assert Decimal(answer) == Decimal(usd)


@pytest.mark.parametrize(
    ("queries", "usd"),
    [
        (("a", "b", "a"), "0.030"),  # 1000 x 0.5 + 500 x 3 + two searches at $14 per thousand
        (("a", "", "", "b"), "0.030"),
        (("a",), "0.016"),
        (("", ""), "0.002"),
    ],
)
def test_gemini_3_pays_for_unique_queries(queries: tuple[str, ...], usd: str) -> None:
    """A query that the response names twice, or that is empty, is not billed again."""
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 500, "totalTokenCount": 1500}
    response = gemini("gemini-3-flash-preview", usage, *queries)
    assert Decimal(cost("google", response, "gemini-3-flash-preview")) == Decimal(usd)


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"])
def test_gemini_2_pays_for_the_grounded_prompt(model: str) -> None:
    """However many queries it took: $35 per thousand prompts."""
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 500, "totalTokenCount": 1500}
    assert Decimal(cost("google", gemini(model, usage, "a", "b", "c"), "gemini-2.5-flash")) == Decimal("0.03655")


@pytest.mark.parametrize(
    ("model", "usd"),
    [("grok-4.5", "0.00107"), ("grok-4.3", "0.000555"), ("grok-4-fast-reasoning", "0.000115"), ("grok-3", "0.002475")],
)
def test_image_tokens_of_xai_cost_what_text_costs(model: str, usd: str) -> None:
    """Of 1,000 prompt tokens 800 are of images and 900 cached: which are both does not matter."""
    details = {"prompt_tokens_details": {"text_tokens": 200, "image_tokens": 800, "cached_tokens": 900}}
    assert Decimal(cost("x-ai", chat(model, 1000, 100, **details), model)) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "fees", "tokens"),
    [
        ("sonar", {None: "5", "low": "5", "medium": "8", "high": "12"}, "0.002"),
        ("sonar-reasoning", {None: "5", "low": "5", "medium": "8", "high": "12"}, "0.006"),
        ("sonar-pro", {None: "6", "low": "6", "medium": "10", "high": "14"}, "0.018"),
        ("sonar-reasoning-pro", {None: "6", "low": "6", "medium": "10", "high": "14"}, "0.010"),
        ("sonar-deep-research", {None: "10", "low": "10", "high": "10"}, "0.010"),  # two searches
    ],
)
def test_perplexity_charges_a_request_by_its_search_context(
    model: str, fees: dict[str | None, str], tokens: str
) -> None:
    """1,000 tokens in and out; the fee is per thousand requests. Without a size the documented default, low, holds."""
    for size, fee in fees.items():
        said: dict[str, Any] = {} if size is None else {"search_context_size": size}
        said |= {"num_search_queries": 2} if model == "sonar-deep-research" else {}
        expected = Decimal(tokens) + Decimal(fee) / 1000
        assert Decimal(cost("perplexity", chat(model, 1000, 1000, **said), model)) == expected, size
    unknown = cost("perplexity", chat(model, 1000, 1000, search_context_size="vast"), model)
    assert unknown.startswith("no_price_for_condition") or model == "sonar-deep-research"


def test_what_a_response_cannot_say_is_said_beside_it() -> None:
    """DALL-E's response names neither size nor quality: the service does, or the API's defaults hold."""
    answer = {"created": 1, "data": [{"url": "a"}, {"url": "b"}]}
    assert Decimal(cost("openai", answer, "dall-e-3")) == Decimal("0.08")
    said = {"size": "1024x1792", "quality": "hd"}
    assert Decimal(cost("openai", answer, "dall-e-3", conditions=said)) == Decimal("0.24")
    assert cost("openai", answer, "dall-e-3", conditions={"size": "9x9"}).startswith("unknown_condition")


def test_a_video_is_priced_by_the_size_that_its_response_tells() -> None:
    """Eight seconds of Sora 2 Pro, in two sizes."""
    job = {"id": "v", "object": "video", "model": "sora-2-pro", "seconds": "8", "status": "completed"}
    assert Decimal(cost("openai", job | {"size": "720x1280"}, "sora-2-pro")) == Decimal("2.4")
    assert Decimal(cost("openai", job | {"size": "1792x1024"}, "sora-2-pro")) == Decimal("4")


def test_containers_are_priced_beside_the_tokens() -> None:
    """Two calls in one container of 4 GB: $0.12."""
    call = {"type": "code_interpreter_call", "container_id": "k"}
    response = {
        "object": "response",
        "model": "gpt-4.1",
        "tools": [{"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "4g"}}],
        "output": [call, call],
        "usage": {"input_tokens": 1000, "output_tokens": 1000},
    }
    assert Decimal(cost("openai", response, "gpt-4.1")) == Decimal("0.13")


def test_speech_of_gemini_is_priced_as_audio() -> None:
    """What a speech model writes is audio, whatever the base data calls it; in a batch it is half."""
    usage = {
        "promptTokenCount": 100,
        "candidatesTokenCount": 1000,
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 1000}],
    }
    for model, usd in [
        ("gemini-2.5-flash-preview-tts", "0.01005"),
        ("gemini-2.5-pro-preview-tts", "0.0201"),
        ("gemini-2.5-flash-lite-preview-tts", "0.01005"),
        ("gemini-3.1-flash-tts-preview", "0.0201"),
        ("gemini-3.8-flash-tts", "0.00905"),
        ("gemini-3.8-flash-lite-tts", "0.00605"),
    ]:
        assert Decimal(cost("google", gemini(model, usage), model)) == Decimal(usd), model
    in_batch = cost("google", gemini("gemini-2.5-pro-tts", usage), "gemini-2.5-pro-tts", service_tier="batch")
    assert Decimal(in_batch) == Decimal("0.01005")


def test_a_recording_and_a_stream_have_prices_of_their_own() -> None:
    """The adapter tells which it was, and the book prices each."""
    told = {"duration": 600, "channels": 1, "request_id": "r", "model_info": {"u": {"arch": "nova-3"}}}
    recording = {"metadata": told, "results": {"channels": [{}]}}
    assert Decimal(cost("deepgram", recording, "nova-3", occurred_at=LATER)) == Decimal("0.043")
    stream = {"type": "Metadata", **told}
    assert Decimal(cost("deepgram", stream, "nova-3", occurred_at=LATER)) == Decimal("0.077")


def test_hours_of_containers_are_metered_usage() -> None:
    """Anthropic's code execution is billed by the hour, which no response tells: a service reports it as a SKU."""
    usage = {"kind": "metered", "sku": "code-execution", "quantity": "0.5", "unit": "hour"}
    pricing = book().price(facts_of(event(usage, provider="anthropic", at=NOW)))
    assert pricing.list_cost == Decimal("0.025") * PICO_PER_USD


@pytest.mark.parametrize(("model", "usd"), [("voxtral-mini-2507", "0.00676667"), ("voxtral-mini-2602", "0.01015")])
def test_a_transcription_of_mistral_is_billed_by_the_minute(model: str, usd: str) -> None:
    """Its body counts tokens beside the seconds, whole and in a stream; they cost nothing."""
    usage = {"prompt_audio_seconds": 203, "prompt_tokens": 4, "total_tokens": 3264, "completion_tokens": 635}
    body = {"model": model, "text": "secret", "language": "en", "segments": [], "usage": usage}
    assert round(Decimal(cost("mistral", body, model, occurred_at=LATER)), 8) == Decimal(usd)
    stream = StreamAccumulator("mistral")
    stream.add({"event": "transcription.text.delta", "data": {"type": "transcription.text.delta", "text": "secret"}})
    stream.add({"event": "transcription.done", "data": {"type": "transcription.done", **body}})
    (done,) = usage_events("mistral", stream.result(), source="test", model=model, occurred_at=LATER)
    priced = book().price(facts_of(done))
    assert priced.list_cost is not None
    assert round(Decimal(priced.list_cost) / PICO_PER_USD, 8) == Decimal(usd)


def test_moderation_is_free() -> None:
    """Its response counts nothing, the request costs nothing; a model that bills tokens is not free without them."""
    response = {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}
    assert Decimal(cost("openai", response, "omni-moderation-latest")) == 0
    assert Decimal(cost("openai", response | {"model": "omni-moderation-2024-09-26"}, "omni-moderation-latest")) == 0
    assert cost("openai", response | {"model": "gpt-4o"}, "gpt-4o").startswith("usage_unknown")
    assert cost("openai", response | {"model": "omni-moderation-9"}, "gpt-4o").startswith("usage_unknown")


@pytest.mark.parametrize("tier", [None, "standard", "batch"])
def test_a_line_of_anthropics_batch_costs_half(tier: str | None) -> None:
    """Whatever tier the message in it names: such lines come of a batch only."""
    usage = {"input_tokens": 1000, "output_tokens": 1000, "service_tier": tier}
    message = {"id": "m", "type": "message", "model": "claude-opus-4-6", "usage": usage}
    line = {"custom_id": "a", "result": {"type": "succeeded", "message": message}}
    assert Decimal(cost("anthropic", line, "claude-opus-4-6", occurred_at=LATER)) == Decimal("0.015")


def test_the_default_cache_of_dashscope_moves_no_price() -> None:
    """A service may say that it was the implicit one."""
    response = chat("qwen3-max", 10_000, 1000, prompt_tokens_details={"cached_tokens": 5000})
    said = cost("dashscope", response, "qwen3-max", conditions={"cache": "implicit"})
    assert said == cost("dashscope", response, "qwen3-max")


@pytest.mark.parametrize("model", ["glm-4.5-flash", "glm-4.7-flash"])
def test_what_zai_gives_away_is_free(model: str) -> None:
    """Its own page says so; the faster ones cost something."""
    assert Decimal(cost("zai", chat(model, 1000, 1000), model, occurred_at=LATER)) == 0


@pytest.mark.parametrize("model", ["gpt-oss-120b", "gpt-oss-20b"])
def test_open_weights_have_no_price_at_openai(model: str) -> None:
    """OpenAI does not sell them: a client of its SDK that says so talks to a server of one's own, or of another's."""
    assert cost("openai", chat(model, 1000, 1000), model, occurred_at=LATER).startswith("no_price_for_meter")
    assert Decimal(cost("groq", chat(f"openai/{model}", 1000, 1000), f"openai/{model}", occurred_at=LATER)) > 0
