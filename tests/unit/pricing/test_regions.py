"""Where a call was served moves its price: every word for a region and a deployment, over every model that has one."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import UnpricedReason
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.provider_rules import ProvidersFile
from stream_jobs.pricing.providers import PROVIDERS_FILE
from stream_jobs.pricing.result import Pricing
from stream_jobs.pricing.yaml_models import load_model
from tests.unit.pricing.events import NOW, token_event
from tests.unit.pricing.shipped import shipped_book as book

PLAIN = {"input_tokens": 1000, "output_tokens": 1000}
INPUT_ONLY = {"input_tokens": 1000}
SOURCED = {"source": "https://example.org", "checked": "2026-11-28"}
UNSOLD = {UnpricedReason.NO_PRICE_FOR_CONDITION, UnpricedReason.NO_PRICE_FOR_METER}
DEPLOYMENTS = {
    "Standard": "regional",
    "GlobalStandard": "global",
    "DataZoneStandard": "data_zone",
    "GlobalBatch": "global",
    "DataZoneBatch": "data_zone",
    "ProvisionedManaged": "provisioned",
    "GlobalProvisionedManaged": "provisioned",
    "DataZoneProvisionedManaged": "provisioned",
    "DeveloperTier": "developer",
}
"""Azure's SKU names of deployments."""


REGIONAL: dict[str, Any] = {"conditions": {"endpoint": "regional"}}


@cache
def rules() -> ProvidersFile:
    return load_model(ProvidersFile, PROVIDERS_FILE)


def regions(provider: str) -> list[str]:
    return sorted({word for words in rules().regions[provider].groups.values() for word in words})


def price(model: str, provider: str, usage: dict[str, Any] = PLAIN, **fields: Any) -> Pricing:
    return book().price(facts_of(token_event(model, usage, provider=provider, **fields)))


def models(provider: str) -> Iterator[str]:
    return (model for owner, model in book().catalog.models() if owner == provider)


@pytest.mark.parametrize("region", regions("aws"))
def test_no_region_of_bedrock_is_cheaper_than_the_default(region: str) -> None:
    """Every model in every region costs at least what it costs without a region, or has no price there."""
    for model in models("aws"):
        for usage in (PLAIN, INPUT_ONLY):
            default, there = price(model, "aws", usage), price(model, "aws", usage, region=region)
            if there.list_cost is None:
                assert default.list_cost is None or there.reason in UNSOLD, (model, there)
            else:
                assert default.list_cost is not None
                assert there.list_cost >= default.list_cost, (model, there)


@pytest.mark.parametrize("region", ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "US-West-2"])
def test_the_regions_of_the_default_change_nothing(region: str) -> None:
    """In the United States a call costs what it costs without a region, and where no entry names the very region the
    receipt is that of an event without one: contracts still hold."""
    for model in models("aws"):
        assert price(model, "aws", region=region).list_cost == price(model, "aws").list_cost, model
    for model in ("amazon.nova-pro-v1:0", "meta.llama3-3-70b-instruct-v1:0"):
        assert price(model, "aws", region=region) == price(model, "aws")


WORDS = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=60)


@given(region=WORDS.filter(lambda word: word.lower() not in {*regions("aws"), *rules().regions["aws"].groups}))
def test_a_region_that_nobody_knows_is_no_price(region: str) -> None:
    """Whatever the word: on Bedrock it is unknown_condition, never the price of the default region."""
    for model in (
        "amazon.nova-pro-v1:0",
        "meta.llama3-3-70b-instruct-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
    ):
        assert price(model, "aws", region=region).reason is UnpricedReason.UNKNOWN_CONDITION


@pytest.mark.parametrize("word", DEPLOYMENTS)
def test_no_deployment_of_azure_is_cheaper_than_the_global_one(word: str) -> None:
    """Each of Azure's words in each region: at least the Global price of its tier, or no price; never unknown."""
    tier = "batch" if word.endswith("Batch") else None
    for model in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5.1", "o3-mini", "gpt-6-sol", "deepseek-v3.2", "grok-3"):
        base = price(model, "azure", service_tier=tier)
        for region in regions("azure"):
            there = price(model, "azure", region=region, conditions={"deployment": word})
            if there.list_cost is None:
                assert there.reason in UNSOLD | {UnpricedReason.NO_PRICE_FOR_TIER}, (model, region, there)
            else:
                assert base.list_cost is not None
                assert there.list_cost >= base.list_cost, (model, region, there)
                assert (there.list_cost == base.list_cost) <= (DEPLOYMENTS[word] == "global"), (model, region, there)


@pytest.mark.parametrize("word", DEPLOYMENTS)
def test_azures_words_are_read_however_they_are_written(word: str) -> None:
    """GlobalStandard, globalstandard, GLOBAL-STANDARD and Global_Standard are one."""
    spelled = [word, word.lower(), word.upper(), "-".join(word), "_".join(word)]
    found = {(p.reason, p.list_cost) for s in spelled for p in [price("gpt-4o", "azure", conditions={"deployment": s})]}
    assert len(found) == 1


@pytest.mark.parametrize("word", [word for word, kind in DEPLOYMENTS.items() if kind == "provisioned"])
def test_reserved_capacity_says_what_to_declare(word: str) -> None:
    """Provisioned throughput has no price per token: the reason names the rate card; a correction can make it free."""
    found = price("gpt-4o", "azure", conditions={"deployment": word})
    assert found.reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    assert "rate_cards/" in found.detail
    free = {"models": ["gpt-4o"], "when": {"deployment": "provisioned"}, "multiplier": 0, **SOURCED}
    plain = {"models": ["gpt-4o"], "prices": {"input_mtok": 2, "output_mtok": 10}, **SOURCED}
    document = CorrectionFile.model_validate({"provider": "azure", "entries": [plain, free]})
    own = PriceBook.of([document])
    event = token_event("gpt-4o", PLAIN, provider="azure", conditions={"deployment": word})
    assert own.price(facts_of(event)).list_cost == 0


def test_a_missing_region_of_a_deployment_is_eastus_and_the_receipt_says_so() -> None:
    """The documented default is not silent: the SKU names the region that was taken."""
    found = price("gpt-4o", "azure", conditions={"deployment": "Standard"})
    assert found.list_cost == price("gpt-4o", "azure", region="eastus", conditions={"deployment": "Standard"}).list_cost
    assert {line.sku.partition(";")[2] for line in found.lines} == {"deployment=regional;region=us"}


@pytest.mark.parametrize("spelled", ["swedencentral", "Sweden Central", "sweden-central", "SWEDEN_CENTRAL"])
def test_azure_regions_have_display_names(spelled: str) -> None:
    """Sweden Central is swedencentral: 1.21 times the Global price."""
    found = price("gpt-4o", "azure", region=spelled, conditions={"deployment": "Standard"})
    assert found.list_cost == 15_125_000_000


@pytest.mark.parametrize("prefix", rules().regions["aws"].id_prefixes)
def test_a_geography_in_the_id_is_a_group_of_regions(prefix: str) -> None:
    """Every prefix of a Bedrock id is known as a group, and a region in it costs no less than the prefix says."""
    groups = rules().regions["aws"].groups
    assert prefix in groups or prefix in ("us-gov",)
    alone = price(f"{prefix}.amazon.nova-pro-v1:0", "aws")
    assert alone.reason is not UnpricedReason.UNKNOWN_CONDITION
    for region in groups[prefix]:
        there = price(f"{prefix}.amazon.nova-pro-v1:0", "aws", region=region)
        assert there.list_cost == alone.list_cost or alone.list_cost is None or there.list_cost is None


@pytest.mark.parametrize("region", regions("google"))
def test_a_region_of_vertex_says_the_endpoint(region: str) -> None:
    """Claude from Sonnet 4.5 and Gemini from 3.1 on: 10 % more on regional and multi-region endpoints."""
    factor = 10 if region == "global" else 11
    for model, usage in (
        ("claude-sonnet-4-5", PLAIN),
        ("claude-opus-4-6", PLAIN),
        ("gemini-3.5-flash", PLAIN),
        ("gemini-3.1-flash-image", PLAIN | {"output_image_tokens": 900}),
        ("gemini-4-argon", PLAIN),
    ):
        default, there = price(model, "vertex_ai", usage), price(model, "vertex_ai", usage, region=region)
        assert default.list_cost is not None
        assert there.list_cost == default.list_cost * factor // 10
    for model in ("gemini-2.5-pro", "claude-3-7-sonnet"):
        assert price(model, "vertex_ai", region=region) == price(model, "vertex_ai")


def test_no_model_of_google_keeps_its_global_price_in_a_region_unless_an_entry_says_so() -> None:
    """A region says what `endpoint` says: the same price, or the same reason why there is none; never no difference."""
    for model in models("google"):
        there, said = price(model, "google", region="europe-west4"), price(model, "google", **REGIONAL)
        assert (there.list_cost, there.reason) == (said.list_cost, said.reason), model
        unknown, plain = price(model, "google", region="mars"), price(model, "google")
        assert unknown.list_cost is None or unknown == plain == there, model
    unsold = price("gemini-3-pro-preview", "google", region="us")
    assert unsold.reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    assert "say `conditions.endpoint: global`" in unsold.detail


def test_the_location_in_a_vertex_id_is_its_region() -> None:
    """projects/…/locations/us-east5/… is regional, whatever stands around it."""
    where = book().providers.regions.where
    ref = "projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5"
    assert (found := where("google", None, [ref])) is not None
    assert (found.word, found.groups) == ("us-east5", ("regional",))
    assert where("google", "us-east5", [], ["endpoint"]) is None


def test_a_region_that_azure_does_not_have_is_unknown_of_every_model_and_the_government_has_no_global() -> None:
    """Whatever the price of the model depends on, and whatever is said of the deployment."""
    for model in models("azure"):
        for said in (None, {"deployment": "global"}, {"deployment": "data_zone"}, {"deployment": "regional"}):
            unknown = price(model, "azure", region="marscentral", conditions=said)
            assert unknown.list_cost is None, (model, said)
        for region in rules().regions["azure"].groups["us-gov"]:
            unsaid = price(model, "azure", region=region)
            listed = any("region=us-gov" in line.sku for line in unsaid.lines)  # an entry names the price there
            assert unsaid.list_cost is None or listed, (model, region)
        for region in ("uksouth", "brazilsouth"):
            zoned = price(model, "azure", region=region, conditions={"deployment": "data_zone"})
            assert zoned.list_cost is None or f"region={region}" in zoned.lines[0].sku, (model, region)
    unsaid = price("gpt-4o", "azure", region="usgovvirginia")
    assert unsaid.reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    assert "say conditions.deployment" in unsaid.detail


@pytest.mark.parametrize(
    ("deployment", "cost"),
    [(None, 12_500_000_000), ("GlobalStandard", 12_500_000_000), ("Standard", None), ("DataZoneStandard", None)],
)
def test_azures_place_that_is_everywhere_sells_global_deployments_only(
    deployment: str | None, cost: int | None
) -> None:
    """Azure's price list and LiteLLM's ids (azure/global/gpt-4o) call it a region."""
    found = price("gpt-4o", "azure", region="global", conditions={"deployment": deployment} if deployment else None)
    assert found.list_cost == cost


@pytest.mark.parametrize(
    "usage",
    [PLAIN, {"output_images": 1}, {"output_video_seconds": "6"}, {"search_units": 1}],
    ids=lambda usage: next(iter(usage)),
)
def test_no_model_of_bedrock_has_a_price_in_a_region_that_does_not_exist(usage: dict[str, Any]) -> None:
    """Images, videos and rerank as well as tokens; an id with a geography is called from there, whatever is said."""
    geographies = tuple(f"{word}." for word in (*rules().regions["aws"].id_prefixes, "regional"))
    for model in models("aws"):
        found = book().catalog.identify("aws", model, None, NOW)
        elsewhere = isinstance(found, Identity) and found.model.startswith(
            geographies
        )  # Claude costs the same everywhere
        if not elsewhere and not model.startswith(geographies):
            assert price(model, "aws", usage, region="mars-1").list_cost is None, model


def test_regions_move_nothing_where_no_price_depends_on_them() -> None:
    """OpenAI's, Anthropic's and Mistral's own APIs: a region is where the service runs."""
    for provider, model in (
        ("openai", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5"),
        ("mistral", "mistral-large-2411"),
    ):
        assert price(model, provider, region="mars") == price(model, provider)


def test_names_of_regions_that_come_from_outside_are_not_kept_for_ever() -> None:
    """Unknown regions are remembered in the bounded cache only; known ones share the rates of their group."""
    small = PriceBook.load()
    events = [token_event("amazon.nova-pro-v1:0", PLAIN, provider="aws", region=f"eu-{n}") for n in range(100)]
    known = [
        token_event("amazon.nova-pro-v1:0", PLAIN, provider="aws", region=region)
        for region in rules().regions["aws"].groups["eu"]
    ]
    assert {small.price(facts_of(event)).reason for event in events} == {UnpricedReason.UNKNOWN_CONDITION}
    assert len({id(small.engine.rates(facts_of(event), 1)) for event in known}) == 1


def test_the_more_specific_multiplier_wins_by_region() -> None:
    """A price for a region under a condition stands in for the one under the condition, it does not come on top."""
    entries = [
        {"models": ["m"], "prices": {"input_mtok": 1, "output_mtok": 1}, **SOURCED},
        {"models": ["m"], "when": {"endpoint": "regional"}, "multiplier": 2, **SOURCED},
        {"models": ["m"], "when": {"endpoint": "regional", "region": "north"}, "multiplier": 3, **SOURCED},
    ]
    own = PriceBook.of([CorrectionFile.model_validate({"provider": "cohere", "entries": entries})])

    def cost(**fields: Any) -> int | None:
        event = token_event("m", {"input_tokens": 1_000_000, "output_tokens": 0}, provider="cohere", **fields)
        return own.price(facts_of(event)).list_cost

    regional = {"endpoint": "regional"}
    found = [cost(), cost(conditions=regional), cost(conditions=regional, region="north"), cost(region="north")]
    assert found == [10**12, 2 * 10**12, 3 * 10**12, 10**12]


def test_a_price_of_the_region_is_none_of_the_tier_in_the_region() -> None:
    """Two prices, each under one condition, say nothing about both at once: unpriced until an entry names both."""
    entries = [
        {"models": ["m"], "prices": {"input_mtok": 1, "output_mtok": 1}, **SOURCED},
        {
            "models": ["m"],
            "when": {"service_tier": "priority"},
            "prices": {"input_mtok": 2, "output_mtok": 2},
            **SOURCED,
        },
        {"models": ["m"], "when": {"region": "north"}, "prices": {"input_mtok": 3, "output_mtok": 3}, **SOURCED},
    ]
    both = {"when": {"service_tier": "priority", "region": "north"}, "prices": {"input_mtok": 6, "output_mtok": 6}}

    def found(extra: list[dict[str, Any]], **fields: Any) -> tuple[UnpricedReason | None, int | None]:
        document = CorrectionFile.model_validate({"provider": "cohere", "entries": [*extra, *entries, *extra]})
        usage = {"input_tokens": 1_000_000, "output_tokens": 0}
        pricing = PriceBook.of([document]).price(facts_of(token_event("m", usage, provider="cohere", **fields)))
        return pricing.reason, pricing.list_cost

    there = {"region": "north", "service_tier": "priority"}
    assert found([], region="north") == (None, 3 * 10**12)
    assert found([], service_tier="priority") == (None, 2 * 10**12)
    assert found([], **there) == (UnpricedReason.NO_PRICE_FOR_CONDITION, None)
    assert found([{"models": ["m"], **both, **SOURCED}], **there) == (None, 6 * 10**12)
