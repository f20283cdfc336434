"""Our engine against genai-prices' own calculator: equal wherever that is right, and every difference is declared."""

from collections import Counter
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given, settings

from spendstream_schemas import UnpricedReason, UsageEvent
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.rates import Missing
from tests.unit.pricing import oracle
from tests.unit.pricing.differences import classify
from tests.unit.pricing.events import token_event
from tests.unit.pricing.shipped import shipped_book as full_book
from tests.unit.pricing.strategies import IDS, events


@cache
def base_book() -> PriceBook:
    """The base data alone: corrections would hide what the engine itself does."""
    return PriceBook.of()


def _theirs(one: UsageEvent) -> Decimal | None:
    try:
        return oracle.total(one)
    except ValueError:
        return None


@pytest.mark.slow
@given(one=events())
@settings(max_examples=1500)
def test_price_equals_genai_prices_or_differs_as_declared(one: UsageEvent) -> None:
    """Any model, usage, tier and instant: the same to the last digit, or a declared difference."""
    classify(one, base_book().price(facts_of(one)), _theirs(one))


@pytest.mark.slow
@given(one=events())
@settings(max_examples=500)
def test_every_other_difference_is_a_correction_that_speaks(one: UsageEvent) -> None:
    """The shipped book gives another cost than the base data only where an entry says so for that model and instant."""
    full = full_book().price(facts_of(one))
    if full.list_cost == base_book().price(facts_of(one)).list_cost:
        return
    identity = full_book().catalog.identify(one.provider, one.model, None, one.occurred_at)
    if isinstance(identity, Missing):  # declared as an alias that moves
        assert identity.reason is UnpricedReason.MOVING_ALIAS
        return
    assert any(entry.speaks_at(one.occurred_at) for entry in identity.entries) or identity.own.endswith("-latest")


@pytest.mark.slow
def test_plain_text_agrees_for_every_id_of_the_base_data() -> None:
    """Text in, text out, standard tier, today: every id that the base data names agrees, except for the stated few."""
    found: Counter[str | None] = Counter()
    for provider, model in IDS:
        usage = {"input_tokens": 300_001, "cache_read_tokens": 1_234, "output_tokens": 777}
        one = token_event(model, usage, provider=provider)
        found[classify(one, base_book().price(facts_of(one)), _theirs(one))] += 1
    few = {"no-meter-price", "no-price-at-all", "moving-name", "fractional-pico", "ambiguous-parts"}
    assert found.keys() <= {None, *few}
    assert found[None] > 0.85 * len(IDS)


@pytest.mark.parametrize("tokens", [199_999, 200_000, 200_001, 271_999, 272_000, 272_001])
@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-5.4"), ("google", "gemini-2.5-pro"), ("x-ai", "grok-4.3")]
)
def test_context_cliffs_fall_on_the_same_token(provider: str, model: str, tokens: int) -> None:
    """A request of exactly the boundary costs the lower price, one token more re-prices all of it."""
    one = token_event(model, {"input_tokens": tokens, "output_tokens": 10}, provider=provider)
    assert classify(one, base_book().price(facts_of(one)), oracle.total(one)) is None
