"""Our own terms: which overlay applies, and what it does to contracted and effective cost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.result import Pricing
from tests.unit.pricing.events import NOW, token_event

MTOK = 1_000_000
USD = 10**12


def book(*overlays: dict[str, Any]) -> PriceBook:
    return PriceBook.of(overlay_files=[OverlayFile.model_validate({"overlays": list(overlays)})])


def price(book_: PriceBook, model: str = "gpt-4o", at: datetime = NOW, **fields: Any) -> Pricing:
    """A million tokens in: gpt-4o lists at $2.50."""
    return book_.price(facts_of(token_event(model, {"input_tokens": MTOK, "output_tokens": 0}, at=at, **fields)))


def test_list_stays_contracted_follows_the_overlay() -> None:
    """A percentage off the list price; the receipt shows both unit prices."""
    pricing = price(book({"name": "a", "discount_percent": 12, "scope": {"provider": "openai"}}))
    assert (pricing.list_cost, pricing.contracted_cost, pricing.effective_cost) == (
        25 * USD // 10, 22 * USD // 10, 22 * USD // 10,
    )  # fmt: skip
    (line,) = pricing.lines
    assert (str(line.list_unit_price), str(line.unit_price)) == ("0.0000025", "0.0000022")


def test_overlays_hold_from_their_start_until_before_their_end() -> None:
    """valid_from inclusive, valid_to exclusive."""
    prices = book({"name": "a", "multiplier": 2, "valid_from": "2026-06-01", "valid_to": "2026-07-01"})
    costs = [
        price(prices, at=at).contracted_cost
        for at in (
            datetime(2026, 5, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2026, 6, 1, tzinfo=UTC),
            datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2026, 7, 1, tzinfo=UTC),
        )
    ]
    assert costs == [25 * USD // 10, 5 * USD, 5 * USD, 25 * USD // 10]


def test_a_contract_price_wins_over_factors_and_is_for_standard_traffic_only() -> None:
    """A price agreed for standard input says nothing about batch, unless its SKUs are named."""
    contract = {"name": "c", "contract": {"input_mtok": 2}, "scope": {"provider": "openai", "models": ["gpt-4o"]}}
    discount = {"name": "d", "discount_percent": 50}
    prices = book(contract, discount)
    assert price(prices).contracted_cost == 2 * USD
    batch = price(prices, service_tier="batch")
    assert batch.list_cost is not None
    assert batch.contracted_cost == batch.list_cost // 2
    named = {"name": "b", "contract": {"input_mtok": 1}, "scope": {"skus": ["openai/gpt-4o/*service_tier=batch*"]}}
    assert price(book(contract, named), service_tier="batch").contracted_cost == USD


def test_the_more_specific_scope_wins_and_among_equals_the_later() -> None:
    """Scopes are counted by how much they say."""
    wide = {"name": "w", "multiplier": 2}
    provider = {"name": "p", "multiplier": 3, "scope": {"provider": "openai"}}
    model = {"name": "m", "multiplier": 4, "scope": {"provider": "openai", "models": ["gpt-4*"]}}
    again = {"name": "n", "multiplier": 5, "scope": {"provider": "openai", "models": ["gpt-4o"]}}
    assert price(book(model, provider, wide)).contracted_cost == 10 * USD
    assert price(book(model, again, provider)).contracted_cost == 25 * USD // 2
    other = {"name": "o", "multiplier": 9, "scope": {"provider": "anthropic"}}
    assert price(book(other)).contracted_cost == 25 * USD // 10


def test_attribution_scopes_apply_per_event() -> None:
    """Two teams, two prices, from one cache."""
    prices = book({"name": "a", "multiplier": 2, "scope": {"attribution": {"team": "search"}}})
    for _ in range(2):
        assert price(prices, attribution={"team": "search"}).contracted_cost == 5 * USD
        assert price(prices, attribution={"team": "ads"}).contracted_cost == 25 * USD // 10
        assert price(prices).contracted_cost == 25 * USD // 10


def test_an_effective_multiplier_spreads_a_commitment() -> None:
    """Effective cost is contracted cost times it; the other costs stay."""
    pricing = price(book({"name": "a", "discount_percent": 20}, {"name": "b", "effective_multiplier": 1.5}
                         | {"effective_multiplier": 2}))  # fmt: skip
    assert (pricing.list_cost, pricing.contracted_cost, pricing.effective_cost) == (25 * USD // 10, 2 * USD, 4 * USD)


def test_fractions_of_a_pico_usd_are_rounded_half_to_even_once_per_line() -> None:
    """A third of 250 pico-USD per token, times 3 tokens, is 250 again."""
    prices = book({"name": "a", "discount_percent": "33.3333333333"})
    pricing = prices.price(facts_of(token_event("gpt-4o", {"input_tokens": 3, "output_tokens": 0})))
    assert pricing.contracted_cost == 5_000_000


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"multiplier": 1, "discount_percent": 1},
        {"contract": {"input": 1}},
        {"discount_percent": 101},
        {"multiplier": -1},
        {"multiplier": 0.5},
        {"multiplier": 1, "valid_from": "2026-02-01", "valid_to": "2026-01-01"},
        {"multiplier": 1, "valid_from": "2026-02-01T00:00:00"},
        {"multiplier": 1, "scope": {"team": "x"}},
    ],
)
def test_terms_that_say_nothing_or_two_things_are_refused(terms: dict[str, Any]) -> None:
    """Also floats and timestamps without an offset."""
    with pytest.raises(ValidationError):
        book({"name": "a", **terms})
