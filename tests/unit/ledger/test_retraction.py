"""Retractions: the sum of all entries of a corrected event is its new charge."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.ledger.amounts import SIGNED, SIGNED_LISTS
from stream_jobs.ledger.retraction import retraction_rows
from stream_jobs.metering.decode import DecodedEvent, decode
from tests.unit.metering.build import NOW, TOLERANCE, block, record

MONEY = st.none() | st.decimals(-(10**6), 10**6, places=12)
ZERO: dict[str, Any] = dict.fromkeys(SIGNED) | {name: [] for name in SIGNED_LISTS}


def entry(kind: str, **values: Any) -> dict[str, Any]:
    return {
        **ZERO,
        "event_id": "e",
        "revision": 0,
        "entry_kind": kind,
        "booked_at": NOW,
        "topic_id": "other",
        "partition": 9,
        "offset": 1,
        "events": 1 if kind == "charge" else 0,
        "unpriced": 0,
        "avoided_cost": Decimal(0),
    } | values


CHARGES = st.builds(
    lambda revision, cost, tokens, lines: entry(
        "charge",
        revision=revision,
        list_cost=cost,
        effective_cost=cost,
        input_tokens=tokens,
        unpriced=int(cost is None),
        line_cost=lines,
        line_quantity=lines,
    ),
    st.integers(0, 2),
    MONEY,
    st.none() | st.integers(0, 10**12),
    st.lists(st.decimals(0, 100, places=12), max_size=3),
)
ADJUSTMENTS = st.builds(
    lambda revision, cost: entry("adjustment", revision=revision, list_cost=cost, unpriced=-1 if cost else 0),
    st.integers(0, 2),
    MONEY,
)


def correction(revision: int) -> DecodedEvent:
    decoded = decode(record(77, "e", revision=revision), NOW, TOLERANCE)
    assert isinstance(decoded, DecodedEvent)
    return decoded


def total(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(row[name] or 0 for row in entries) for name in SIGNED} | {
        name: sum(sum(row[name]) for row in entries) for name in SIGNED_LISTS
    }


@given(st.lists(st.one_of(CHARGES, ADJUSTMENTS), min_size=1, max_size=6), st.integers(1, 3))
def test_entries_and_what_takes_them_back_sum_to_nothing(entries: list[dict[str, Any]], rounds: int) -> None:
    """For any charges (also copies of one revision) and adjustments, priced or not, and for each later correction,
    every meter, cost, count and receipt line sums to zero before the new charge."""
    booked = list(entries)
    for number in range(rounds):
        booked += retraction_rows(booked, {"e": correction(10 + number)}, block(77, 77))
        assert not any(total(booked).values())
        booked.append(entry("charge", revision=10 + number, list_cost=Decimal(number), input_tokens=number))


def test_what_is_taken_back_is_not_taken_back_again() -> None:
    """The second correction reverses the first correction's charge only."""
    first = entry("charge", list_cost=Decimal(5))
    taken_back = retraction_rows([first], {"e": correction(1)}, block(77, 77))
    second = entry("charge", revision=1, list_cost=Decimal(3))
    again = retraction_rows([first, *taken_back, second], {"e": correction(2)}, block(80, 80))
    assert [(row["entry_kind"], row["revision"], row["list_cost"]) for row in again] == [("retraction", 1, Decimal(-3))]


def test_of_two_copies_one_that_was_taken_back_leaves_the_other() -> None:
    """A copy that slipped past and was reversed must not hide the charge that stands."""
    copies = [entry("charge", list_cost=Decimal(5), offset=offset) for offset in (1, 2)]
    reversed_copy = entry("retraction", list_cost=Decimal(-5), events=-1)
    rows = retraction_rows([*copies, reversed_copy], {"e": correction(1)}, block(77, 77))
    assert [row["list_cost"] for row in rows] == [Decimal(-5)]


def test_what_was_posted_to_the_correction_itself_stays() -> None:
    """A block is redone after its charge had been re-priced: the first run could not take that back, nor may this."""
    entries = [
        entry("charge", list_cost=Decimal(5)),
        entry("adjustment", revision=1, list_cost=Decimal(-2)),
    ]
    rows = retraction_rows(entries, {"e": correction(1)}, block(77, 77))
    assert [(row["revision"], row["list_cost"]) for row in rows] == [(0, Decimal(-5))]


def test_the_row_belongs_to_the_block_that_writes_it() -> None:
    """Position and time are the correction's: a redo of the block finds the row among its own and leaves it out."""
    row = retraction_rows([entry("charge", list_cost=Decimal(5))], {"e": correction(3)}, block(70, 79))[0]
    assert (row["topic_id"], row["partition"], row["offset"], row["booked_at"]) == ("id", 2, 77, NOW)
    assert row["reason_text"] == "corrected by revision 3"
