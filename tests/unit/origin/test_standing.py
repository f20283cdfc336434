"""Whose revision of an event stands."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.origin.rules import SenderRules
from stream_jobs.origin.standing import Held, standing_charge

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RULES = SenderRules.of("backfill=shop", "")


def charge(at: int, source: str, revision: int, *, is_charge: bool = True) -> Held:
    return Held(NOW + timedelta(seconds=at), "t", 0, at, revision, source, is_charge)


def test_the_first_charge_says_whose_the_event_is() -> None:
    """However high the revision of a stranger is, before and after."""
    mine, foreign, later = charge(1, "shop", 0), charge(2, "stranger", 2**32 - 1), charge(3, "shop", 1)
    assert standing_charge([foreign, mine], RULES) == mine
    assert standing_charge([later, foreign, mine], RULES) == later
    assert standing_charge([charge(0, "stranger", 0), mine, later], RULES) == charge(0, "stranger", 0)


def test_a_corrector_has_the_last_word() -> None:
    """What it corrected is its own entry then: the corrected one does not take that back by itself."""
    mine, corrected, again = charge(1, "shop", 0), charge(2, "backfill", 1), charge(3, "shop", 2)
    assert standing_charge([mine, corrected, again], RULES) == corrected
    assert standing_charge([mine, corrected, charge(4, "backfill", 3)], RULES) == charge(4, "backfill", 3)


def test_a_correction_that_was_accepted_stays_when_the_rules_change() -> None:
    """It took back what it corrected, at its own position."""
    mine, corrected = charge(1, "shop", 0), charge(2, "backfill", 1)
    taken_back = charge(2, "shop", 0, is_charge=False)
    assert standing_charge([mine, corrected, taken_back], SenderRules()) == corrected
    assert standing_charge([mine, corrected], SenderRules()) == mine
    elsewhere = charge(1, "shop", 0, is_charge=False)  # an adjustment of the first
    assert standing_charge([mine, corrected, elsewhere], SenderRules()) == mine


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_of_one_source_the_highest_revision_stands(items: list[tuple[int, int]]) -> None:
    """In whatever order it was booked, and of equal ones the first."""
    charges = [charge(at, "shop", revision) for at, revision in items]
    expected = min((one for one in charges if one.revision == max(r for _, r in items)), key=lambda one: one.booked_at)
    found = standing_charge(charges, RULES)
    assert found is not None
    assert (found.revision, found.booked_at) == (expected.revision, expected.booked_at)


def test_nothing_stands_without_a_charge() -> None:
    """Retention may have dropped it."""
    assert standing_charge([], RULES) is None
    assert standing_charge([charge(1, "shop", 0, is_charge=False)], RULES) is None
