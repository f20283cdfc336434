"""What a cost is compared with: the same tokens without a cache, the same GPUs if they had been busy, or on demand."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import UsageEvent
from stream_jobs.facts import facts_of
from stream_jobs.pricing.comparisons import idle_cost
from stream_jobs.pricing.result import Pricing
from tests.unit.pricing.shipped import shipped_book

BOOK = shipped_book()
USD = 10**12


def priced(**fields: Any) -> Pricing:
    event = {
        "schema_version": 1, "event_id": "x", "source": "s", "occurred_at": "2026-10-10T00:00:00Z",
        "provider": "anthropic", "model": "claude-sonnet-4-5", **fields,
    }  # fmt: skip
    return BOOK.price(facts_of(UsageEvent.model_validate(event)))


def tokens(**meters: int) -> Pricing:
    return priced(usage={"kind": "tokens", "output_tokens": 0, **meters})


def test_the_cache_of_the_economics_page() -> None:
    """1,000 read and 20,000 written for 5 minutes: a net loss of 0.0123."""
    found = tokens(input_tokens=21_000, cache_read_tokens=1_000, cache_write_5m_tokens=20_000)
    assert (found.cache_saving, found.cache_premium) == (int(USD * Decimal("0.0027")), int(USD * Decimal("0.015")))
    assert (found.cache_saving or 0) - (found.cache_premium or 0) == -int(USD * Decimal("0.0123"))


def test_a_call_that_read_everything_from_the_cache_saved_too() -> None:
    """Its receipt has no line of input; the book has the price."""
    found = tokens(input_tokens=1_000, cache_read_tokens=1_000)
    assert [line.meter for line in found.lines] == ["cache_read_tokens"]
    assert (found.cache_saving, found.cache_premium) == (int(USD * Decimal("0.0027")), None)


def test_what_is_compared_is_what_the_same_tokens_cost_without_a_cache() -> None:
    """For any split of the input: cost + saving - premium is the cost of the same call without a cache."""

    @given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
    def check(plain: int, read: int, short: int, long: int) -> None:
        whole = plain + read + short + long
        with_cache = tokens(
            input_tokens=whole, cache_read_tokens=read, cache_write_5m_tokens=short, cache_write_1h_tokens=long
        )
        without = tokens(input_tokens=plain)
        assert with_cache.contracted_cost is not None
        assert without.contracted_cost is not None
        per_token = 3 * USD // 10**6
        saved = with_cache.contracted_cost + (with_cache.cache_saving or 0) - (with_cache.cache_premium or 0)
        assert saved == without.contracted_cost + (read + short + long) * per_token or whole > 200_000

    check()


def test_answers_of_the_own_cache_have_no_part_in_it() -> None:
    """They cost nothing, and what they saved is the avoided cost."""
    usage = {"kind": "tokens", "input_tokens": 1_000, "cache_read_tokens": 900, "output_tokens": 5}
    found = priced(usage=usage, cached_response=True)
    assert (found.cache_saving, found.cache_premium) == (None, None)
    assert found.avoided_cost > 0


def gpu(**fields: Any) -> Pricing:
    usage = {"kind": "compute", "accelerator": "H100", "gpu_seconds": "3600", "purchase_option": "on_demand", **fields}
    return priced(provider="aws", model=None, region="us-east-1", usage=usage)


def test_hours_on_demand_cost_what_they_cost() -> None:
    """And spot hours are compared with the on-demand price of the same card."""
    on_demand, spot = gpu(), gpu(purchase_option="spot")
    assert on_demand.on_demand_cost == on_demand.contracted_cost
    if spot.priced:
        assert spot.on_demand_cost == on_demand.contracted_cost
        assert (spot.effective_cost or 0) < (on_demand.contracted_cost or 0)
    assert tokens(input_tokens=5).on_demand_cost is None


def test_idle_is_what_was_not_busy() -> None:
    """Unknown is not idle; fully busy is 0."""
    cost = gpu().effective_cost
    assert cost
    assert gpu().idle_cost is None
    assert gpu(busy_gpu_seconds="3600").idle_cost == 0
    assert gpu(busy_gpu_seconds="900").idle_cost == cost * 3 // 4


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**9), st.integers(0, 10**9))
def test_idle_is_exact_and_cut_off_as_prorate_does(cost: int, provisioned: int, busy: int) -> None:
    """Toward zero, so that a charge and its retraction cancel out."""
    seconds = {"gpu_seconds": Decimal(provisioned), "busy_gpu_seconds": Decimal(min(busy, provisioned))}
    found = idle_cost(seconds, cost)
    assert found is not None
    assert found == -(idle_cost(seconds, -cost) or 0)
    exact = Fraction(cost * (provisioned - min(busy, provisioned)), provisioned)
    assert 0 <= abs(exact) - abs(found) < 1
