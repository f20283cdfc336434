"""What is found out about a finding: who, by which factor, and whose it is; kept so that a restart knows it."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from stream_jobs.anomalies.cause import cause_of as shown
from stream_jobs.anomalies.causes import Cause, cause_of, explanation_of, first_set, shared_by, users_of
from stream_jobs.anomalies.evidence import OTHERS
from stream_jobs.anomalies.reading import DearRequest
from tests.unit.anomalies.telling_world import NOON, evidence, finding

CELLS = [
    ({"team": "search", "user_id": "alice", "model": "m", "owner": "mara"}, 1.0, 101.0),
    ({"team": "search", "user_id": "bob", "model": "m", "owner": "mara"}, 40.0, 42.0),
    ({"team": "ads", "user_id": "carol", "model": "n", "owner": "ben"}, 60.0, 58.0),
    ({"team": "ads", "user_id": "dave", "model": "m", "owner": "ben"}, 50.0, 51.0),
]
REQUEST = DearRequest("e 1", NOON + timedelta(minutes=3), Decimal(12), "m", "alice")


def test_the_cause_is_the_smallest_set_within_the_series() -> None:
    """Of the total and of the team it is alice; what goes the other way is no cause of a rise."""
    found = evidence(CELLS)
    for series in ({}, {"team": "search"}):
        row = finding("f", series)
        assert first_set(row, explanation_of(row, found)) == {"user_id": "alice"}
    fall = finding("f", direction="down")
    assert "alice" not in first_set(fall, explanation_of(fall, found)).values()


def test_it_is_kept_as_people_are_shown_it_and_a_restart_knows_it() -> None:
    """All of it but the table that it was made from."""
    found, row = evidence(CELLS), finding("f")
    explanation = explanation_of(row, found)
    cause = cause_of(row, found, explanation, {"user_id": "alice"}, [REQUEST])
    assert "alice" in cause.sentences[0]
    assert cause.sentences[-1] == (
        "the dearest request: $12.00 at 2026-11-24 12:03:00 UTC, model m, user alice: `spendstream event show 'e 1'`"
    )
    assert cause.shared == {"team": "search", "model": "m", "owner": "mara"}
    assert cause.excess_usd == 100
    kept = Cause.kept(cause.document, {})
    assert (kept.conditions, kept.sentences, kept.compared, kept.shared, kept.excess_usd) == (
        *(cause.conditions, cause.sentences, cause.compared, cause.shared, cause.excess_usd),
    )
    assert json.loads(cause.document)["explanation"]["decomposition"]["total"]
    known = shown(cause.document)
    assert known.sets[0].values == {"user_id": "alice"}
    assert [one.event_id for one in known.requests] == ["e 1"]


def test_where_nothing_stands_out_in_a_series_it_is_the_cause_itself() -> None:
    """With the factor that weighs most, and the values that hold most of it."""
    found, row = evidence(CELLS), finding("f", {"user_id": "alice"})
    said, largest = cause_of(row, found, explanation_of(row, found), {"user_id": "alice"}).sentences
    assert said.startswith("user alice, as a whole: +$100.00, most by the number of requests")
    assert largest == "largest parts: team search +$100.00 (100.0 %), model m +$100.00 (100.0 %)"


@pytest.mark.parametrize("document", ["", "{", "[]", "7", "{}", '{"conditions": 5}', '{"excess_usd": "x"}', "null"])
def test_what_is_kept_in_another_form_is_as_if_nothing_was(document: str) -> None:
    """It is looked for again."""
    assert Cause.kept(document, {"team": "x"}).conditions == {"team": "x"}


def test_users_are_named_who_moved_most_unless_it_is_one_users_series() -> None:
    """Whoever moved the other way is none of them, nor are those that were not read one by one."""
    found = evidence([*CELLS, ({"team": "search", "user_id": OTHERS, "model": "m", "owner": "mara"}, 0.0, 500.0)])
    assert [user for user, _ in users_of(finding("f"), found, {"team": "search"})] == ["alice", "bob"]
    assert users_of(finding("f"), found, {"user_id": "alice"}) == []


def test_what_nearly_all_of_it_has_in_common_says_whose_it_is() -> None:
    """A value with less than 95 % of the cost does not."""
    found = evidence(CELLS)
    assert shared_by(found, {"team": "search"}) == {"model": "m", "owner": "mara"}
    assert shared_by(found, {}) == {}


def test_a_small_request_is_not_told_of() -> None:
    """Unless the finding is a single request."""
    found, row = evidence(CELLS), finding("f")
    small = DearRequest("e2", NOON, Decimal("0.5"), "m", "")
    explanation = explanation_of(row, found)
    assert not any("dearest" in text for text in cause_of(row, found, explanation, {}, [small]).sentences)
    single = finding("f", kind="dear_request")
    assert "dearest request: $0.500" in cause_of(single, found, explanation, {}, [small]).sentences[-1]


def test_whose_series_it_is_is_the_first_part_of_its_cause() -> None:
    """What stands out within it comes behind it, in the same name."""
    cells = [*CELLS, ({"team": "search", "user_id": "alice", "model": "n", "owner": "mara"}, 30.0, 31.0)]
    found, row = evidence(cells), finding("f", {"user_id": "alice"})
    explanation = explanation_of(row, found)
    assert first_set(row, explanation) == {"model": "m"}
    said = cause_of(row, found, explanation, {"user_id": "alice", "model": "m"}).sentences
    assert said[0].startswith("user_id alice and model m: +$100.00 of +$101.00 (99.0 %)")


def test_what_moved_no_farther_than_its_series_is_no_cause_of_it() -> None:
    """A user who stays mostly where he always was: it is he, and that is the largest part."""
    cells = [
        ({"user_id": "alice", "environment": "production", "model": "m"}, 1.0, 92.0),
        ({"user_id": "alice", "environment": "staging", "model": "m"}, 0.0, 10.0),
        *CELLS[1:],
    ]
    found, row = evidence(cells), finding("f", {"user_id": "alice"})
    explanation = explanation_of(row, found)
    assert first_set(row, explanation) == {}
    assert cause_of(row, found, explanation, {"user_id": "alice"}).sentences[0].startswith("user alice, as a whole: +")
