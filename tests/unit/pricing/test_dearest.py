"""What an event without a price may cost: no less than under any price that could hold, in the order of its model."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings

from spendstream_schemas import UnpricedReason, UsageEvent
from stream_jobs.facts import Facts, facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.hold import Hold, bound_of
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from tests.fuzz import examples
from tests.unit.pricing.events import event, token_event
from tests.unit.pricing.shipped import shipped_book as full_book
from tests.unit.pricing.strategies import events

TOKENS = {"input_tokens": 1000, "output_tokens": 200}
PICO = 10**12
CARD = {
    "provider": "own",
    "source": "s",
    "checked": "2026-01-01",
    "accelerators": [{"names": ["H100"], "regions": ["a"], "usd_per_hour": 4,
                      "purchase_options": {"spot": {"usd_per_hour": 6}}}],
    "skus": [{"sku": "reads", "unit": "GB", "usd_per_unit": 2, "regions": ["a"]}],
}  # fmt: skip


def hold(facts: Facts, book: PriceBook | None = None) -> Hold | None:
    found = (book or full_book()).price(facts)
    assert found.reason is not None
    return found.hold


def tokens(model: str, usage: dict[str, Any] = TOKENS, **more: Any) -> Facts:
    return facts_of(token_event(model, usage, **more))


@pytest.mark.slow
@given(one=events())
@settings(max_examples=examples(150))
def test_no_price_that_the_book_has_is_above_what_is_held_without_one(one: UsageEvent) -> None:
    """Any event that has a price, in any tier: had its tier been one that nobody knows, at least as much were held."""
    facts = facts_of(one)
    priced = full_book().price(facts)
    assume(priced.priced and not facts.cached_response)
    strange = full_book().price(facts._replace(service_tier="unheard-of"))
    if strange.reason is UnpricedReason.UNKNOWN_SERVICE_TIER:
        assert strange.hold is not None
        assert bound_of(strange.hold).pico >= (priced.effective_cost or 0)


@given(one=events())
@settings(max_examples=examples(150))
def test_only_what_has_no_price_is_held_and_flat_only_where_the_model_is_unknown(one: UsageEvent) -> None:
    """Whatever the reason; and what `knows_model` says is what `price` does, so that both ways of booking agree."""
    facts = facts_of(one)
    found = full_book().price(facts)
    if found.priced:
        assert found.hold is None
    elif facts.kind == "tokens":
        assert (found.hold is not None) == full_book().knows_model(facts)
        if found.reason not in (UnpricedReason.UNKNOWN_PROVIDER, UnpricedReason.UNKNOWN_MODEL,
                                UnpricedReason.MOVING_ALIAS, UnpricedReason.NO_PRICE_AT_TIME):  # fmt: skip
            assert found.hold is not None


@pytest.mark.parametrize(
    ("facts", "usd"),
    [
        (tokens("gpt-4o", service_tier="turbo"), "0.00765"),  # the dearest tier: priority, 1.7 of 0.0045
        (tokens("gpt-4o", service_tier="turbo", response_model="gpt-4o-2024-08-06"), "0.00765"),
        (tokens("gpt-4o", response_model="something-else"), "0.0045"),  # what was asked for is known
        (tokens("gpt-4o", TOKENS | {"input_audio_tokens": 1000}), "0.102"),  # sold by other models of the provider
        (tokens("claude-sonnet-4-5", {"input_tokens": 1000, "cache_write_30m_tokens": 1000, "output_tokens": 0},
                provider="anthropic"), "0.006"),  # a lifetime that is not sold costs what the dearest does
        (tokens("claude-3-5-sonnet-latest", provider="anthropic"), "0.006"),  # what the name stands for
        (tokens("gemini-2.5-pro", {"input_tokens": 300_000, "output_tokens": 0}, provider="google",
                service_tier="odd"), "1.35"),  # above 200,000 tokens, in the dearest tier
    ],
)  # fmt: skip
def test_known_models_are_held_at_what_their_own_usage_may_cost(facts: Facts, usd: str) -> None:
    """Cents, where a flat bound held a dollar."""
    assert hold(facts) == Hold(int(Decimal(usd) * PICO))


@pytest.mark.parametrize(
    "facts",
    [
        tokens("gpt-99"),
        tokens("gpt-4o", provider="nobody"),
        tokens("gpt-99", response_model="gpt-99-2026-01-01"),
        facts_of(event({"kind": "metered", "sku": "s", "quantity": 1, "unit": "GB"})),
        facts_of(event({"kind": "compute", "gpu_seconds": 1, "accelerator": "H900", "purchase_option": "on_demand"})),
    ],
)
def test_what_the_book_does_not_know_has_no_bound(facts: Facts) -> None:
    """No model, no SKU, no device: who counts says what it is held at."""
    assert hold(facts) is None


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 9}, TOKENS])
def test_a_model_that_is_named_without_a_price_has_none_whatever_is_known_of_its_usage(usage: dict[str, Any]) -> None:
    """Nothing of it can be bounded; `usage_unknown` would say that its usage alone was missing."""
    model = "servicenow-ai/apriel-1.6-15b-thinker"
    facts = tokens(model, usage, provider="huggingface_together", status="ok" if usage == TOKENS else "cancelled")
    found = full_book().price(facts)
    assert (found.reason, found.hold) == (UnpricedReason.NO_PRICE_AT_TIME, None)
    assert not full_book().knows_model(facts)


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        (tokens("gpt-4o", {}), 0),
        (tokens("gpt-4o", {"input_tokens": 1000}, status="cancelled"), 2_500_000_000),
    ],
)
def test_what_is_not_told_is_held_like_a_long_call(facts: Facts, known: int) -> None:
    """Beside what is known of it: a call that was cut before its output was counted."""
    assert hold(facts) == Hold(known, "openai/gpt-4o", 2_500_000, 10_000_000)


def test_a_meter_that_this_version_does_not_know_is_held_like_a_long_call() -> None:
    """Beside the tokens that it knows."""
    found = full_book().price(tokens("gpt-4o"), ("usage.new_tokens",))
    assert found.hold == Hold(4_500_000_000, "openai/gpt-4o", 2_500_000, 10_000_000)


def test_a_free_model_holds_nothing_whatever_it_used() -> None:
    """And neither does one that runs on one's own machines: it has a price."""
    assert hold(tokens("meta-llama/llama-3.2-3b-instruct:free", {}, provider="openrouter")) == Hold(0)
    card = RateCardFile.model_validate(
        {"provider": "vllm", "source": "s", "checked": "2026-01-01", "self_hosted": [{"pool": "p"}]}
    )
    assert PriceBook.of(card_files=[card]).price(tokens("anything", {}, provider="vllm")).hold is None


def test_a_model_that_had_no_price_yet_is_held_at_its_prices_of_any_time() -> None:
    """Nothing is nearer to what it may cost."""
    entry = {"models": ["new"], "prices": {"input_mtok": 3}, "source": "s", "checked": "2026-01-01",
             "valid_from": datetime(2026, 6, 1, tzinfo=UTC)}  # fmt: skip
    book = PriceBook.of([CorrectionFile.model_validate({"provider": "openai", "entries": [entry]})])
    early = tokens("new", {"input_tokens": 1000, "output_tokens": 0})._replace(
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert hold(early, book) == Hold(3_000_000_000)


def test_a_surcharge_of_ours_is_held_and_a_discount_is_not_relied_on() -> None:
    """A bound stands above list, contracted and effective price."""
    for multiplier, usd in ((Decimal("1.5"), 11_475_000_000), (Decimal("0.5"), 7_650_000_000)):
        overlay = {"name": "o", "source": "s", "scope": {"provider": "openai"}, "multiplier": multiplier}
        book = PriceBook.of(overlay_files=[OverlayFile.model_validate({"overlays": [overlay]})])
        found = hold(tokens("gpt-4o", service_tier="turbo"), book)
        assert found is not None
        assert found.known in (usd, usd * 4_500 // 7_650)  # without the shipped corrections there is no priority tier


@pytest.mark.parametrize(
    ("usage", "provider", "usd"),
    [
        ({"kind": "compute", "gpu_seconds": 1800, "accelerator": "H100", "purchase_option": "on_demand"}, "own", 2),
        ({"kind": "compute", "gpu_seconds": 1800, "accelerator": "H100", "purchase_option": "spot"}, "own", 3),
        ({"kind": "compute", "gpu_seconds": 3600, "accelerator": "H100", "purchase_option": "spot"}, "elsewhere", 6),
        ({"kind": "metered", "sku": "reads", "quantity": 3, "unit": "GB"}, "own", 6),
    ],
)
def test_compute_and_metered_usage_is_held_at_the_dearest_card_of_its_device_or_sku(
    usage: dict[str, Any], provider: str, usd: int
) -> None:
    """In a region that no card has, or of a provider that has no card of a device that others sell."""
    book = PriceBook.of(card_files=[RateCardFile.model_validate(CARD)])
    assert hold(facts_of(event(usage, provider=provider, region="b")), book) == Hold(usd * PICO)


def test_a_sku_in_another_unit_has_no_bound_but_its_own_history() -> None:
    """Bytes are not gigabytes: its quantity says nothing."""
    book = PriceBook.of(card_files=[RateCardFile.model_validate(CARD)])
    facts = facts_of(event({"kind": "metered", "sku": "reads", "quantity": 10**12, "unit": "B"}, provider="own"))
    assert hold(facts, book) == Hold(0, "own/reads", counted=False)
