"""What rate cards price: GPU and CPU seconds, and metered SKUs."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from spendstream_schemas import UnpricedReason
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import DATA, PriceBook
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile, accelerator_key
from stream_jobs.pricing.result import Pricing
from stream_jobs.pricing.yaml_models import load_model
from tests.unit.pricing.events import event
from tests.unit.pricing.shipped import shipped_book as built_in

USD = 10**12
TODAY = datetime(2026, 11, 28, tzinfo=UTC)
CARD: dict[str, Any] = {
    "provider": "acme", "names": ["acme-cloud"], "source": "https://example.com", "checked": "2026-11-21",
    "accelerators": [
        {"names": ["H100", "H100-80GB"], "usd_per_hour": 10, "purchase_options": {
            "spot": {"percent_off": 70}, "committed": {"usd_per_hour": 6}}},
        {"names": ["H100"], "regions": ["eu-1"], "usd_per_hour": 12},
        {"names": ["H100"], "regions": ["eu-1"], "instance_types": ["big.8"], "usd_per_hour": 11, "cpu_included": True},
        {"names": ["V100"], "regions": ["eu-1"], "usd_per_hour": 3},
        {"names": ["T4"], "valid_from": "2026-01-01", "valid_to": "2026-02-01", "usd_per_hour": 1},
    ],
    "cpus": [{"usd_per_hour": 1}],
    "skus": [
        {"sku": "storage", "unit": "GB-month", "usd_per_unit": 2},
        {"sku": "storage", "unit": "GB-month", "usd_per_unit": 3, "regions": ["eu-1"]},
    ],
}  # fmt: skip


def book(overlays: list[dict[str, Any]] | None = None) -> PriceBook:
    files = [OverlayFile.model_validate({"overlays": overlays})] if overlays else []
    return PriceBook.of(card_files=[RateCardFile.model_validate(CARD)], overlay_files=files)


def compute(book_: PriceBook, accelerator: str | None = "H100", **fields: Any) -> Pricing:
    """An hour of one GPU unless said otherwise."""
    usage = {"kind": "compute", "accelerator": accelerator, "purchase_option": fields.pop("option", "on_demand")}
    for name in ("gpu_seconds", "cpu_seconds", "instance_type"):
        if name in fields:
            usage[name] = fields.pop(name)
    if accelerator is not None:
        usage.setdefault("gpu_seconds", 3600)
    return book_.price(facts_of(event(usage, provider=fields.pop("provider", "acme-cloud"), **fields)))


def test_an_hour_costs_the_hourly_price() -> None:
    """Per device second, exactly."""
    pricing = compute(book())
    assert (pricing.list_cost, pricing.contracted_cost, pricing.effective_cost) == (10 * USD, 10 * USD, 10 * USD)
    assert pricing.lines[0].sku == "acme/h100/gpu_hour"
    assert pricing.lines[0].meter == "gpu_seconds"
    assert compute(book(), gpu_seconds="0.000001").list_cost == 2_778  # 2777.7 pico-USD


def test_spot_is_paid_at_spot_and_committed_is_spread() -> None:
    """List is on demand; spot is what we pay; a commitment shows in effective cost only."""
    spot, committed = (compute(book(), option=option) for option in ("spot", "committed"))
    assert (spot.list_cost, spot.contracted_cost, spot.effective_cost) == (10 * USD, 3 * USD, 3 * USD)
    assert (committed.list_cost, committed.contracted_cost, committed.effective_cost) == (10 * USD, 10 * USD, 6 * USD)
    assert compute(book(), option="reserved").reason is UnpricedReason.NO_PRICE_FOR_CONDITION


def test_the_closest_place_wins() -> None:
    """Instance type before region before anywhere."""
    assert compute(book(), region="us-9").list_cost == 10 * USD
    assert compute(book(), region="EU-1").list_cost == 12 * USD
    assert compute(book(), region="eu-1", instance_type="big.8").list_cost == 11 * USD
    assert compute(book(), "V100", region="us-9").reason is UnpricedReason.NO_PRICE_FOR_CONDITION


def test_vcpu_seconds_cost_extra_unless_the_instance_includes_them() -> None:
    """An included vCPU is a line of its own that costs nothing: it is visible that it was counted."""
    assert compute(book(), cpu_seconds=7200).list_cost == 12 * USD
    included = compute(book(), region="eu-1", instance_type="big.8", cpu_seconds=7200)
    assert included.list_cost == 11 * USD
    assert [line.meter for line in included.lines] == ["gpu_seconds", "cpu_seconds"]
    assert compute(book(), None, cpu_seconds=1800).list_cost == USD // 2


@pytest.mark.parametrize(
    ("accelerator", "fields", "expected"),
    [
        ("B200", {}, UnpricedReason.UNKNOWN_ACCELERATOR),
        ("H100-PCIE", {}, UnpricedReason.UNKNOWN_ACCELERATOR),
        ("T4", {}, UnpricedReason.NO_PRICE_AT_TIME),
        ("H100", {"service_tier": "batch"}, UnpricedReason.NO_PRICE_FOR_TIER),
        ("H100", {"conditions": {"speed": "fast"}}, UnpricedReason.NO_PRICE_FOR_CONDITION),
        ("H100", {"tool_calls": {"web_search": 1}}, UnpricedReason.NO_PRICE_FOR_TOOL),
    ],
)
def test_compute_without_a_rate_says_why(accelerator: str, fields: dict[str, Any], expected: UnpricedReason) -> None:
    """Nothing is priced as a neighbour, and nothing that the card doesn't know is ignored."""
    assert compute(book(), accelerator, **fields).reason is expected


def test_spellings_of_a_device_are_one_device_and_sizes_are_not() -> None:
    """An A100 of 40 GB costs half of one of 80."""
    assert accelerator_key("NVIDIA A100 80GB") == accelerator_key("a100-80gb") == accelerator_key("A100_80GB")
    assert accelerator_key("A100") != accelerator_key("A100-80GB")


def test_a_sku_is_priced_per_its_unit() -> None:
    """Units are compared, never converted."""

    def metered(sku: str, unit: str, **fields: Any) -> Pricing:
        return book().price(
            facts_of(event({"kind": "metered", "sku": sku, "quantity": "1.5", "unit": unit}, provider="acme", **fields))
        )

    assert metered("storage", "GB-month").list_cost == 3 * USD
    assert metered("Storage", "gb-month", region="eu-1").list_cost == 45 * USD // 10
    assert metered("storage", "GiB-month").reason is UnpricedReason.UNIT_MISMATCH
    assert metered("egress", "GB").reason is UnpricedReason.UNKNOWN_SKU
    assert metered("storage", "GB-month").lines[0].quantity == Decimal("1.5")


def test_overlays_act_on_rate_cards_too() -> None:
    """A contract per GPU hour, and a percentage for everything of the provider."""
    prices = book([
        {"name": "gpu", "contract": {"gpu_hour": 7}, "scope": {"provider": "acme", "models": ["h100"]}},
        {"name": "all", "discount_percent": 50, "scope": {"provider": "acme"}},
    ])  # fmt: skip
    assert compute(prices).contracted_cost == 7 * USD
    assert compute(prices, None, cpu_seconds=3600).contracted_cost == USD // 2
    sku = {"kind": "metered", "sku": "storage", "quantity": 1, "unit": "GB-month"}
    assert prices.price(facts_of(event(sku, provider="acme"))).contracted_cost == USD


def test_a_later_card_overrides_an_earlier_one() -> None:
    """The operator's own card stands above the built-in one."""
    mine = {**CARD, "accelerators": [{"names": ["H100"], "usd_per_hour": 1}]}
    files = [RateCardFile.model_validate(file) for file in (CARD, mine)]
    assert compute(PriceBook.of(card_files=files)).list_cost == USD


@pytest.mark.parametrize(
    ("provider", "accelerator", "usd_per_hour"),
    [
        ("aws", "H100", "6.88"), ("aws", "NVIDIA H200", "7.912"), ("aws", "B200", "14.2416"),
        ("aws", "A100-40GB", "2.74470525"), ("aws", "NVIDIA A100-SXM4-80GB", "3.43088125"), ("aws", "A10G", "1.212"),
        ("aws", "L4", "0.8048"), ("aws", "L40S", "1.861"), ("aws", "Tesla T4", "0.526"), ("aws", "V100", "3.06"),
        ("aws", "V100-32GB", "3.9015"), ("aws", "Trainium", "1.34375"), ("aws", "inf2", "0.7582"),
        ("azure", "H100", "12.29"), ("azure", "H100-NVL", "6.98"), ("azure", "A100-80GB", "3.673"),
        ("azure", "T4", "0.526"), ("azure", "V100", "3.06"), ("azure", "A10", "1.14"),
        ("gcp", "H100", "10.9791"), ("gcp", "A100-80GB", "5.0688"), ("gcp", "L4", "0.7068"), ("gcp", "V100", "2.48"),
        ("oci", "MI300X", "6"), ("oci", "B200", "14"), ("oci", "A10", "2"), ("oci", "AMD Instinct MI300X", "6"),
        ("lambda", "H100", "4.29"), ("runpod", "NVIDIA H100 80GB HBM3", "3.99"), ("runpod", "B200", "6.79"),
        ("coreweave", "H200", "6.305"), ("coreweave", "L40S", "2.25"), ("nebius", "H100", "4.5"),
    ],
)  # fmt: skip
def test_the_built_in_cards_price_common_gpus(provider: str, accelerator: str, usd_per_hour: str) -> None:
    """By the cloud's word for them and by nvidia-smi's."""
    usage = {"kind": "compute", "accelerator": accelerator, "purchase_option": "on_demand", "gpu_seconds": 3600}
    pricing = built_in().price(facts_of(event(usage, provider=provider, at=TODAY)))
    assert pricing.reason is None, pricing.detail
    assert pricing.list_cost == Decimal(usd_per_hour) * USD


@pytest.mark.parametrize(
    ("provider", "accelerator", "day", "usd_per_hour"),
    [
        ("aws", "H100", "2025-05-31", "12.29"), ("aws", "H100", "2025-06-01", "6.88"),
        ("aws", "A100-40GB", "2025-05-31", "4.096575"), ("aws", "A100-40GB", "2025-06-01", "2.74470525"),
        ("runpod", "A100-80GB", "2026-10-18", "1.59"), ("runpod", "A100-80GB", "2026-10-19", "1.79"),
        ("lambda", "A100", "2026-09-19", "1.29"), ("nebius", "H100", "2026-10-01", "3.85"),
    ],
)  # fmt: skip
def test_a_cut_of_a_gpu_holds_from_its_day(provider: str, accelerator: str, day: str, usd_per_hour: str) -> None:
    """AWS cut its H100s by 44 % on 2025-06-01: an hour of May costs what it cost in May."""
    usage = {"kind": "compute", "accelerator": accelerator, "purchase_option": "on_demand", "gpu_seconds": 3600}
    pricing = built_in().price(facts_of(event(usage, provider=provider, at=datetime.fromisoformat(f"{day}T12:00:00Z"))))
    assert pricing.list_cost == Decimal(usd_per_hour) * USD


def test_sizes_regions_and_spot_of_the_built_in_cards() -> None:
    """A size of its own price, a TPU where it is sold, and spot that is contracted below the list."""
    usage = {"kind": "compute", "purchase_option": "on_demand", "gpu_seconds": 3600}
    big = {**usage, "accelerator": "A10G", "instance_type": "g5.48xlarge"}
    assert built_in().price(facts_of(event(big, provider="aws"))).list_cost == Decimal("2.036") * USD
    paris, frankfurt = (
        built_in().price(facts_of(event(big, provider="aws", region=region)))
        for region in ("eu-west-3", "eu-central-1")
    )
    assert paris.reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    assert frankfurt.list_cost == Decimal("2.5460125") * USD
    tpu = {**usage, "accelerator": "TPU-v5e"}
    priced = built_in().price(facts_of(event(tpu, provider="gcp", region="us-central1")))
    assert priced.list_cost == Decimal("1.2") * USD
    tokyo = built_in().price(facts_of(event(tpu, provider="gcp", region="asia-northeast1")))
    assert tokyo.list_cost == Decimal("1.54104") * USD
    elsewhere = built_in().price(facts_of(event(tpu, provider="gcp", region="me-west1")))
    assert elsewhere.reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    h100 = {**usage, "accelerator": "H100"}
    london = built_in().price(facts_of(event(h100, provider="aws", region="eu-west-2", at=TODAY)))
    assert london.list_cost == Decimal("8.944") * USD
    spot = {**h100, "purchase_option": "spot"}
    pricing = built_in().price(facts_of(event(spot, provider="aws", at=TODAY)))
    assert (pricing.list_cost, pricing.contracted_cost) == (688 * USD // 100, 2064 * USD // 1000)


def cards(provider: str) -> RateCardFile:
    """The built-in card."""
    return load_model(RateCardFile, DATA / "rate_cards" / f"{provider}.yaml")


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
@pytest.mark.parametrize("region", ["mars-1", "us-gov-west-1", "usgovvirginia", "antarctica"])
def test_a_region_that_a_card_does_not_name_has_no_price(provider: str, region: str) -> None:
    """What a GPU costs in the head's regions is nothing that it costs elsewhere, in a region that exists or not."""
    for name in _names_of(provider):
        pricing = _hour(provider, name, region=region)
        assert pricing.reason is UnpricedReason.NO_PRICE_FOR_CONDITION, (name, pricing)
        assert "declare it in rate_cards/" in pricing.detail


@pytest.mark.parametrize(
    ("provider", "name", "region", "same"),
    [
        ("azure", "T4", "eastus", "East US"),
        ("azure", "T4", "eastus", "EASTUS"),
        ("gcp", "L4", "us-central1", "us-central1-a"),
        ("aws", "A10G", "eu-central-1", "eu-central-1b"),
    ],
)
def test_regions_have_display_names_and_zones(provider: str, name: str, region: str, same: str) -> None:
    """What an exporter on the machine reads is often the zone, and what Azure's portal shows is the display name."""
    assert _hour(provider, name, region=same).list_cost == _hour(provider, name, region=region).list_cost is not None
    assert _hour(provider, name, region=f"{region}9a").reason is UnpricedReason.NO_PRICE_FOR_CONDITION


@pytest.mark.parametrize("provider", ["aws", "azure"])
def test_an_instance_type_that_a_card_does_not_name_has_no_price(provider: str) -> None:
    """An invented type, and the type of another GPU, in every region that has a price."""
    for name in _names_of(provider):
        for region in (None, "us-east-1", "eastus", "ap-northeast-1"):
            for instance_type in ("p9.imaginary", "ml.g5.xlarge"):
                assert _hour(provider, name, region=region, instance_type=instance_type).list_cost is None, (
                    name,
                    region,
                )
    assert _hour("aws", "H100", instance_type="p4d.24xlarge").reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    assert _hour("aws", "H100", instance_type="P5.48xlarge", region="US-EAST-2").list_cost == Decimal("6.88") * USD


@pytest.mark.parametrize(
    ("name", "region", "usd_per_hour"),
    [
        ("A10G", "us-west-2", "1.212"), ("A10G", "eu-central-1", "1.5156"),
        ("A10G", "eu-south-1", None), ("T4", None, "0.526"),
        ("T4", "eu-west-1", None),
        ("H100", "us-east-2", "6.88"), ("H100", "us-west-1", "8.6"), ("H100", "us-gov-west-1", None),
        ("B300", None, "17.802"), ("B300", "us-west-2", "17.802"), ("B300", "us-east-1", None),
    ],
)  # fmt: skip
def test_only_an_absent_region_is_taken_for_the_heads(name: str, region: str | None, usd_per_hour: str | None) -> None:
    """A named one has its own price, the head's if the head names it, or none."""
    pricing = _hour("aws", name, region=region)
    if usd_per_hour is None:
        assert pricing.reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    else:
        assert pricing.list_cost == Decimal(usd_per_hour) * USD


def test_lines_and_heads_of_ones_own_cards_may_name_homes_or_not() -> None:
    """A line's own home stands above its head's; without either a price is for every region."""
    card = {"provider": "acme", "source": "us", "checked": "2026-11-28", "home": ["here"],
            "accelerators": [{"names": ["H100"], "usd_per_hour": 2},
                             {"names": ["B200"], "usd_per_hour": 3, "home": ["there"], "sizes": ["big"]}]}  # fmt: skip
    own = PriceBook.of(card_files=[RateCardFile.model_validate(card)])

    def cost(name: str, **fields: Any) -> int | None:
        return compute(own, name, provider="acme", **fields).list_cost

    assert [cost("H100"), cost("H100", region="here"), cost("H100", region="there")] == [2 * USD, 2 * USD, None]
    assert [cost("B200"), cost("B200", region="here"), cost("B200", region="there")] == [3 * USD, None, 3 * USD]
    assert [cost("B200", instance_type="big"), cost("B200", instance_type="small")] == [3 * USD, None]


def test_an_unknown_accelerator_says_where_to_declare_it() -> None:
    """The detail names the folder and the list."""
    assert "declare it in rate_cards/ under accelerators" in _hour("aws", "RTX-9090").detail


def _names_of(provider: str) -> list[str]:
    """One name of every kind of accelerator on the built-in cards."""
    return sorted({card.names[0] for card in cards(provider).accelerators})


def _hour(provider: str, accelerator: str, instance_type: str | None = None, **fields: Any) -> Pricing:
    usage = {"kind": "compute", "accelerator": accelerator, "purchase_option": "on_demand", "gpu_seconds": 3600}
    if instance_type is not None:
        usage["instance_type"] = instance_type
    return built_in().price(facts_of(event(usage, provider=provider, at=TODAY, **fields)))
