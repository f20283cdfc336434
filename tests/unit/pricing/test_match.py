"""Which ids name a model: exact ids, known dated forms, nothing that merely looks alike."""

from functools import cache

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.pricing.match import ProviderIndex, dated_form_of
from tests.unit.pricing.strategies import IDS


@cache
def index(provider: str) -> ProviderIndex:
    return ProviderIndex(provider, next(p.models for p in get_snapshot().providers if p.id == provider))


@pytest.mark.parametrize(
    ("provider", "ref", "model"),
    [
        ("openai", "gpt-4o", "gpt-4o"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "gpt-5.2-20251211", "gpt-5.2"),  # the compact date that gateways write
        ("openai", "gpt-4o-realtime-preview-2024-12-17", "gpt-4o-realtime-preview"),
        ("openai", "ft:gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini"),
        ("anthropic", "claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4-0"),
        ("anthropic", "claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("google", "gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("google", "gemini-2.5-flash-lite-preview-09-2025", "gemini-2.5-flash-lite"),
        ("google", "gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("google", "gemini-2.5-flash-native-audio-preview-09-2025", "gemini-live-2.5-flash"),
        ("google", "claude-opus-4-1@20250805", "claude-4-opus"),
        ("aws", "us.meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct-v1:0"),
        ("aws", "anthropic.claude-3-haiku-20240307-v1:0:200k", "regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ("aws", "global.anthropic.claude-opus-4-5-20251101-v1:0", "global.anthropic.claude-opus-4-5-v1:0"),
        (
            "aws",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("aws", "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0"),
        (
            "aws",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            "regional.anthropic.claude-3-5-sonnet-20241022-v2:0",
        ),
        ("mistral", "magistral-medium-2509", "magistral-medium"),
        ("cursor", "composer-2.5[fast=true]", "composer-2.5-fast"),
    ],
)
def test_known_forms_of_an_id_name_its_model(provider: str, ref: str, model: str) -> None:
    """Dates, versions, Bedrock and Vertex spellings are forms of a name."""
    found = index(provider).find(ref)
    assert found is not None
    assert found.id.lower() == model


@pytest.mark.parametrize(
    ("provider", "ref"),
    [
        ("openai", "gpt-4o-foo"),
        ("openai", "gpt-4o-2031-01-01"),  # another snapshot may cost something else, as 2024-05-13 does
        ("openai", "gpt-4o-mini-2024-13-45"),
        ("openai", "openai/gpt-4o"),
        ("anthropic", "claude-sonnet-4-5-foo"),
        ("anthropic", "claude-sonnet-4-2025"),  # the clause's literal is no id
        ("anthropic", "claude-opus-4-5-99999999"),
        ("anthropic", "my-claude-opus-4-5"),
        ("google", "gemini-2.5-pro-foo"),
        ("google", "not-gemini-2.5-pro"),
        ("aws", "amazon.nova-pro-v2:0"),  # a version that does not exist is not the first one
        ("aws", "amazon.nova-pro-v1:1"),
        ("aws", "amazon.titan-text-express-v2"),
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v2:0"),
        ("aws", "mistral.mistral-7b-instruct-v1:0"),  # there is v0:2
        ("anthropic", "claude-opus-4-1-v9"),  # only Bedrock writes versions so
        ("anthropic", "claude-opus-4-1-20250805-v1:0"),
        ("google", "gemini-2.5-pro-v3"),
        ("google", "gemini-2.5-pro-009"),
        ("google", "gemini-2.5-pro-0514"),  # dates of previews follow -preview
        ("deepseek", "deepseek-chat-v9"),
        ("deepseek", "deepseek-chat:1"),
        ("openai", "gpt-4o-v1:0"),
        ("openai", "gpt-4o@default"),
        ("anthropic", "claude-opus-4-5-2911"),  # Anthropic writes whole dates
        ("anthropic", "claude-sonnet-4-0101"),
        ("anthropic", "claude-opus-4-5-05-20"),
        ("openai", "gpt-4o-2411"),  # Mistral's way
        ("mistral", "mistral-large-0613"),  # OpenAI's way
        # what an id is wrapped in is taken off elsewhere, and only where it is known: pricing/refs.py
        ("aws", "arn:aws:sagemaker:us-east-1:123456789012:endpoint/amazon.nova-pro-v1:0"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/amazon.nova-pro-v1:0"),
        ("aws", "foo/bar/amazon.nova-pro-v1:0"),
        ("aws", "s3://bucket/amazon.nova-pro-v1:0"),
        ("aws", "evil.anthropic.claude-3-haiku-20240307-v1:0"),
        ("aws", "us.anthropic.claude-3-haiku-20240307-v1:0-foo"),
        ("cursor", "composer-2.5[fast=maybe]"),
        ("openai", ""),
        ("openai", "x" * 128),
    ],
)
def test_what_merely_looks_alike_is_unknown(provider: str, ref: str) -> None:
    """genai-prices takes several of these for a neighbour; we take none."""
    assert index(provider).find(ref) is None


def test_every_id_that_the_base_data_names_is_found() -> None:
    """Strictness loses no id, and each means the model that the base data means."""
    for provider, ref in IDS:
        found = index(provider).find(ref)
        expected = next(p for p in get_snapshot().providers if p.id == provider).find_model(ref)
        assert found is expected, (provider, ref)


@given(pair=st.sampled_from(IDS), tail=st.text("abcxyz-.:@/0189", min_size=1, max_size=12))
def test_strict_matching_only_ever_refuses(pair: tuple[str, str], tail: str) -> None:
    """What it accepts, with any tail, is what the base data's own matching says."""
    provider, name = pair
    found = index(provider).find(name + tail)
    if found is not None:
        assert found is next(p for p in get_snapshot().providers if p.id == provider).find_model(name + tail)


@given(
    pair=st.sampled_from(IDS),
    tail=st.sampled_from(["-v7", "-v9:0", "-v1:0-v1:0", ":7", ":0:0", "-007", "@007", "-v12:0:200k"]),
)
def test_an_invented_version_of_a_known_id_names_no_model(pair: tuple[str, str], tail: str) -> None:
    """Of no provider and of no model: an id has the version that the book has."""
    provider, name = pair
    if (provider, name + tail) not in IDS:
        assert index(provider).find(name + tail) is None


def test_a_dated_form_is_a_name_and_a_date() -> None:
    """Used when a service asked for a name and was served its snapshot."""
    assert dated_form_of("mistral-large-4", "mistral-large-4-2026-10-01")
    assert not dated_form_of("mistral-large-4", "mistral-large-4-turbo")
    assert not dated_form_of("mistral-large-4", "mistral-large-4")
