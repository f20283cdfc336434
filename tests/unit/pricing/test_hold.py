"""What is booked for an event without a price, by what is known of it and of its model."""

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.pricing.hold import (
    FLAT,
    NO_HISTORY,
    OWN_FROM,
    TYPICAL_TOKENS,
    Bound,
    Hold,
    LongCall,
    LongCalls,
    bound_of,
)

COSTS = st.integers(0, 10**20)
CALLS = st.builds(LongCall, st.integers(0, 3 * OWN_FROM), COSTS, st.integers(0, 10**6), st.integers(0, 10**5))
HISTORY = st.builds(LongCalls, st.dictionaries(st.sampled_from(["a/m", "b/m"]), CALLS), CALLS)


def test_an_event_of_no_model_of_the_book_is_held_at_the_flat_bound() -> None:
    """Whatever is known of other models."""
    calls = LongCalls({"a/m": LongCall(1000, 5, 6, 7)}, LongCall(1000, 0, 8, 9))
    assert bound_of(None, calls) == FLAT == Bound(0, 1)


@given(COSTS, HISTORY)
def test_known_usage_is_held_at_what_it_may_cost_whatever_others_used(known: int, calls: LongCalls) -> None:
    """Its own usage is the better bound."""
    assert bound_of(Hold(known), calls) == Bound(known)


def test_unknown_usage_is_held_at_a_long_call_of_its_own_model() -> None:
    """The 99.9th percentile of what its model's events cost, beside what is known of the event."""
    calls = LongCalls({"a/m": LongCall(OWN_FROM, 50, 1, 1)}, LongCall(10**6, 0, 10**6, 10**6))
    assert bound_of(Hold(7, "a/m", 1000, 1000), calls) == Bound(57)


def test_a_model_without_a_history_of_its_own_is_held_at_the_longest_calls_of_all_at_its_own_rates() -> None:
    """Few events of its own say too little, but never take the bound below the dearest of them."""
    tokens = LongCall(OWN_FROM, 0, 2000, 100)
    hold = Hold(7, "a/m", 3, 10)
    assert bound_of(hold, LongCalls({}, tokens)) == Bound(7 + 3 * 2000 + 10 * 100)
    few = LongCalls({"a/m": LongCall(OWN_FROM - 1, 10**6, 1, 1)}, tokens)
    assert bound_of(hold, few) == Bound(7 + 10**6)
    read, written = TYPICAL_TOKENS
    assert bound_of(hold, NO_HISTORY) == Bound(7 + 3 * read + 10 * written)


def test_what_is_not_counted_in_tokens_is_held_by_its_own_history_or_flat() -> None:
    """A SKU that was reported in another unit than its price is for."""
    hold = Hold(0, "aws/s3", counted=False)
    assert bound_of(hold) == FLAT
    assert bound_of(hold, LongCalls({"aws/s3": LongCall(OWN_FROM, 9, 0, 0)})) == Bound(9)


@given(st.builds(Hold, COSTS, st.sampled_from(["", "a/m"]), COSTS, COSTS, st.just(True)), HISTORY)
def test_nothing_is_held_below_what_is_known_of_it(hold: Hold, calls: LongCalls) -> None:
    """And an event whose model is known is never held flat."""
    found = bound_of(hold, calls)
    assert found.pico >= hold.known
    assert found.flat == 0
