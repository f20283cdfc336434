"""What corrections do to a price: the steps that data/corrections/README.md promises to authors."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from spendstream_schemas import UnpricedReason
from stream_jobs.base.errors import ConfigError
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile, load_corrections
from stream_jobs.pricing.result import Pricing
from tests.unit.pricing.events import token_event

MTOK = 1_000_000
SOURCED = {"source": "https://example.com", "checked": "2026-11-21"}
ENTRY = "provider: a\nentries: [{{{}, source: s, checked: 2026-01-01}}]"
START = datetime(2026, 6, 1, tzinfo=UTC)


def book(*entries: dict[str, Any], provider: str = "acme", **rest: Any) -> PriceBook:
    """A book with one file of corrections for an invented provider (or a real one)."""
    file = {"provider": provider, "entries": [{**SOURCED, **entry} for entry in entries], **rest}
    return PriceBook.of([CorrectionFile.model_validate(file)])


def price(book_: PriceBook, model: str = "m", *, provider: str = "acme", **fields: Any) -> Pricing:
    """A million tokens in and none out: the input price in pico-USD is `list_cost`."""
    usage = fields.pop("usage", {"input_tokens": MTOK, "output_tokens": 0})
    return book_.price(facts_of(token_event(model, usage, provider=provider, **fields)))


def usd(pricing: Pricing) -> float | None:
    """Whole dollars for readable asserts."""
    return None if pricing.list_cost is None else pricing.list_cost / 10**12


def test_a_listed_id_is_a_model_of_its_own() -> None:
    """Corrections add providers and models that the base data does not have."""
    assert usd(price(book({"models": ["m"], "prices": {"input_mtok": 2}}))) == 2
    assert price(book({"models": ["m"], "prices": {"input_mtok": 2}}), "m2").reason is UnpricedReason.UNKNOWN_MODEL


def test_an_entry_overrides_key_by_key_within_its_dates() -> None:
    """valid_from is inclusive, valid_to exclusive, what is not named keeps its price."""
    prices = book(
        {"models": ["gpt-4o"], "valid_from": "2026-06-01", "valid_to": "2026-07-01", "prices": {"input_mtok": 7}},
        provider="openai",
    )
    assert usd(price(prices, "gpt-4o", provider="openai", at=START)) == 7
    assert usd(price(prices, "gpt-4o", provider="openai", at=START - timedelta(microseconds=1))) == 2.5
    assert usd(price(prices, "gpt-4o", provider="openai", at=datetime(2026, 7, 1, tzinfo=UTC))) == 2.5
    output = {"input_tokens": 0, "output_tokens": MTOK}
    assert usd(price(prices, "gpt-4o", provider="openai", at=START, usage=output)) == 10


def test_an_exact_entry_is_only_for_the_events_own_id() -> None:
    """gpt-4o in some month was not gpt-4o-2024-08-06, although the base data has one model for both."""
    prices = book({"models": ["gpt-4o"], "exact": True, "prices": {"input_mtok": 7}}, provider="openai")
    assert usd(price(prices, "gpt-4o", provider="openai")) == 7
    assert usd(price(prices, "gpt-4o-2024-08-06", provider="openai")) == 2.5


def test_null_is_no_price_and_replace_with_nothing_is_not_sold() -> None:
    """Both are unpriced, never $0."""
    prices = book({"models": ["gpt-4o"], "prices": {"cache_read_mtok": None}}, provider="openai")
    cached = {"input_tokens": 10, "cache_read_tokens": 5, "output_tokens": 0}
    assert price(prices, "gpt-4o", provider="openai", usage=cached).reason is UnpricedReason.NO_PRICE_FOR_METER
    prices = book({"models": ["gpt-4o"], "replace": True, "prices": {}}, provider="openai")
    assert price(prices, "gpt-4o", provider="openai").reason is UnpricedReason.NO_PRICE_AT_TIME


def test_multipliers_stack_with_each_other_and_with_tiers() -> None:
    """Batch at half price, US-only at 1.1 times: 0.55 times the standard price."""
    prices = book(
        {"models": ["m"], "prices": {"input_mtok": 2, "output_mtok": 4}},
        {"models": ["m"], "when": {"service_tier": "batch"}, "multiplier": 0},
        {"models": ["m"], "valid_from": "2026-01-01", "when": {"inference_geo": "us"}, "multiplier": 3},
        {"models": ["m"], "when": {"service_tier": "flex"}, "prices": {"input_mtok": 5}},
    )
    assert usd(price(prices)) == 2
    assert usd(price(prices, conditions={"inference_geo": "us"})) == 6
    assert usd(price(prices, conditions={"inference_geo": "us"}, service_tier="flex")) == 15
    assert usd(price(prices, conditions={"inference_geo": "us"}, service_tier="batch")) == 0
    early = datetime(2025, 12, 31, tzinfo=UTC)
    assert price(prices, conditions={"inference_geo": "us"}, at=early).reason is UnpricedReason.NO_PRICE_FOR_CONDITION


def test_a_key_that_no_price_of_the_tier_speaks_for_is_unpriced() -> None:
    """A flex price for input says nothing about flex output; tool calls cost the same in every tier."""
    prices = book(
        {"models": ["m"], "prices": {"input_mtok": 2, "output_mtok": 4, "web_searches_kcount": 10}},
        {"models": ["m"], "when": {"service_tier": "flex"}, "prices": {"input_mtok": 1}},
    )
    both = {"input_tokens": 1, "output_tokens": 1}
    assert price(prices, service_tier="flex", usage=both).reason is UnpricedReason.NO_PRICE_FOR_TIER
    assert usd(price(prices, service_tier="flex", tool_calls={"web_search": 1000})) == 11


def test_a_multiplier_keeps_the_base_variant_from_counting_twice() -> None:
    """Since October 2026 the base data has batch prices of its own; the multiplier speaks for the same thing."""
    prices = book({"models": ["gpt-4o"], "when": {"service_tier": "batch"}, "multiplier": 3}, provider="openai")
    assert usd(price(prices, "gpt-4o", provider="openai", service_tier="batch")) == 7.5


def test_hours_weekdays_and_excepted_days_are_utc() -> None:
    """An interval may pass midnight; its start is inside, its end is not."""
    prices = book(
        {"models": ["m"], "prices": {"input_mtok": 1}},
        {
            "models": ["m"], "prices": {"input_mtok": 2}, "time_of_day": {"from": "22:00", "to": "02:00"},
            "weekdays": ["mon", "tue"], "except_dates": ["2026-11-10"],
        },
    )  # fmt: skip
    monday = datetime(2026, 11, 2, tzinfo=UTC)
    found = {
        hours: usd(price(prices, at=monday + timedelta(hours=hours)))
        for hours in (1, 2, 21.99, 22, 24, 26, 46, 47.99, 48, 49, 190, 214)
    }
    # 190 and 214: Tuesday the 9th... the 10th is a Tuesday and excepted, Monday the 9th is not.
    assert found == {1: 2, 2: 1, 21.99: 1, 22: 2, 24: 2, 26: 1, 46: 2, 47.99: 2, 48: 1, 49: 1, 190: 2, 214: 1}


def test_a_price_for_one_operation_is_not_kept_for_the_others() -> None:
    """Operations and regions need no price of their own, and where they have one it holds for them alone."""
    prices = book(
        {"models": ["m"], "prices": {"input_mtok": 2}},
        {"models": ["m"], "when": {"operation": "embeddings"}, "prices": {"input_mtok": 1}},
    )
    found = [usd(price(prices, operation=operation)) for operation in ("embeddings", "chat", None, "embeddings")]
    assert found == [1, 2, 2, 1]


def test_a_request_fee_is_due_without_tokens_too() -> None:
    """A price per request counts the request, not what it read."""
    prices = book({"models": ["m"], "prices": {"input_mtok": 2, "output_mtok": 2, "requests_kcount": 5000}})
    assert usd(price(prices, usage={"input_tokens": 0, "output_tokens": 0})) == 5


def test_aliases_move_with_their_dates_and_moving_ids_need_the_served_model() -> None:
    """An alias with dates means different models at different instants."""
    aliases = [
        {"alias": "best", "model": "m1", "valid_to": "2026-06-01", **SOURCED},
        {"alias": "best", "model": "m2", "valid_from": "2026-06-01", **SOURCED},
    ]
    moving = ["newest", {"id": "own-product-latest", "priced_as": "m1", **SOURCED}]
    prices = book(
        {"models": ["m1"], "prices": {"input_mtok": 1}},
        {"models": ["m2"], "prices": {"input_mtok": 2}},
        aliases=aliases,
        moving=moving,
    )
    for _ in range(2):  # whichever is asked first
        assert usd(price(prices, "best", at=START)) == 2
        assert usd(price(prices, "best", at=START - timedelta(seconds=1))) == 1
    assert price(prices, "newest").reason is UnpricedReason.MOVING_ALIAS
    assert price(prices, "m1-latest").reason is UnpricedReason.MOVING_ALIAS
    assert usd(price(prices, "newest", response_model="m2")) == 2
    assert usd(price(prices, "own-product-latest")) == 1


def test_an_inheriting_provider_gets_standard_prices_only() -> None:
    """Azure sells OpenAI's models at OpenAI's standard prices; its tiers and regions are its own."""
    prices = book(
        {"models": ["gpt-4o"], "prices": {"input_mtok": 7}},
        {"models": ["gpt-4o"], "when": {"data_residency": "eu"}, "multiplier": 2},
        provider="openai",
    )
    assert usd(price(prices, "gpt-4o", provider="azure")) == 7
    residency = {"data_residency": "eu"}
    reason = price(prices, "gpt-4o", provider="azure", conditions=residency).reason
    assert reason is UnpricedReason.NO_PRICE_FOR_CONDITION
    assert price(prices, "gpt-4o", provider="azure", service_tier="batch").reason is UnpricedReason.NO_PRICE_FOR_TIER


def test_a_tier_of_an_inherited_model_makes_no_model_of_its_own() -> None:
    """What Azure asks for a tier, or for a tool, is on top of the prices that it inherits from the maker."""
    tier = {"models": ["gpt-5.1"], "when": {"service_tier": "priority"}, "multiplier": 2}
    tool = {"models": ["gpt-5.1"], "prices": {"web_searches_kcount": 14}}
    own = {"models": ["gpt-5.1"], "prices": {"input_mtok": 7}}
    plain = usd(price(book(provider="azure"), "gpt-5.1", provider="azure"))
    assert plain
    inherited = book(tier, tool, provider="azure")
    assert usd(price(inherited, "gpt-5.1", provider="azure")) == plain
    assert usd(price(inherited, "gpt-5.1", provider="azure", service_tier="priority")) == 2 * plain
    assert usd(price(book(tier, own, provider="azure"), "gpt-5.1", provider="azure")) == 7


def test_every_problem_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    """With its file and the path in it."""
    (tmp_path / "a.yaml").write_text(
        "provider: a\nentries: [{models: [m], prices: {input: 1}, source: s, checked: 2026-01-01}]"
    )
    (tmp_path / "b.yaml").write_text(
        "provider: b\nentries: [{models: [], multiplier: -1, source: s, checked: 2026-01-01}]"
    )
    (tmp_path / "c.yaml").write_text("provider: [")
    with pytest.raises(ConfigError) as caught:
        load_corrections([tmp_path])
    text = "\n".join(caught.value.problems)
    assert "a.yaml:2: entries[0]: unknown price keys: input" in text
    assert "b.yaml:2: entries[0].models" in text
    assert "b.yaml:2: entries[0].multiplier" in text
    assert "c.yaml:1: is not valid YAML" in text


def test_prices_are_read_exactly_and_floats_refused(tmp_path: Path) -> None:
    """0.1 in YAML is a tenth, not the float next to it."""
    (tmp_path / "a.yaml").write_text(
        "provider: a\nentries: [{models: [m], prices: {input_mtok: 0.1}, source: s, checked: 2026-01-01}]"
    )
    (entry,) = load_corrections([tmp_path])[0].entries
    assert str(entry.table["input_mtok"]) == "0.1"
    with pytest.raises(ValueError, match="float"):
        CorrectionFile.model_validate(
            {"provider": "a", "entries": [{"models": ["m"], "prices": {"input_mtok": 0.1}, **SOURCED}]}
        )


@pytest.mark.parametrize("id_", ["gpt-*", "*-mini", "", "**"])
def test_no_pattern_but_all_models_is_taken(id_: str) -> None:
    """It would be the id of a model that nobody has: a correction that never holds, and nobody is told."""
    entry = {"models": [id_], "prices": {"input_mtok": 1}, **SOURCED}
    with pytest.raises(ValidationError, match="models"):
        CorrectionFile.model_validate({"provider": "openai", "entries": [entry]})
