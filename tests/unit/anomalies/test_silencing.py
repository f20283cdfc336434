"""Planned events silence what they explain, and nothing beyond that."""

from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.anomalies.silencing import dimensions_of, explains, planned_for, silenced_by
from stream_jobs.planned.document import EventsDocument
from stream_jobs.planned.events import PlannedEvents
from tests.unit.anomalies.telling_world import HOUR, NOON, evidence, finding

UNTIL = NOON + HOUR
NOTHING = (Decimal(0), ())
LAUNCH = {"id": "launch", "name": "Launch", "scope": {"team": "search"}, "from": "2026-11-24", "to": "2026-11-25"}
CELLS = [
    ({"team": "search", "user_id": "alice"}, 4.0, 50.0),
    ({"team": "search", "user_id": "bob"}, 4.0, 56.0),
    ({"team": "ads", "user_id": "carol"}, 2.0, 4.0),
]


def planned(*events: dict[str, Any]) -> PlannedEvents:
    return PlannedEvents(EventsDocument.model_validate({"events": events}))


@pytest.mark.parametrize(("factor", "silent"), [("11", True), ("8", True), ("5", False), ("1", False), ("0", False)])
def test_a_series_of_the_scope_may_move_up_to_the_factor(factor: str, silent: bool) -> None:
    """$110 instead of $10, and up to $15 would be nothing unusual: a factor of 8 explains up to $120."""
    events = planned(LAUNCH | {"factor": factor})
    row = finding("f", {"team": "search"})
    amount, by = planned_for(row, UNTIL, events, None)
    assert explains(row, amount) == silent
    assert [event.id for event in by] == (["launch"] if float(factor) > 1 else [])


def test_a_fall_is_explained_by_a_factor_below_one() -> None:
    """Maintenance: nothing at all is expected; a rise is not."""
    events = planned(LAUNCH | {"factor": "0"})
    row = finding("f", {"team": "search"}, direction="down")
    assert explains(row, planned_for(row, UNTIL, events, None)[0])
    assert not explains(row, planned_for(row, UNTIL, planned(LAUNCH | {"factor": "3"}), None)[0])


def test_what_holds_in_a_part_explains_as_much_of_the_whole() -> None:
    """A launch in search silences the total, and a user of search, by what the entries say; a user of ads it does
    not."""
    events = planned(LAUNCH | {"factor": "20"})
    found = evidence(CELLS)
    total, alice, carol = finding("t"), finding("a", {"user_id": "alice"}), finding("c", {"user_id": "carol"})
    amount, by = planned_for(total, UNTIL, events, found)
    assert amount == pytest.approx(Decimal(98))
    assert silenced_by(by) == "event:launch"
    assert explains(total, amount)
    assert explains(alice, planned_for(alice, UNTIL, events, found)[0])
    assert planned_for(carol, UNTIL, events, found) == NOTHING
    assert planned_for(total, UNTIL, events, None) == NOTHING  # nobody knows what it holds


def test_what_exceeds_the_factor_is_told_though_the_event_is_named() -> None:
    """Three times was planned, thirteen times it was."""
    total = finding("t")
    amount, by = planned_for(total, UNTIL, planned(LAUNCH | {"factor": "3"}), evidence(CELLS))
    assert amount == pytest.approx(Decimal(16))
    assert not explains(total, amount)
    assert [event.id for event in by] == ["launch"]


def test_what_goes_on_beyond_the_factor_is_told_though_all_was_planned_at_first() -> None:
    """The stretch was read when search had twelve times its usual; of what came since no more than the factor allows
    is planned, though the finding's share of it was all of it then."""
    events = planned(LAUNCH | {"factor": "14"})
    found = evidence([({"team": "search"}, 8.0, 100.0), ({"team": "ads"}, 2.0, 2.0)])
    at_first = finding("t", actual=Decimal(102))
    later = finding("t", actual=Decimal(3000), expected=Decimal(20), high=Decimal(30))
    assert explains(at_first, planned_for(at_first, UNTIL, events, found)[0])
    amount, by = planned_for(later, UNTIL, events, found)
    assert amount == pytest.approx(Decimal(208))  # 13 times the 16 of 20 that are of search
    assert not explains(later, amount)
    assert [event.id for event in by] == ["launch"]


def test_an_event_of_another_time_explains_nothing() -> None:
    """Nor one that has ended for the most part of the stretch."""
    row = finding("f", {"team": "search"})
    events = planned(LAUNCH | {"factor": "11", "from": "2026-11-24T13:00", "to": "2026-11-25"})
    assert planned_for(row, UNTIL, events, evidence(CELLS)) == NOTHING
    early = planned(LAUNCH | {"factor": "11", "from": "2026-11-24T10:00", "to": "2026-11-24T12:15"})
    assert not explains(row, planned_for(row, UNTIL, early, None)[0])


def test_what_has_to_be_read_for_them_are_the_fields_of_their_scopes() -> None:
    """Each once, labels too."""
    events = planned(
        LAUNCH | {"factor": "2"}, LAUNCH | {"id": "b", "factor": "2", "scope": {"labels.x": "y", "team": "z"}}
    )
    assert dimensions_of(tuple(events)) == ["team", "labels.x"]


def test_a_driver_is_no_usage() -> None:
    """Three times the usage is planned, not three times the tokens of a request."""
    row = finding("f", {"team": "search"}, measure="tokens_per_request")
    assert planned_for(row, UNTIL, planned(LAUNCH | {"factor": "11"}), None) == NOTHING


NEW = [({"feature": "agent", "user_id": "eve"}, 0.0, 90.0), ({"feature": "chat", "user_id": "bob"}, 10.0, 12.0)]


@pytest.mark.parametrize(("usd", "silent"), [("500", True), ("100", True), ("30", False)])
@pytest.mark.parametrize("series", [{}, {"feature": "agent"}, {"user_id": "eve"}])
def test_what_is_new_is_planned_in_money(series: dict[str, str], usd: str, silent: bool) -> None:
    """Of nothing a factor makes nothing: the launch of a feature is silenced up to so many USD, on every level."""
    event = {**LAUNCH, "scope": {"feature": "agent"}, "up_to_usd": usd}
    usual = Decimal(10) if not series else Decimal(0)
    row = finding("f", series, expected=usual, actual=usual + 90, low=usual / 2, high=usual + 5)
    amount, by = planned_for(row, UNTIL, planned(event), evidence(NEW))
    assert explains(row, amount, by) == silent
    assert [one.id for one in by] == ["launch"]
    nothing = planned({**event, "up_to_usd": None, "factor": "900"} | {"up_to_usd": "0.000001"})
    assert not explains(row, *planned_for(row, UNTIL, nothing, evidence(NEW)))


def test_money_that_is_planned_makes_the_band_no_wider() -> None:
    """What goes beyond it is told, however little was usual; a fall it does not explain."""
    events = planned({**LAUNCH, "up_to_usd": "5"})
    row = finding("f", {"team": "search"}, expected=Decimal("0.001"), actual=Decimal(50), high=Decimal("0.9"))
    assert not explains(row, *planned_for(row, UNTIL, events, None))
    fall = finding("f", {"team": "search"}, direction="down")
    assert not explains(fall, *planned_for(fall, UNTIL, events, None))


@pytest.mark.parametrize(("usd", "silent"), [("500", True), ("100", True), ("30", False)])
@pytest.mark.parametrize("series", [{}, {"feature": "agent"}])
def test_a_purchase_is_expected_up_to_its_amount(series: dict[str, str], usd: str, silent: bool) -> None:
    """On its day; a purchase of the day before explains nothing."""
    bought = {"id": "seats", "name": "Seats", "scope": {"feature": "agent"}, "adds_usd": usd}
    usual = Decimal(10) if not series else Decimal(0)
    row = finding("f", series, expected=usual, actual=usual + 90, low=usual / 2, high=usual + 5)
    for when in ({"from": "2026-11-24"}, {"every": {"days": [24]}}):
        assert explains(row, *planned_for(row, UNTIL, planned(bought | when), evidence(NEW))) == silent
    assert planned_for(row, UNTIL, planned(bought | {"from": "2026-11-23"}), evidence(NEW)) == NOTHING
