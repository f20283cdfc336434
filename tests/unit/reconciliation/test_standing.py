"""What should stand of an event, for any entries: exactly one charge of the highest revision, wherever one looks."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.ledger.amounts import opposite
from stream_jobs.reconciliation.standing import standing
from tests.unit.reconciliation.build import NOW, adjusted, charge, correction, look, moved, reconcile, sums

COSTS = st.none() | st.decimals(0, 1000, places=12)
CHARGES = st.builds(
    lambda revision, cost, tokens, team, partition, offset, minutes: charge(
        revision=revision,
        cost=cost,
        input_tokens=tokens,
        team=team,
        partition=partition,
        offset=offset,
        booked_at=NOW + timedelta(minutes=minutes),
    ),
    st.integers(0, 2),
    COSTS,
    st.none() | st.integers(0, 10**9),
    st.sampled_from(["search", "ads"]),
    st.integers(0, 1),
    st.integers(1, 2),
    st.integers(0, 3),
)


@settings(max_examples=60)
@given(st.lists(CHARGES, min_size=1, max_size=6))
def test_whatever_was_booked_comes_to_one_charge_of_the_highest_revision(booked: list[dict[str, Any]]) -> None:
    """Copies, revisions in any order, equal and different amounts, one team or two: after one pass the sums are those
    of one of the charges of the highest revision, in every account, and a second pass finds nothing."""
    ledger = list(booked)
    reconcile(ledger)
    highest = max(entry["revision"] for entry in booked)
    candidates = [sums([entry]) for entry in booked if entry["revision"] == highest]
    assert sums(ledger) in candidates
    assert reconcile(ledger, run=2) == []


@settings(max_examples=60)
@given(st.lists(CHARGES, min_size=1, max_size=5), st.integers(0, 2**32))
def test_the_order_in_which_entries_are_read_does_not_matter(booked: list[dict[str, Any]], seed: int) -> None:
    """The first charge is the first by a stated order, not the one that came back first."""
    shuffled = list(booked)
    random.Random(seed).shuffle(shuffled)
    one, other = list(booked), shuffled
    reconcile(one)
    reconcile(other)
    assert sums(one) == sums(other)


@settings(max_examples=60)
@given(st.lists(CHARGES, min_size=1, max_size=4), st.lists(CHARGES, max_size=3), st.integers(1, 3))
def test_it_converges_whatever_is_booked_between_passes_and_however_often_one_is_posted(
    first: list[dict[str, Any]], later: list[dict[str, Any]], copies: int
) -> None:
    """More charges after a pass, and the posting of a pass inserted several times (two passes at one moment): the next
    pass brings it to what one pass over all charges would have."""
    ledger = list(first)
    before = len(ledger)
    reconcile(ledger)
    ledger += ledger[before:] * (copies - 1)
    ledger += later
    reconcile(ledger, run=2)
    at_once = [*first, *later]
    reconcile(at_once)
    assert sums(ledger) == sums(at_once)
    assert look(ledger) == []


def test_a_corrected_event_is_left_alone() -> None:
    """What metering books for a revision is right already."""
    first = charge()
    assert look([first, *correction(first, charge(revision=1, cost=Decimal(2), offset=9))]) == []


def test_an_adjusted_event_is_left_alone() -> None:
    """Re-priced and moved to another team: one event, its adjustments belong to it."""
    first = charge()
    assert look([first, adjusted(first, Decimal(7)), *moved(first, "ads")]) == []


def test_the_copy_that_was_adjusted_is_the_one_that_stays() -> None:
    """A zombie books an older copy after the charge was re-priced: the re-priced one stays, at its new price."""
    kept = charge(offset=5)
    ledger = [kept, adjusted(kept, Decimal(7)), charge(offset=4, booked_at=NOW - timedelta(hours=1), cost=Decimal(3))]
    reconcile(ledger)
    assert sum(entry["list_cost"] for entry in ledger) == Decimal(7)
    assert sum(entry["events"] for entry in ledger) == 1


def test_what_was_adjusted_after_it_was_taken_back_is_taken_back_too() -> None:
    """An adjustment of a superseded revision nets to zero like its charge."""
    old, new = charge(), charge(revision=1, offset=2, cost=Decimal(2))
    ledger = [old, new]
    reconcile(ledger)
    ledger.append(adjusted(old, Decimal(9)))
    reconcile(ledger, run=2)
    assert sums(ledger) == sums([new])


def test_a_charge_on_another_team_is_taken_back_there() -> None:
    """Of two equal amounts on two teams the second is taken back from its own team, not from the first one's."""
    ledger = [charge(team="search"), charge(team="ads", offset=2, booked_at=NOW + timedelta(seconds=1))]
    reconcile(ledger)
    assert sums(ledger) == sums([charge(team="search")])


def test_a_double_retraction_is_put_right() -> None:
    """Metering takes back an entry that reconciliation has just taken back: the revision nets to zero again."""
    old, new = charge(), charge(revision=1, offset=2)
    back = opposite(old) | {"entry_kind": "retraction", "offset": 2}
    ledger = [old, back, dict(back), new]
    reconcile(ledger)
    assert sums(ledger) == sums([new])


def test_revisions_whose_charge_is_gone_are_left_as_they_are() -> None:
    """Retention dropped the charge and not yet its retraction: nothing is known of it any more."""
    old, new = charge(), charge(revision=1, offset=2)
    back = opposite(old) | {"entry_kind": "retraction", "offset": 2}
    assert look([back, new]) == []
    assert standing([back]) is None


def test_a_retraction_says_where_the_charge_lay() -> None:
    """Its position is the charge's own, so that the block it came from can be accounted for."""
    ledger = [charge(), charge(partition=3, offset=8, booked_at=NOW + timedelta(seconds=1))]
    reconcile(ledger)
    row = ledger[-1]
    assert (row["entry_kind"], row["partition"], row["offset"], row["events"]) == ("retraction", 3, 8, -1)
    assert row["reason_text"] == "booked twice: the charge from t/0/1 counts"
    assert row["line_cost"] == [Decimal("-1.5")]
