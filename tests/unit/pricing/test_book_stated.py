"""A cost that the provider states prices what the book cannot, and nothing else."""

from decimal import Decimal
from typing import Any

import pytest

from spendstream_schemas import UnpricedReason, UsageEvent
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.receipt import priced
from stream_jobs.pricing.result import STATED, PriceLine
from tests.unit.pricing.events import event, token_event
from tests.unit.pricing.shipped import shipped_book

BOOK = shipped_book()
DISCOUNT = OverlayFile.model_validate({"overlays": [{"name": "half", "multiplier": "0.5", "valid_from": "2024-01-01"}]})
TOKENS = {"input_tokens": 1000, "output_tokens": 500}
COST = Decimal("0.0033789")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (token_event("m", TOKENS, provider="nobody", stated_cost_usd=COST), UnpricedReason.UNKNOWN_PROVIDER),
        (token_event("unheard-of", TOKENS, stated_cost_usd=COST), UnpricedReason.UNKNOWN_MODEL),
        (token_event("gpt-4o", TOKENS, service_tier="odd", stated_cost_usd=COST), UnpricedReason.UNKNOWN_SERVICE_TIER),
        (
            token_event("gpt-4o", TOKENS | {"output_audio_tokens": 5}, stated_cost_usd=COST),
            UnpricedReason.NO_PRICE_FOR_METER,
        ),
        (
            token_event("gpt-4o", TOKENS, tool_calls={"computer_use": 1}, stated_cost_usd=COST),
            UnpricedReason.NO_PRICE_FOR_TOOL,
        ),
        (token_event("gpt-4o", {}, stated_cost_usd=COST), UnpricedReason.USAGE_UNKNOWN),
        (token_event("gpt-4o", {}, status="error", stated_cost_usd=COST), UnpricedReason.USAGE_UNKNOWN),
        (
            token_event("gpt-4o", {"input_tokens": 1}, status="cancelled", stated_cost_usd=COST),
            UnpricedReason.USAGE_UNKNOWN,
        ),
        (
            event({"kind": "metered", "sku": "s", "quantity": 1, "unit": "GB"}, stated_cost_usd=COST),
            UnpricedReason.UNKNOWN_SKU,
        ),
    ],
)
def test_whatever_the_reason_the_stated_cost_is_the_price(given: UsageEvent, reason: UnpricedReason) -> None:
    """The receipt says so: its SKU and price model are `stated`, and the detail keeps why the book has no price."""
    found = BOOK.price(facts_of(given))
    assert found.priced
    assert (found.list_cost, found.contracted_cost, found.effective_cost) == (3_378_900_000,) * 3
    assert (found.price_model, found.detail.split(":")[0]) == (STATED, reason.value)
    assert found.lines == (PriceLine(STATED, "requests", 1, COST, COST, *(3_378_900_000,) * 3),)
    receipt = priced("e", found)
    assert (receipt["status"], receipt["price_model"], receipt["lines"][0]["sku"]) == ("priced", STATED, STATED)


def test_fields_that_this_version_does_not_know_are_in_what_is_stated() -> None:
    """The provider knows what it billed, so what might have been missed costs nothing beside it."""
    given = facts_of(token_event("gpt-4o", TOKENS, stated_cost_usd=COST))
    found = BOOK.price(given, ("usage.new_tokens",))
    assert (found.price_model, found.list_cost) == (STATED, 3_378_900_000)
    assert BOOK.price(given._replace(stated_cost=None), ("usage.new_tokens",)).reason is UnpricedReason.UNKNOWN_METER


def test_where_the_book_has_a_price_nothing_changes() -> None:
    """The answer is the one without the statement, which stands beside it for comparison."""
    without = facts_of(token_event("gpt-4o", TOKENS))
    assert BOOK.price(without._replace(stated_cost=COST)) == BOOK.price(without)


@pytest.mark.parametrize("model", ["gpt-4o", "unheard-of"])
def test_an_answer_from_the_services_own_cache_costs_nothing(model: str) -> None:
    """The response that it repeats states what the call cost that filled the cache."""
    given = facts_of(token_event(model, TOKENS, cached_response=True))
    found = BOOK.price(given._replace(stated_cost=COST))
    assert found == BOOK.price(given)
    assert found.list_cost == 0


def test_a_free_call_is_priced_at_zero_when_the_provider_says_so() -> None:
    """OpenRouter's free models: 0 is stated, which is not the same as unknown."""
    found = BOOK.price(facts_of(token_event("some/model:free", TOKENS, provider="openrouter", stated_cost_usd=0)))
    assert (found.price_model, found.list_cost, len(found.lines)) == (STATED, 0, 1)


def test_our_own_terms_do_not_change_what_was_charged() -> None:
    """A discount that we know of is in what the provider charges already."""
    book = PriceBook.of(overlay_files=[DISCOUNT])
    found = book.price(facts_of(token_event("unheard-of", TOKENS, stated_cost_usd=COST)))
    assert (found.list_cost, found.contracted_cost, found.effective_cost) == (3_378_900_000,) * 3


@pytest.mark.parametrize("usd", ["0.000000000001", "1000000", "999999.999999999999"])
def test_amounts_are_exact(usd: str) -> None:
    """To the pico-dollar, over the whole range that the contract allows."""
    given: dict[str, Any] = {"stated_cost_usd": usd}
    assert BOOK.price(facts_of(token_event("unheard-of", TOKENS, **given))).list_cost == Decimal(usd).scaleb(12)
