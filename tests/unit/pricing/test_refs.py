"""Ids in their wrappings: ARNs, resource names, clients' prefixes, routers' endings."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import TokenUsage, ToolCalls, UnpricedReason, UsageEvent
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.refs import readings
from stream_jobs.pricing.result import Pricing
from tests.unit.pricing.shipped import shipped_book as book

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:us-east-1"


def price(provider: str, model: str | None, prices: PriceBook | None = None, **fields: Any) -> Pricing:
    event = UsageEvent(
        schema_version=1,
        event_id="e",
        occurred_at=datetime(2026, 11, 1, tzinfo=UTC),
        source="s",
        provider=provider,
        model=model,
        usage=TokenUsage(kind="tokens", input_tokens=1000, output_tokens=500),
        **fields,
    )
    return (prices or book()).price(facts_of(event))


@pytest.mark.parametrize(
    ("provider", "wrapped", "plain"),
    [
        ("aws", f"{ARN}::foundation-model/{CLAUDE}", CLAUDE),
        (
            "aws",
            "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-pro-v1:0",
            "us-gov.amazon.nova-pro-v1:0",
        ),
        ("aws", f"{ARN}:123456789012:inference-profile/us.{CLAUDE}", f"us.{CLAUDE}"),
        ("aws", f"{ARN}:123456789012:inference-profile/global.{CLAUDE}", f"global.{CLAUDE}"),
        ("aws", f"bedrock/{CLAUDE}", CLAUDE),
        ("aws", f"bedrock/converse/us.{CLAUDE}", f"us.{CLAUDE}"),
        ("aws", f"bedrock/us-east-1/{CLAUDE}", CLAUDE),
        ("google", "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        (
            "vertex_ai",
            "projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929",
            "claude-sonnet-4-5@20250929",
        ),
        ("google", "vertex_ai/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "gemini/gemini-2.5-pro", "gemini-2.5-pro"),
        ("openai", "openai/gpt-4o", "gpt-4o"),
        ("azure", "azure/gpt-4o", "gpt-4o"),
        ("x-ai", "xai/grok-4", "grok-4"),
        ("groq", "groq/llama-3.3-70b-versatile", "llama-3.3-70b-versatile"),
        ("openrouter", "openrouter/openai/gpt-4o", "openai/gpt-4o"),
        ("openrouter", "openai/gpt-4o:nitro", "openai/gpt-4o"),
        ("openrouter", "openai/gpt-4o:floor", "openai/gpt-4o"),
        ("openrouter", "openai/gpt-4o:exacto", "openai/gpt-4o"),
        ("openrouter", "openai/gpt-4o:extended:nitro", "openai/gpt-4o:extended"),
        ("openrouter", "anthropic/claude-3.7-sonnet:thinking", "anthropic/claude-3.7-sonnet"),
    ],
)
def test_a_wrapped_id_costs_what_the_plain_one_costs(provider: str, wrapped: str, plain: str) -> None:
    """As the model that was asked for and as the one that was served."""
    expected = price(provider, plain)
    assert expected.priced
    assert price(provider, wrapped) == expected
    assert price(provider, None, response_model=wrapped) == expected


@pytest.mark.parametrize(
    ("asked", "served", "plain"),
    [
        ("openai/gpt-4o", None, ("openai", "gpt-4o")),
        ("openai/gpt-4o", "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        (f"bedrock/us.{CLAUDE}", None, ("aws", f"us.{CLAUDE}")),
        ("vertex_ai/gemini-2.5-flash", "gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("openrouter/openai/gpt-4o:floor", None, ("openrouter", "openai/gpt-4o")),
        ("groq/openai/gpt-oss-120b", "openai/gpt-oss-120b", ("groq", "openai/gpt-oss-120b")),
        ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),  # it fell back
        ("our-alias", "openai/gpt-4o", ("openai", "gpt-4o")),
    ],
)
@pytest.mark.parametrize("gateway", ["litellm", "LiteLLM_Proxy", "portkey"])
def test_behind_a_gateway_the_id_says_who_served(
    gateway: str, asked: str, served: str | None, plain: tuple[str, str]
) -> None:
    """The served id wins, unless it is the provider's own name for what was asked: then its first part is a maker."""
    expected = price(*plain)
    assert expected.priced
    assert price(gateway, asked, response_model=served) == expected


def test_a_gateway_that_does_not_say_where_it_went_is_unknown() -> None:
    """The bare name may be an alias of the gateway's own: it is not guessed, and the answer says what to report."""
    answer = price("litellm", "gpt-4o")
    assert answer.reason is UnpricedReason.UNKNOWN_PROVIDER
    assert "report the model as provider/model" in answer.detail


OPAQUE = [
    ("aws", f"{ARN}:123456789012:application-inference-profile/r742sbn2zckd", "an application inference profile"),
    ("aws", f"{ARN}:123456789012:provisioned-model/ha1b2c3d4e5f", "a provisioned model"),
    ("aws", f"{ARN}:123456789012:custom-model/amazon.nova-pro-v1:0/ab12cd34ef56", "a custom model"),
    ("aws", f"{ARN}:123456789012:imported-model/q1w2e3", "an imported model"),
    ("aws", "arn:aws:sagemaker:us-east-1:123456789012:endpoint/llm", "an endpoint of SageMaker's"),
    ("google", "projects/p/locations/us-central1/endpoints/1234567890", "an endpoint"),
    ("google", "tunedModels/my-model-abc", "a tuned model"),
]


@pytest.mark.parametrize(("provider", "ref", "what"), OPAQUE)
def test_a_resource_of_ones_own_does_not_say_its_model(provider: str, ref: str, what: str) -> None:
    """Its answer says what it is and what to do; the served model or a declared alias gives it a price."""
    answer = price(provider, ref)
    assert answer.reason is UnpricedReason.UNKNOWN_MODEL
    assert f"is {what}, which does not say its model: report the model in response_model" in answer.detail
    plain = "amazon.nova-pro-v1:0" if provider == "aws" else "gemini-2.5-flash"
    expected = price(provider, plain)
    assert price(provider, ref, response_model=plain) == expected
    alias = {"alias": ref, "model": plain, "source": "our console", "checked": "2026-11-28"}
    declared = PriceBook.of([CorrectionFile.model_validate({"provider": provider, "aliases": [alias]})])
    answer = price(provider, ref, declared)
    assert answer.lines == price(provider, plain, declared).lines
    assert answer.priced


def test_online_needs_the_searches_it_adds() -> None:
    """Without them the price is not known, whatever else was reported; with 0 it is the model's."""
    answer = price("openrouter", "openai/gpt-4o:online")
    assert answer.reason is UnpricedReason.NO_PRICE_FOR_TOOL
    assert "report tool_calls.web_search" in answer.detail
    assert price("openrouter", "openai/gpt-4o:online", tool_calls=ToolCalls(file_search=0)).reason is answer.reason
    none = price("openrouter", "openai/gpt-4o:online", tool_calls=ToolCalls(web_search=0))
    assert none == price("openrouter", "openai/gpt-4o")
    assert price("openrouter", "openai/gpt-4o").priced, "the plain id shares nothing with it"


@pytest.mark.parametrize("served", ["openai/gpt-4o", "openai/gpt-4o-2024-08-06", "openai/gpt-4o:online"])
def test_a_response_need_not_repeat_what_the_id_switched_on(served: str) -> None:
    """OpenRouter names the model alone: searches are asked for all the same, and a variant keeps its price."""
    answer = price("openrouter", "openai/gpt-4o:online", response_model=served)
    assert answer.reason is UnpricedReason.NO_PRICE_FOR_TOOL
    told = price("openrouter", "openai/gpt-4o:online", response_model=served, tool_calls=ToolCalls(web_search=0))
    assert told == price("openrouter", "openai/gpt-4o")
    for variant in (":extended", ":nitro"):
        asked = f"openai/gpt-4o{variant}"
        assert price("openrouter", asked, response_model="openai/gpt-4o") == price("openrouter", asked)


@pytest.mark.parametrize("routing", ["", ":nitro", ":floor", ":exacto"])
@pytest.mark.parametrize("model", ["openai/gpt-oss-20b", "meta-llama/llama-3.3-70b-instruct"])
def test_what_was_asked_for_for_nothing_costs_what_was_served(model: str, routing: str) -> None:
    """A free variant that was served is free; the model itself, served in its place, has its own price."""
    asked = f"{model}:free{routing}"
    paid = price("openrouter", model)
    assert paid.list_cost
    assert price("openrouter", asked, response_model=model) == paid
    assert price("openrouter", asked, response_model=f"{model}:free").list_cost == 0
    assert price("openrouter", asked).list_cost == 0


@pytest.mark.parametrize(
    "model", ["openai/gpt-oss-20b:free", "meta-llama/llama-3.3-70b-instruct:free", "openai/o3:free"]
)
def test_a_free_model_pays_for_the_searches_that_its_id_adds(model: str) -> None:
    """The model is free, what the id switches on is not."""
    for answer in (
        price("openrouter", f"{model}:online"),
        price("openrouter", f"{model}:online:nitro"),
        price("openrouter", f"{model}:online", response_model=model),
        price("openrouter", f"{model}:online", response_model=model.removesuffix(":free")),
    ):
        assert answer.reason is UnpricedReason.NO_PRICE_FOR_TOOL
        assert "report tool_calls.web_search" in answer.detail
    assert price("openrouter", f"{model}:online", tool_calls=ToolCalls(web_search=0)).list_cost == 0


def test_free_variants_cost_nothing_where_the_model_is_known() -> None:
    """By OpenRouter's own naming; what nobody knows stays unknown, and a variant is not free at others."""
    assert price("openrouter", "openai/gpt-4o:free").effective_cost == 0
    assert price("openrouter", "openai/gpt-4o:free:nitro").effective_cost == 0
    assert price("openrouter", "foo/bar:free").reason is UnpricedReason.UNKNOWN_MODEL
    assert price("together", "openai/gpt-4o:free").reason is UnpricedReason.UNKNOWN_MODEL


@pytest.mark.parametrize("ending", [":thinking", ":extended", ":turbo", ":nitro-foo", ":nitro:"])
def test_endings_that_choose_no_route_are_part_of_the_name(ending: str) -> None:
    """A variant that the book does not list may cost anything."""
    assert price("openrouter", f"meta-llama/llama-3.3-70b-instruct{ending}").reason is UnpricedReason.UNKNOWN_MODEL
    assert price("openai", "gpt-4o:nitro").reason is UnpricedReason.UNKNOWN_MODEL


@given(
    st.sampled_from(["aws", "google", "openrouter", "openai"]),
    st.text(max_size=40)
    | st.lists(st.sampled_from(["aws", "bedrock/", "openai/", ":nitro", ":online", "x"])).map("".join),
)
def test_unwrapping_ends_and_never_makes_a_name_longer(provider: str, ref: str) -> None:
    """Whatever a hostile id is made of."""
    found = readings(book().providers, provider, ref)
    assert 1 <= len(found) <= 20
    assert len({name for name, _ in found}) == len(found)
    assert all(len(name) <= len(ref.lower()) for name, _ in found)
