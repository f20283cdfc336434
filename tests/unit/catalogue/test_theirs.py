"""What an entry of the second catalogue says: who sells which model where, and what one event of each kind costs."""

from decimal import Decimal
from typing import Any

import pytest

from tests.benchmarks.catalogue.theirs import Row, rows
from tests.benchmarks.catalogue.wheel import read


def row_of(name: str, provider: str, **fields: Any) -> Row:
    """The row of a catalogue with this one entry."""
    (row,) = rows({name: {"litellm_provider": provider, "input_cost_per_token": Decimal("0.000001"), **fields}})
    return row


@pytest.mark.parametrize(
    ("name", "provider", "ours", "model", "region", "conditions"),
    [
        ("gpt-5", "openai", "openai", "gpt-5", None, {}),
        ("openai/sora-2", "openai", "openai", "sora-2", None, {}),
        ("azure/eu/gpt-4o", "azure", "azure", "gpt-4o", "swedencentral", {"deployment": "data_zone"}),
        ("azure/us-gov/o3-mini", "azure", "azure", "o3-mini", "usgovvirginia", {"deployment": "regional"}),
        ("azure/global-standard/gpt-4o", "azure", "azure", "gpt-4o", None, {"deployment": "global"}),
        ("azure_ai/deepseek-v3.2", "azure_ai", "azure", "deepseek-v3.2", None, {}),
        ("bedrock/us-gov-west-1/amazon.nova-pro-v1:0", "bedrock", "aws", "amazon.nova-pro-v1:0", "us-gov-west-1", {}),
        ("eu.amazon.nova-pro-v1:0", "bedrock_converse", "aws", "eu.amazon.nova-pro-v1:0", None, {}),
        ("bedrock_mantle/openai.gpt-5.5", "bedrock_mantle", "aws", "openai.gpt-5.5", None, {}),
        ("vertex_ai/claude-opus-5@default", "vertex_ai-anthropic_models", "google", "claude-opus-5@default", None, {}),
        ("gemini/gemini-2.5-pro", "gemini", "google", "gemini-2.5-pro", None, {}),
        ("xai/grok-4.5", "xai", "x-ai", "grok-4.5", None, {}),
        ("groq/openai/gpt-oss-20b", "groq", "groq", "openai/gpt-oss-20b", None, {}),
        ("openai/gpt-oss-20b", "deepinfra", "deepinfra", "gpt-oss-20b", None, {}),
    ],
)
def test_names(name: str, provider: str, ours: str, model: str, region: str | None, conditions: dict[str, str]) -> None:
    """Provider, model, region and conditions are all in an entry's name, in each provider's own way."""
    row = row_of(name, provider)
    assert (row.provider, row.model, row.region, dict(row.conditions)) == (ours, model, region, conditions)


def test_fields_of_tokens() -> None:
    """A field says meter, context length and tier; a probe's cost is for all of its tokens."""
    row = row_of(
        "m", "openai",
        output_cost_per_token_above_272k_tokens_flex=Decimal("0.00001"),
        cache_creation_input_token_cost_above_1hr_above_200k_tokens=Decimal("0.000006"),
        cache_read_input_token_cost_batches=Decimal("0.0000001"),
    )  # fmt: skip
    assert {(probe.name, probe.usd) for probe in row.probes} == {
        ("input", Decimal("0.001")),
        ("output, flex, input above 272000", Decimal("0.01")),
        ("cache_write_1h, input above 200000", Decimal("1.200006")),
        ("cache_read, batch", Decimal("0.0001")),
    }
    long = next(probe for probe in row.probes if probe.kind == "output")
    text = {"output_audio_tokens": 0, "output_image_tokens": 0, "output_video_tokens": 0}
    assert long.usage() == {"kind": "tokens", "input_tokens": 272001, "output_tokens": 1000} | text


def test_fields_of_other_units() -> None:
    """Images, seconds, pages, searches and factors for a place are events of their own."""
    row = row_of(
        "m", "anthropic", mode="chat",
        output_cost_per_image=Decimal("0.04"),
        search_context_cost_per_query={f"search_context_size_{size}": Decimal("0.01") for size in ("low", "medium")},
        provider_specific_entry={"us": Decimal("1.1")},
        input_cost_per_token_balanced=Decimal(1),
    )  # fmt: skip
    costs = {probe.name: probe.usd for probe in row.probes}
    assert costs == {
        "input": Decimal("0.001"), "input, inference_geo=us": Decimal("0.0011"),
        "image": Decimal(40), "web_search": Decimal(10),
    }  # fmt: skip
    by_size = row_of(
        "s", "perplexity",
        search_context_cost_per_query={
            f"search_context_size_{size}": Decimal(usd) for size, usd in (("low", "0.005"), ("high", "0.012"))
        },
    )  # fmt: skip
    assert {(p.name, p.usd) for p in by_size.probes if p.kind == "request"} == {
        ("request, search_context=low", Decimal("0.005")), ("request, search_context=high", Decimal("0.012")),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "entry", "why"),
    [
        ("bedrock/us-east-1/1-month-commitment/m", {"litellm_provider": "bedrock"}, "commitment"),
        ("high/1024-x-1024/gpt-image-1", {"litellm_provider": "openai", "output_cost_per_image": 1}, "size"),
        ("gpt-sol-latest", {"alias_of": "gpt-6-sol"}, "alias"),
        ("openai/container", {"litellm_provider": "openai"}, "no price"),
    ],
)  # fmt: skip
def test_what_is_not_compared(name: str, entry: dict[str, Any], why: str) -> None:
    """An entry that no event can be made of says why, and has no probes."""
    (row,) = rows({name: entry})
    assert row.not_compared == why
    assert row.probes == ()


def test_prices_are_read_exactly() -> None:
    """No figure becomes a float on the way."""
    (row,) = rows(read(b'{"m": {"litellm_provider": "openai", "input_cost_per_token": 1.1e-7}, "note": 3}'))
    assert row.probes[0].usd == Decimal("0.00011")
