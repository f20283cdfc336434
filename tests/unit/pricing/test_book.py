"""Pricing token events: what is priced, what is not and why, and what the version stands for."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import UnpricedReason, UsageEvent
from stream_jobs.base.errors import ConfigError
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from tests.unit.pricing.events import event, token_event
from tests.unit.pricing.shipped import shipped_book as book
from tests.unit.pricing.strategies import events

PLAIN = {"input_tokens": 1000, "output_tokens": 100}


def reason(model: str | None, usage: dict[str, Any] | None = None, **fields: Any) -> UnpricedReason | None:
    pricing = book().price(facts_of(token_event(model, PLAIN if usage is None else usage, **fields)))
    assert pricing.priced == (pricing.reason is None)
    costs = {pricing.list_cost, pricing.contracted_cost, pricing.effective_cost}
    assert (costs == {None}) == (not pricing.priced), "without a price there are no costs, not zero ones"
    return pricing.reason


def test_a_receipt_adds_up_to_the_last_digit() -> None:
    """gpt-4o: 600 fresh at $2.50, 400 cached at $1.25, 100 out at $10 per million."""
    pricing = book().price(facts_of(token_event("gpt-4o", {**PLAIN, "cache_read_tokens": 400})))
    assert [(line.meter, line.quantity, line.list_cost) for line in pricing.lines] == [
        ("input_tokens", 600, 1_500_000_000),
        ("cache_read_tokens", 400, 500_000_000),
        ("output_tokens", 100, 1_000_000_000),
    ]
    assert pricing.list_cost == pricing.contracted_cost == pricing.effective_cost == 3_000_000_000
    assert pricing.lines[1].sku == "openai/gpt-4o/cache_read_mtok"
    assert pricing.lines[1].unit_price == Decimal("0.00000125")


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("gpt-4o", {"provider": "nobody"}, UnpricedReason.UNKNOWN_PROVIDER),
        ("gpt-4o-foo", {}, UnpricedReason.UNKNOWN_MODEL),
        ("gpt-4o", {"response_model": "gpt-9"}, UnpricedReason.UNKNOWN_MODEL),
        ("claude-3-5-haiku-latest", {"provider": "anthropic"}, UnpricedReason.MOVING_ALIAS),
        ("gpt-4o", {"service_tier": "turbo"}, UnpricedReason.UNKNOWN_SERVICE_TIER),
        ("gpt-4o", {"service_tier": "scale"}, UnpricedReason.NO_PRICE_FOR_TIER),
        ("gpt-4o", {"conditions": {"inference_geo": "mars"}}, UnpricedReason.UNKNOWN_CONDITION),
        ("gpt-4o", {"conditions": {"speed": "fast"}}, UnpricedReason.NO_PRICE_FOR_CONDITION),
        ("gpt-4o", {"tool_calls": {"computer_use": 1}}, UnpricedReason.NO_PRICE_FOR_TOOL),
        ("gpt-4o", {"usage": {**PLAIN, "input_audio_tokens": 5}}, UnpricedReason.NO_PRICE_FOR_METER),
        ("text-embedding-3-small", {}, UnpricedReason.NO_PRICE_FOR_METER),
    ],
)
def test_what_has_no_price_says_why(model: str, fields: dict[str, Any], expected: UnpricedReason) -> None:
    """One reason code for each way."""
    assert reason(model, **fields) is expected


@pytest.mark.parametrize("word", [None, "default", "auto", "standard", "on_demand", "DEFAULT"])
def test_the_words_for_the_standard_tier_mean_the_same(word: str | None) -> None:
    """What OpenAI, Anthropic, Groq and gateways call it."""
    assert book().price(facts_of(token_event("gpt-4o", PLAIN, service_tier=word))).list_cost == 3_500_000_000


def test_the_served_model_wins_over_the_asked_one() -> None:
    """Also when both are known and cost something else."""
    event = token_event("gpt-4o", PLAIN, response_model="gpt-4o-mini-2024-07-18")
    assert book().price(facts_of(event)).price_model == "openai/gpt-4o-mini"


def test_an_unknown_snapshot_of_the_asked_model_costs_what_was_asked_for() -> None:
    """A provider bills the name that was asked for, whatever snapshot stands behind it that day."""
    event = token_event("gpt-4o", PLAIN, response_model="gpt-4o-2026-10-01")
    assert book().price(facts_of(event)).price_model == "openai/gpt-4o"
    assert reason("gpt-4o-mini", response_model="gpt-4o-2026-10-01") is UnpricedReason.UNKNOWN_MODEL


@pytest.mark.parametrize("name", ["bedrock", "aws.bedrock", "AWS_Bedrock", "aws"])
def test_names_that_clients_use_mean_one_provider(name: str) -> None:
    """OpenTelemetry's names, the SDKs' names, the ids of the book."""
    event = token_event("us.amazon.nova-lite-v1:0", PLAIN, provider=name)
    assert book().price(facts_of(event)).price_model == "aws/amazon.nova-lite-v1:0"


def test_bedrock_prices_the_id_that_says_the_region() -> None:
    """The served id is bare; the asked one says global (list price) or us. (10 % more)."""
    served = "claude-sonnet-4-5-20250929"
    events = (
        token_event(f"{scope}.anthropic.{served}-v1:0", PLAIN, provider="aws", response_model=served)
        for scope in ("global", "us")
    )
    costs = [book().price(facts_of(event)).list_cost for event in events]
    assert costs[0] is not None
    assert costs == [costs[0], costs[0] * 11 // 10]


def test_gateways_name_the_provider_in_the_model() -> None:
    """litellm's "anthropic/claude-..." is Anthropic's price; another provider's prefix stays on."""
    event = token_event("anthropic/claude-sonnet-4-5", PLAIN, provider="litellm")
    assert book().price(facts_of(event)).price_model == "anthropic/claude-sonnet-4-5"
    assert reason("anthropic/claude-sonnet-4-5", provider="openai") is UnpricedReason.UNKNOWN_MODEL


def test_cached_audio_is_ambiguous_unless_it_follows() -> None:
    """Gemini 2.5 Flash: $0.30 text, $1 audio, $0.03 and $0.10 cached."""
    gemini: dict[str, Any] = {"provider": "google"}
    mixed = {"input_tokens": 100, "output_tokens": 1, "input_audio_tokens": 40, "cache_read_tokens": 30}
    assert reason("gemini-2.5-flash", mixed, **gemini) is UnpricedReason.AMBIGUOUS_USAGE
    told = book().price(facts_of(token_event("gemini-2.5-flash", {**mixed, "cache_read_audio_tokens": 10}, **gemini)))
    expected = 40 * 300_000 + 20 * 30_000 + 30 * 1_000_000 + 10 * 100_000 + 2_500_000
    assert told.list_cost == expected
    all_audio = {"input_tokens": 40, "output_tokens": 0, "input_audio_tokens": 40, "cache_read_tokens": 30}
    follows = book().price(facts_of(token_event("gemini-2.5-flash", all_audio, **gemini)))
    assert follows.list_cost == 10 * 1_000_000 + 30 * 100_000
    assert [line.meter for line in follows.lines] == ["input_audio_tokens", "cache_read_audio_tokens"]


def test_hour_long_cache_writes_cost_their_own_price() -> None:
    """Claude Sonnet 4.5: 5 minutes $3.75, an hour $6; a lifetime that is not sold has no price."""

    def cost(**parts: int) -> int | None:
        usage = {"input_tokens": 10, "output_tokens": 0, **parts}
        return book().price(facts_of(token_event("claude-sonnet-4-5", usage, provider="anthropic"))).list_cost

    assert cost(cache_write_5m_tokens=10) == cost(cache_write_tokens=10) == 37_500_000
    assert cost(cache_write_1h_tokens=10) == 60_000_000
    assert cost(cache_write_12h_tokens=10) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "provider", ["openai", "azure", "anthropic", "aws", "google", "dashscope", "openrouter", "xai"]
)
def test_one_cache_lifetime_costs_its_own_price_or_none(provider: str) -> None:
    """The price without a lifetime is for one lifetime; every other must be listed by itself, whatever model it is."""
    seller = book().catalog.provider(provider)
    for model in (model for owner, model in book().catalog.models() if owner == seller):
        own = []
        for ttl in ("5m", "30m", "1h", "12h"):
            usage = {"input_tokens": 10, f"cache_write_{ttl}_tokens": 10, "output_tokens": 0}
            pricing = book().price(facts_of(token_event(model, usage, provider=provider)))
            if pricing.priced and not any(f"/cache_write_{ttl}_mtok" in line.sku for line in pricing.lines):
                own.append(ttl)
        assert len(own) <= 1, (model, own)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "sold", "not_sold"),
    [
        ("openai", "dall-e-3", {"output_images": 1}, ["1024x1024", "1792x1024"], ["720x1280", "480p", "512x512"]),
        ("openai", "dall-e-2", {"output_images": 1}, ["1024x1024", "512x512"], ["720x1280", "1024x1792"]),
        (
            "openai",
            "sora-2",
            {"output_video_seconds": "1"},
            ["720x1280", "1280x720"],
            ["1024x1024", "1024x1792", "480p"],
        ),
        ("azure", "dall-e-3", {"output_images": 1}, ["1024x1024", "1024x1792"], ["720x1280", "512x512"]),
        ("google", "veo-3.1-generate-001", {"output_video_seconds": "1"}, ["720p"], ["480p", "1024x1024"]),
        ("x-ai", "grok-imagine-video", {"output_video_seconds": "1"}, ["480p"], ["1024x1024"]),
        ("aws", "amazon.nova-canvas-v1:0", {"output_images": 1}, ["1024x1024"], ["720p", "1280x720"]),
        ("aws", "amazon.nova-reel-v1:1", {"output_video_seconds": "1"}, [], ["1024x1024"]),
    ],
)
def test_a_size_is_the_default_of_one_model_and_not_of_another(
    provider: str, model: str, usage: dict[str, Any], sold: list[str], not_sold: list[str]
) -> None:
    """What one kind of model makes by default says nothing about another of the same provider."""

    def cost(size: str) -> int | None:
        event = token_event(model, usage, provider=provider, conditions={"size": size})
        return book().price(facts_of(event)).list_cost

    assert None not in [cost(size) for size in sold]
    assert {cost(size) for size in not_sold} == {None}


def test_amazon_is_a_name_of_bedrock() -> None:
    """For tokens as for instances."""
    named = [reason("amazon.nova-pro-v1:0", provider=name) for name in ("amazon", "aws", "bedrock")]
    assert named == [None, None, None]


def test_short_audio_is_billed_at_the_minimum() -> None:
    """Groq bills at least ten seconds of audio."""
    for seconds, billed in (("0", 0), ("3.5", 10), ("10", 10), ("11.25", Decimal("11.25"))):
        pricing = book().price(
            facts_of(token_event("whisper-large-v3", {"input_audio_seconds": seconds}, provider="groq"))
        )
        assert sum(line.quantity for line in pricing.lines) == billed


def test_a_failed_call_without_usage_costs_nothing_and_a_cut_one_is_unknown() -> None:
    """Providers bill no failed requests; what a cut call cost is not known."""
    failed = book().price(facts_of(token_event("no-such-model", {}, status="error")))
    assert (failed.priced, failed.list_cost, failed.lines) == (True, 0, ())
    assert reason("gpt-4o", {}, status="cancelled") is UnpricedReason.USAGE_UNKNOWN
    assert reason("gpt-4o", {}) is UnpricedReason.USAGE_UNKNOWN
    assert reason("gpt-4o", {"input_tokens": 5}, status="cancelled") is UnpricedReason.USAGE_UNKNOWN
    assert reason("gpt-4o", {"input_tokens": 5}) is None
    assert book().price(facts_of(token_event("gpt-4o", PLAIN, status="error"))).list_cost == 3_500_000_000


def test_a_cached_response_costs_nothing_and_saves_what_it_would_have_cost() -> None:
    """Also if nobody knows what it would have cost."""
    saved = book().price(facts_of(token_event("gpt-4o", PLAIN, cached_response=True)))
    assert (saved.list_cost, saved.avoided_cost, saved.lines) == (0, 3_500_000_000, ())
    unknown = book().price(facts_of(token_event("gpt-4o-foo", PLAIN, cached_response=True)))
    assert (unknown.list_cost, unknown.avoided_cost, unknown.priced) == (0, 0, True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("usage.hologram_tokens", UnpricedReason.UNKNOWN_METER),
        ("conditions.mood", UnpricedReason.UNKNOWN_CONDITION),
        ("tool_calls.teleport", UnpricedReason.NO_PRICE_FOR_TOOL),
        ("attribution.shoe_size", None),
    ],
)
def test_unknown_fields_that_may_cost_make_the_event_unpriced(path: str, expected: UnpricedReason | None) -> None:
    """Others don't."""
    assert book().price(facts_of(token_event("gpt-4o", PLAIN)), (path,)).reason is expected


def test_prices_belong_to_the_instant() -> None:
    """o3 was cut to a fifth on 2025-06-10."""
    before, after = (
        book().price(facts_of(token_event("o3", PLAIN, at=at))).list_cost
        for at in (datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC), datetime(2025, 6, 10, tzinfo=UTC))
    )
    assert before is not None
    assert after is not None
    assert before == 5 * after


@given(one=events())
@settings(max_examples=300)
def test_price_is_exact_integers_and_never_raises(one: UsageEvent) -> None:
    """No float anywhere in a receipt; the costs are the sums of their lines; the same event, the same answer."""
    pricing = book().price(facts_of(one))
    assert pricing == book().price(facts_of(one))
    for line in pricing.lines:
        assert {type(line.list_cost), type(line.contracted_cost), type(line.effective_cost)} == {int}
        assert type(line.quantity) in (int, Decimal)
        assert {type(line.unit_price), type(line.list_unit_price)} == {Decimal}
        assert line.list_cost >= 0
    if pricing.priced:
        assert type(pricing.list_cost) is int
        assert pricing.list_cost == sum(line.list_cost for line in pricing.lines)


def test_the_largest_counts_are_priced_exactly() -> None:
    """A million million tokens at $2.50 per million are $2.5 million: no precision is lost."""
    pricing = book().price(facts_of(token_event("gpt-4o", {"input_tokens": 10**12, "output_tokens": 0})))
    assert pricing.list_cost == 2_500_000 * 10**12


def test_the_version_changes_with_every_price_and_only_then(tmp_path: Path) -> None:
    """It is a hash of what the book is made of."""
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    assert PriceBook.load(tmp_path).version == book().version
    (overlays / "a.yaml").write_text("overlays: [{name: a, discount_percent: 10}]")
    changed = PriceBook.load(tmp_path)
    assert changed.version not in (book().version, book().version[:-1])
    assert PriceBook.load(tmp_path).version == changed.version
    assert changed.describe()["overlays"] == 1
    assert changed.describe()["sources"] == [str(overlays / "a.yaml")]


def test_load_reports_the_problems_of_all_kinds_of_files(tmp_path: Path) -> None:
    """One run shows everything that is wrong."""
    for folder in ("overlays", "rate_cards", "corrections"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "bad.yaml").write_text("nonsense: 1")
    with pytest.raises(ConfigError) as caught:
        PriceBook.load(tmp_path)
    text = "\n".join(caught.value.problems)
    assert all(f"{folder}/bad.yaml" in text for folder in ("overlays", "rate_cards", "corrections"))


def test_what_is_kept_depends_on_what_the_book_knows() -> None:
    """A thousand regions that no price asks for share one set of rates."""
    small = PriceBook.of()
    rates = {id(small.engine.rates(facts_of(token_event("gpt-4o", PLAIN, region=f"r{n}")), 1)) for n in range(50)}
    assert len(rates) == 1


text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
names = st.one_of(
    text, st.sampled_from(["openai", "aws", "google", "litellm", "gpt-4o", "ft:gpt-4o:x", "us.", "/", "-latest"])
)
kinds = st.one_of(
    st.fixed_dictionaries({"kind": st.just("tokens")}, optional={n: st.integers(0, 9) for n in ("input_tokens",)}),
    st.fixed_dictionaries({
        "kind": st.just("compute"), "accelerator": names, "purchase_option": st.sampled_from(["spot", "on_demand"]),
        "gpu_seconds": st.decimals(0, 10**6, places=12), "cpu_seconds": st.decimals(0, 10**6, places=3),
    }),
    st.fixed_dictionaries(
        {"kind": st.just("metered"), "sku": names, "unit": names, "quantity": st.decimals(0, 10**6, places=12)}
    ),
)  # fmt: skip


@pytest.mark.slow
@given(
    usage=kinds, provider=names, model=names, served=st.none() | names, tier=st.none() | names, region=names,
    speed=st.none() | names, status=st.sampled_from(["ok", "error", "cancelled"]), cached=st.booleans(),
)  # fmt: skip
@settings(max_examples=400)
def test_no_valid_event_makes_it_raise(usage: dict[str, Any], cached: bool, **words: str | None) -> None:
    """Whatever stands in the names: a receipt or a reason."""
    one = event(
        usage, provider=words["provider"] or "", model=words["model"], response_model=words["served"],
        service_tier=words["tier"], region=words["region"], conditions={"speed": words["speed"]},
        status=words["status"], cached_response=cached,
    )  # fmt: skip
    pricing = book().price(facts_of(one))
    assert (pricing.list_cost is None) == (pricing.reason is not None)


def test_hostile_names_don_t_grow_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from outside: the cache of what they mean is bounded."""
    monkeypatch.setattr("stream_jobs.pricing.engine.MAX_CACHED", 10)
    small = PriceBook.of()
    for n in range(100):
        assert not small.price(facts_of(token_event(f"gpt-{n}-invented", PLAIN))).priced
        assert small.price(facts_of(token_event("gpt-4o", PLAIN, region=f"r{n}"))).priced
    assert small.engine.cached() <= 10


def test_images_cost_what_text_costs_only_where_that_is_declared() -> None:
    """Gemini's price list says so; nobody says so of a model that reads no images."""
    usage = {"input_tokens": 10, "output_tokens": 0, "input_image_tokens": 4}
    gemini = book().price(facts_of(token_event("gemini-2.5-flash", usage, provider="google")))
    assert gemini.list_cost == 10 * 300_000
    assert reason("gpt-oss-120b", usage) is UnpricedReason.NO_PRICE_FOR_METER
