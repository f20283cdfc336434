"""What another source booked under an event's id does not stand, however high its revision is."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.ledger.amounts import account, amounts
from stream_jobs.origin.rules import SenderRules
from stream_jobs.reconciliation.standing import standing
from tests.unit.reconciliation.build import NOW, adjusted, charge, correction, moved, reconcile, sums


def booked(number: int, source: str, revision: int, **columns: Any) -> dict[str, Any]:
    """A charge that its partition booked as if it were the only one."""
    place: dict[str, Any] = {"booked_at": NOW + timedelta(seconds=number), "partition": number, "offset": number}
    return charge(source=source, revision=revision, **place, **columns)


def alone(ledger: Sequence[dict[str, Any]], counts: dict[str, Any]) -> bool:
    """Whether the entries come to this one."""
    return sums(ledger) == sums([counts])


def test_a_foreign_revision_that_slipped_past_is_taken_back() -> None:
    """Two partitions at one moment: the report says why, and a second look finds nothing."""
    mine, foreign = booked(1, "checkout", 0), booked(2, "stranger", 9, cost=Decimal(-0))
    ledger = [foreign, mine]
    (found,) = reconcile(ledger)
    assert (found.cause, found.source, found.counts.source) == ("foreign_revision", "stranger", "checkout")
    assert found.copies == []
    (posted,) = found.postings
    assert posted["reason_text"] == "not the sender's: stranger may not correct an event of checkout"
    assert posted["entry_kind"] == "retraction"
    assert alone(ledger, mine)
    assert reconcile(ledger, run=2) == []


def test_a_foreign_charge_that_was_corrected_elsewhere_goes_with_its_adjustments() -> None:
    """Re-pricing and re-attribution had touched both before it was noticed."""
    mine, foreign = booked(1, "checkout", 0), booked(2, "stranger", 9)
    ledger = [mine, foreign, adjusted(mine, Decimal(1)), adjusted(foreign, Decimal(7)), *moved(foreign, "thieves")]
    (found,) = reconcile(ledger)
    assert found.cause == "foreign_revision"
    assert sums(ledger) == sums([mine, adjusted(mine, Decimal(1))])
    assert reconcile(ledger, run=2) == []


def test_a_correction_of_the_sender_counts_beside_a_foreign_one() -> None:
    """Of the sender's own revisions the highest, although the stranger's is higher."""
    mine, foreign, mine_again = booked(1, "checkout", 0), booked(2, "stranger", 9), booked(3, "checkout", 1)
    ledger = [mine, foreign, *correction(mine, mine_again)]
    reconcile(ledger)
    assert alone(ledger, mine_again)


def test_a_correction_that_metering_accepted_is_not_undone() -> None:
    """Whatever the rules are now: it had taken back what it corrected."""
    mine, theirs = booked(1, "checkout", 0), booked(2, "backfill", 1)
    ledger = [mine, *correction(mine, theirs)]
    assert reconcile(ledger) == []
    ledger.append(booked(3, "backfill", 1))  # a copy that slipped past
    (found,) = reconcile(ledger)
    assert found.cause == "booked_twice"
    assert alone(ledger, theirs)


def test_whoever_may_correct_counts_although_it_was_booked_as_a_new_event() -> None:
    """By the setting of today."""
    mine, theirs = booked(1, "checkout", 0), booked(2, "backfill", 1)
    allowed, not_allowed = SenderRules.of("backfill=checkout", ""), SenderRules()
    for rules, kept in ((allowed, theirs), (not_allowed, mine)):
        found = standing([mine, theirs], rules)
        assert found is not None
        assert found.kept == kept


@given(
    st.permutations(range(6)).flatmap(
        lambda order: st.tuples(
            st.just(order),
            st.lists(st.tuples(st.sampled_from(["checkout", "stranger"]), st.integers(0, 4)), min_size=1, max_size=6),
        )
    )
)
def test_whatever_slipped_past_the_first_senders_highest_revision_stands(
    given_: tuple[list[int], list[tuple[str, int]]],
) -> None:
    """Any charges of two sources that none of the others saw, in any order of reading."""
    order, items = given_
    charges = [booked(n, source, revision, cost=Decimal(n + 1)) for n, (source, revision) in enumerate(items)]
    owner = items[0][0]
    highest = max(revision for source, revision in items if source == owner)
    expected = next(one for one in charges if (one["source"], one["revision"]) == (owner, highest))
    ledger = [charges[n] for n in order if n < len(charges)]
    reconcile(ledger)
    assert sums(ledger) == sums([expected])
    assert reconcile(ledger, run=2) == []
    assert (amounts(expected), account(expected)) in {(amounts(one), account(one)) for one in ledger}
