"""When prices change, and which terms it was."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.changing import changes_of, price_of, terms_of
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from tests.unit.pricing.events import NOW, event, token_event

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
ENDS = {"name": "agreement", "discount_percent": 20, "valid_to": "2027-01-01", "scope": {"provider": "openai"}}
CARD = {
    "provider": "mine",
    "source": "contract",
    "checked": "2026-11-01",
    "accelerators": [
        {"names": ["H100"], "usd_per_hour": 9, "cpu_included": True, "valid_to": "2027-01-01"},
        {"names": ["H100"], "usd_per_hour": 6, "cpu_included": True, "valid_from": "2027-01-01"},
    ],
    "skus": [{"sku": "reads", "unit": "reads", "usd_per_unit": "0.001", "valid_from": "2026-06-01"}],
}


def the_book() -> PriceBook:
    return PriceBook.of(
        card_files=[RateCardFile.model_validate(CARD)], overlay_files=[OverlayFile.model_validate({"overlays": [ENDS]})]
    )


GPU = event(
    {"kind": "compute", "gpu_seconds": 7200, "accelerator": "H100", "purchase_option": "on_demand"}, provider="mine"
)
READS = event({"kind": "metered", "sku": "reads", "quantity": 500, "unit": "reads"}, provider="mine")
CALL = token_event("gpt-4o", {"input_tokens": 3, "output_tokens": 1})


@pytest.mark.parametrize("one", [GPU, READS, CALL])
def test_a_change_of_whatever_prices_it_is_named(one: object) -> None:
    """Cards, dates of the book and our own terms."""
    book = the_book()
    found = changes_of(book, facts_of(one))  # type: ignore[arg-type]
    assert NEW_YEAR in found
    assert found == sorted(set(found))


def test_the_terms_that_changed_are_named() -> None:
    """A contract that ends; a list price; and of what has another reason the model."""
    book = the_book()
    for one, said in ((GPU, "list price of mine/H100"), (CALL, "agreement ends")):
        facts = facts_of(one)
        before = price_of(book, facts)
        after = price_of(book, facts._replace(occurred_at=NEW_YEAR))
        assert list(terms_of(book, facts, before, after, NEW_YEAR)) == [said]
        assert list(terms_of(book, facts, before, before, NOW)) == [f"price of {before.where}"]


def test_fractions_of_tokens_have_a_price_and_no_digit_is_lost() -> None:
    """A third of a token, at $2.50 per million and 20 % off."""
    facts = facts_of(CALL)
    third = facts._replace(usage={"input_tokens": Fraction(1, 3), "output_tokens": 0})
    costs = price_of(the_book(), third).costs
    assert costs is not None
    assert costs.listed == Fraction(2_500_000, 3)
    assert costs.contracted == costs.effective == Fraction(2_000_000, 3)


def test_what_has_no_price_says_why() -> None:
    """And is never 0."""
    found = price_of(the_book(), facts_of(token_event("gpt-unheard-of", {"input_tokens": 3, "output_tokens": 1})))
    assert found.costs is None
    assert "gpt-unheard-of" in found.why
