"""Names under which one call may be reported."""

import pytest

from stream_jobs.reconciliation.names import is_of_one_call, may_be_one, model_of, provider_of


@pytest.mark.parametrize(
    ("name", "model", "provider"),
    [
        ("openai", "gpt-4o", "openai"),
        ("azure.ai.openai", "gpt-4o", "azure"),
        ("vertex_ai", "gemini-2.5-pro", "google"),
        ("bedrock", "anthropic.claude-opus-4-6-v1:0", "aws"),
        ("litellm", "azure/gpt-4o", "azure"),
        ("portkey", "xai/grok-4.5", "x-ai"),
        ("litellm", "gpt-4o", "litellm"),
        ("nobody", "openai/gpt-4o", "nobody"),
    ],
)
def test_one_name_for_a_provider(name: str, model: str, provider: str) -> None:
    """As in the price book; what nobody knows keeps its name."""
    assert provider_of(name, model) == provider


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("azure", "openai", True),
        ("google", "anthropic", True),
        ("aws", "anthropic", True),
        ("openai", "openai", True),
        ("openai", "anthropic", False),
        ("azure", "aws", False),
        ("azure", "google", False),
        ("openai", "openrouter", False),
    ],
)
def test_a_cloud_and_the_makers_whose_models_it_has(one: str, other: str, may: bool) -> None:
    """Either way round; two clouds, or two makers, are never one."""
    assert (may_be_one(one, other), may_be_one(other, one)) == (may, may)


@pytest.mark.parametrize(
    ("provider", "name", "model"),
    [
        ("openai", "gpt-4o-2024-11-20", "gpt-4o"),
        ("openai", "GPT-4.1", "gpt-4.1"),
        ("azure", "azure/gpt-4o", "gpt-4o"),
        ("aws", "eu.anthropic.claude-opus-4-6-20260205-v1:0", "claude-opus-4-6"),
        ("anthropic", "claude-opus-4-6@20260205", "claude-opus-4-6"),
        ("google", "claude-opus-4-6@default", "claude-opus-4-6"),
        ("anthropic", "claude-3.5-sonnet", "claude-3.5-sonnet"),
        ("google", "publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "projects/p/locations/us/publishers/anthropic/models/claude-opus-4-6", "claude-opus-4-6"),
        ("aws", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "nova-pro"),
        ("aws", "us.twelvelabs.pegasus-1-2-v1:0", "pegasus-1-2"),
        ("aws", "converse/us-east-1/amazon.nova-pro-v1:0", "nova-pro"),
        ("openrouter", "deepseek/deepseek-v3.2:nitro", "deepseek-v3.2"),
        ("openrouter", "deepseek/deepseek-v3.2", "deepseek-v3.2"),
        ("nobody", "some/path/gpt-4o-mini", "gpt-4o-mini"),
        ("anthropic", "claude-3-7-sonnet-latest", "claude-3-7-sonnet"),
        ("mistral", "mistral-large-2411", "mistral-large"),
        ("openai", "gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("google", "gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("google", "gemini-2.5-pro-preview-05-06", "gemini-2.5-pro-preview"),
        ("cohere", "command-r-08-2024", "command-r"),
        ("anthropic", "claude-opus-4-6", "claude-opus-4-6"),
        ("openai", "text-embedding-3-small", "text-embedding-3-small"),
        ("openai", "", ""),
    ],
)
def test_what_stands_around_a_models_id(provider: str, name: str, model: str) -> None:
    """Wrapping, vendor, region, version, day and a router's ending; a number of the model itself stays."""
    assert model_of(provider, name) == model


@pytest.mark.parametrize("response_id", ["chatcmpl-ABC1", "resp_1", "msg_bdrk_01", "gen-1", "converse", "run_1", "r"])
def test_ids_of_calls(response_id: str) -> None:
    """Whatever does not say that it is something else."""
    assert is_of_one_call(response_id)


@pytest.mark.parametrize(
    "response_id",
    ["", "conv_1", "chatcmpl-0", "chatcmpl-998", "cmpl-17", "thread_1", "session_1", "batch_1", "msgbatch_1"],
)
def test_ids_of_what_calls_belong_to(response_id: str) -> None:
    """Many calls share them, and no id is none."""
    assert not is_of_one_call(response_id)
