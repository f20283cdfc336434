"""What an event without a price is held at, until it has one. Plain functions.

A bound, not a price: budgets count it beside what is spent, so that nothing is spent unseen, and it must be about what
the event can cost, so that nobody is stopped for nothing.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

OWN_FROM: Final = 100
"""So many priced events of a model make a history of its own."""
TYPICAL_TOKENS: Final = (32_000, 4_000)
"""Input and output of a long call, where nothing at all was booked yet that could say how long calls are."""


class Hold(NamedTuple):
    """Of one event without a price whose model the price book knows. Amounts are pico-USD."""

    known: int  # what is known of its usage, at the dearest rates that the model has under what the event names
    like: str = ""  # beside that it may have used as much as a long call of this price model; empty: all is known
    input_rate: int = 0  # per token, for a model without a history of its own
    output_rate: int = 0
    counted: bool = True  # in tokens; else only its own history can say what a long call is


class Bound(NamedTuple):
    """What a ledger entry holds. `flat`: the model is unknown; each budget says what it holds such an event at."""

    pico: int = 0
    flat: int = 0

    def less(self, other: "Bound") -> "Bound":
        return Bound(self.pico - other.pico, self.flat - other.flat)


NOTHING: Final = Bound()
FLAT: Final = Bound(flat=1)


class LongCall(NamedTuple):
    """The 99.9th percentiles of what single events of a price model used."""

    events: int  # how many this is of
    cost: int  # pico-USD
    input_tokens: int
    output_tokens: int


class LongCalls(NamedTuple):
    """By price model; and of all token events, whose cost says nothing."""

    models: Mapping[str, LongCall] = {}
    tokens: LongCall = LongCall(0, 0, *TYPICAL_TOKENS)


NO_HISTORY: Final = LongCalls()


def bound_of(hold: Hold | None, calls: LongCalls = NO_HISTORY) -> Bound:
    """What is booked for an event without a price. None: the book knows no model that it could be.

    What is not known of its usage is taken to be the 99.9th percentile of its model's own events: what these cost.
    Without enough of these, it is that of all token events (the longest calls of anybody), at the model's rates.
    """
    if hold is None:
        return FLAT
    if not hold.like:
        return Bound(hold.known)
    own = calls.models.get(hold.like)
    if own is not None and own.events >= OWN_FROM:
        return Bound(hold.known + own.cost)
    if not hold.counted:
        return FLAT
    tokens = calls.tokens if calls.tokens.events >= OWN_FROM else NO_HISTORY.tokens
    typical = hold.input_rate * tokens.input_tokens + hold.output_rate * tokens.output_tokens
    return Bound(hold.known + max(typical, own.cost if own is not None else 0))
