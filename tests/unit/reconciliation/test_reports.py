"""One call reported by several sources: one source's report counts, by a stated order, and it stays that way."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.reconciliation.findings import RESPONSE_ID
from stream_jobs.reconciliation.reports import Precedence
from tests.unit.reconciliation.build import NOW, adjusted, charge, correction, look, reconcile, sums

BY_CONFIG = Precedence(sources=("gateway-*", "checkout"))


def counting(ledger: list[dict[str, Any]]) -> set[str]:
    """The events that count."""
    events = {entry["event_id"] for entry in ledger}
    return {
        event_id
        for event_id in events
        if sum(entry["events"] for entry in ledger if entry["event_id"] == event_id) == 1
    }


def report(event_id: str, source: str, **columns: Any) -> dict[str, Any]:
    return charge(event_id, **{"source": source, "response_id": "resp_1"} | columns)


@pytest.mark.parametrize(
    ("reports", "winner"),
    [
        ([report("a", "checkout"), report("b", "gateway-eu")], "b"),
        ([report("a", "other"), report("b", "checkout")], "b"),
        ([report("a", "x", cost=None), report("b", "y")], "b"),
        ([report("a", "x"), report("b", "y", revision=1)], "b"),
        ([report("a", "x"), report("b", "y", occurred_at=NOW - timedelta(hours=2))], "b"),
        ([report("b", "x"), report("a", "y")], "a"),
        ([report("a", "checkout", cost=None), report("b", "other")], "a"),
    ],
)
def test_the_order_of_precedence(reports: list[dict[str, Any]], winner: str) -> None:
    """Configured order, then priced, then the highest revision, then the earliest, then the lowest id."""
    ledger = list(reports)
    (found,) = reconcile(ledger, BY_CONFIG)
    assert counting(ledger) == {winner}
    assert found.cause == RESPONSE_ID
    assert found.counts.event_id == winner
    assert f"event {winner} of" in ledger[-1]["reason_text"]
    assert look(ledger, BY_CONFIG) == []


@pytest.mark.parametrize(
    "other",
    [
        report("b", "checkout"),  # the same source: two parts of one call
        report("b", "gateway-eu", provider="azure"),
        report("b", "gateway-eu", kind="metered"),
        report("b", "gateway-eu", response_id=""),
        report("b", "gateway-eu", cached_response=True),
        report("b", "gateway-eu", occurred_at=NOW + timedelta(days=3)),
    ],
)
def test_what_is_not_the_same_call(other: dict[str, Any]) -> None:
    """Another provider, kind or time, an answer from the service's own cache, or the same source: both count."""
    assert look([report("a", "checkout"), other], BY_CONFIG) == []


def test_reports_without_an_id_are_never_compared() -> None:
    """Two sources that both leave it empty report two calls."""
    assert look([charge("a", source="x"), charge("b", source="y")]) == []


def test_an_id_that_too_many_carry_is_none() -> None:
    """A proxy that answers with a constant: everything counts, and what was taken back before is put back."""
    precedence = Precedence(max_reports=3)
    ledger = [report("a", "x"), report("b", "y")]
    reconcile(ledger, precedence)
    assert len(counting(ledger)) == 1
    ledger += [report("c", "x"), report("d", "y")]
    reconcile(ledger, precedence, run=2)
    assert counting(ledger) == {"a", "b", "c", "d"}
    assert look(ledger, precedence) == []


def test_excluded_providers_are_never_compared() -> None:
    """Ids that are known not to be unique."""
    precedence = Precedence(excluded_providers=("openai",))
    assert look([report("a", "x"), report("b", "y")], precedence) == []


def test_all_parts_of_the_other_source_are_taken_back() -> None:
    """A call of three lines that the gateway reports as one: the lines of one source count."""
    ledger = [report("a1", "sdk"), report("a2", "sdk"), report("a3", "sdk"), report("g", "gateway-eu")]
    reconcile(ledger, Precedence(sources=("sdk",)))
    assert counting(ledger) == {"a1", "a2", "a3"}


def test_a_late_revision_of_the_report_that_does_not_count_changes_nothing() -> None:
    """Metering books the revision as it always does; the next pass takes it back again."""
    ledger = [report("a", "x"), report("b", "gateway-1")]
    reconcile(ledger, BY_CONFIG)
    late = report("a", "x", revision=1, cost=Decimal(9), offset=7)
    ledger.append(late)
    reconcile(ledger, BY_CONFIG, run=2)
    assert counting(ledger) == {"b"}
    assert sums(ledger) == sums([report("b", "gateway-1")])
    assert look(ledger, BY_CONFIG) == []


def test_when_the_counting_report_turns_out_to_be_another_call_the_other_counts_again() -> None:
    """A revision corrects the response_id of the winner: the loser is put back, to the last digit."""
    winner = report("b", "gateway-1")
    ledger = [report("a", "x"), winner]
    reconcile(ledger, BY_CONFIG)
    ledger += correction(winner, report("b", "gateway-1", revision=1, response_id="resp_2", offset=7))
    reconcile(ledger, BY_CONFIG, run=2)
    assert counting(ledger) == {"a", "b"}
    assert ledger[-1]["entry_kind"] == "adjustment"
    assert sums(ledger) == sums([report("a", "x"), report("b", "gateway-1")])


def test_a_price_that_arrives_late_may_change_the_winner() -> None:
    """Once the unpriced report has its price, the stated order decides anew, and the books follow."""
    early = report("a", "x", cost=None, occurred_at=NOW - timedelta(hours=5))
    ledger = [early, report("b", "y")]
    reconcile(ledger)
    assert counting(ledger) == {"b"}
    ledger.append(adjusted(early, Decimal(4)))
    reconcile(ledger, run=2)
    assert counting(ledger) == {"a"}
    assert sum(entry["list_cost"] or 0 for entry in ledger) == Decimal(4)
    assert look(ledger) == []


REPORTS = st.builds(
    lambda event_id, source, revision, cost, response_id, offset: report(
        event_id, source, revision=revision, cost=cost, response_id=response_id, offset=offset
    ),
    st.sampled_from("abcd"),
    st.sampled_from(["checkout", "gateway-eu", "other"]),
    st.integers(0, 2),
    st.none() | st.decimals(0, 10, places=12),
    st.sampled_from(["", "r1", "r2"]),
    st.integers(1, 4),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(REPORTS, min_size=1, max_size=8), st.integers(0, 8), st.integers(0, 2**32))
def test_passes_in_between_do_not_change_where_it_ends(booked: list[dict[str, Any]], cut: int, seed: int) -> None:
    """Any reports in any order, a pass after any of them, and one that is posted twice: it ends where one pass over
    everything ends, and then nothing is found."""
    random.Random(seed).shuffle(booked)
    step_by_step: list[dict[str, Any]] = []
    for number, entry in enumerate(booked):
        step_by_step.append(entry)
        if number >= cut:
            before = len(step_by_step)
            reconcile(step_by_step, BY_CONFIG, run=number + 1)
            if number == cut:
                step_by_step += step_by_step[before:]
    reconcile(step_by_step, BY_CONFIG, run=99)
    at_once = list(booked)
    reconcile(at_once, BY_CONFIG)
    assert sums(step_by_step) == sums(at_once)
    assert look(step_by_step, BY_CONFIG) == []
    assert all(
        sum(entry["events"] for entry in at_once if entry["event_id"] == event_id) in (0, 1)
        for event_id in {entry["event_id"] for entry in booked}
    )
