"""Which events hold for whom and when, and how much they expect."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.planned.document import EventsDocument
from stream_jobs.planned.events import NOTHING, PlannedEvents

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def planned(*events: dict[str, Any], timezone: str = "UTC") -> PlannedEvents:
    named = [{"id": f"e{number}", "name": "E"} | event for number, event in enumerate(events)]
    return PlannedEvents(EventsDocument.model_validate({"timezone": timezone, "events": named}))


LAUNCH = {"scope": {"team": "search"}, "from": "2026-12-01T12:00", "to": "2026-12-01T14:00", "factor": "3"}


def test_an_event_concerns_those_of_whom_its_scope_is_known() -> None:
    """A series of a user says nothing of a team; the empty scope is about all."""
    events = planned(LAUNCH)
    assert events.at({"team": "search"}, NOON).most == 3
    assert events.at({"team": "search", "model": "m"}, NOON).events[0].id == "e0"
    assert events.at({"team": "ads"}, NOON) == NOTHING
    assert events.at({"user_id": "u1"}, NOON) == NOTHING
    assert events.at({}, NOON) == NOTHING
    assert planned(LAUNCH | {"scope": {}}).at({"user_id": "u1"}, NOON).most == 3
    none_of = planned(LAUNCH | {"scope": {"team": {"none_of": ["ads"]}}})
    assert none_of.at({"user_id": "u1"}, NOON) == NOTHING


def test_it_holds_from_its_first_instant_to_the_one_before_its_end() -> None:
    """Half-open, like every stretch here."""
    events = planned(LAUNCH)
    facts = {"team": "search"}
    assert events.at(facts, NOON - timedelta(microseconds=1)) == NOTHING
    assert events.at(facts, NOON).most == 3
    assert events.at(facts, NOON + 2 * HOUR) == NOTHING


def test_a_part_of_a_stretch_counts_by_its_share_and_several_are_multiplied() -> None:
    """An hour of four at three times the usual is one and a half times the usual."""
    facts = {"team": "search"}
    assert planned(LAUNCH).over(facts, NOON - 2 * HOUR, NOON + 2 * HOUR).most == pytest.approx(2.0)
    twice = planned(LAUNCH, LAUNCH | {"factor": "0.5"})
    found = twice.over(facts, NOON, NOON + HOUR)
    assert (found.least, found.most) == pytest.approx((0.5, 3.0))
    assert [event.id for event in found.events] == ["e0", "e1"]


def test_maintenance_comes_again_by_the_clock_of_its_zone() -> None:
    """On Sundays at two, also in the week in which the clocks change; over midnight, too."""
    nights = planned(
        {"every": {"weekdays": ["sunday"], "at": "22:00", "lasts": "4h"}, "factor": "0"}, timezone="Europe/Berlin"
    )
    (event,) = nights
    found = nights.stretches(event, datetime(2026, 10, 17, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC))
    assert [(start.day, start.hour, (end - start) / HOUR) for start, end in found] == [(18, 20, 4), (25, 21, 4)]
    assert nights.at({}, datetime(2026, 10, 18, 23, 59, tzinfo=UTC)).least == 0
    assert nights.at({}, datetime(2026, 10, 19, 0, 0, tzinfo=UTC)) == NOTHING
    month_end = planned({"every": {"days": [31], "at": "00:00", "lasts": "1d"}, "factor": "2"})
    assert [
        start.month
        for start, _ in month_end.stretches(
            next(iter(month_end)), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
        )
    ] == [1, 3, 5]


def test_one_that_lasts_until_the_next_begins_is_one_stretch() -> None:
    """Its parts are never counted twice."""
    always = planned({"every": {"at": "06:00", "lasts": "30h"}, "factor": "2", "to": "2026-12-03"})
    (event,) = always
    assert always.stretches(event, NOON, NOON + 72 * HOUR) == [(NOON, datetime(2026, 12, 3, tzinfo=UTC))]
    assert always.during(NOON, NOON + HOUR) == (event,)
    assert always.at({}, NOON).most == 2


def test_what_lasts_for_good_is_planned_until_it_is_the_usual() -> None:
    """Two weeks: a detector has learned the level by then."""
    events = planned({"from": "2026-12-01T12:00", "factor": "0.6"})
    (event,) = events
    assert event.lasting
    assert events.stretches(event, NOON - HOUR, NOON + 9_999 * HOUR) == [(NOON, NOON + 14 * 24 * HOUR)]
    assert events.at({}, NOON + 14 * 24 * HOUR) == NOTHING


def test_a_purchase_is_awaited_for_a_day_up_to_its_amount() -> None:
    """The day on which the clocks change has 25 hours; what is spread over time is awaited as it comes."""
    events = planned({"from": "2026-10-25", "adds_usd": "100"}, timezone="Europe/Berlin")
    (event,) = events
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert events.stretches(event, midnight - HOUR, midnight + 99 * HOUR) == [(midnight, midnight + 25 * HOUR)]
    assert events.allowed_usd(event, midnight + HOUR, midnight + 2 * HOUR) == 100
    assert events.allowed_usd(event, midnight + 25 * HOUR, midnight + 26 * HOUR) == 0
    spread = planned({"from": "2026-12-01T12:00", "to": "2026-12-01T16:00", "adds_usd": "100", "up_to_usd": "7"})
    (event,) = spread
    assert spread.allowed_usd(event, NOON + HOUR, NOON + 2 * HOUR) == 32
    assert spread.allowed_usd(event, NOON - 9 * HOUR, NOON + 99 * HOUR) == 107


@given(
    start=st.integers(-200, 200), length=st.integers(1, 400), factor=st.sampled_from(["0", "0.25", "1", "4"]),
    lasts=st.integers(1, 50), hour=st.integers(0, 23),
)  # fmt: skip
def test_what_is_expected_of_a_stretch_is_the_mean_of_its_parts(
    start: int, length: int, factor: str, lasts: int, hour: int
) -> None:
    """However it is cut, and always between the usual and the factor."""
    events = planned({"every": {"at": f"{hour:02}:30", "lasts": f"{lasts}h"}, "factor": factor})
    begin, end = NOON + start * HOUR, NOON + (start + length) * HOUR
    whole = events.over({}, begin, end)
    assert min(1.0, float(factor)) - 1e-9 <= whole.least <= 1.0 <= whole.most <= max(1.0, float(factor)) + 1e-9
    middle = begin + (length // 2) * HOUR
    if middle > begin:
        one, two = events.over({}, begin, middle), events.over({}, middle, end)
        share = (middle - begin) / (end - begin)
        assert one.most * share + two.most * (1 - share) == pytest.approx(whole.most)
        assert one.least * share + two.least * (1 - share) == pytest.approx(whole.least)


def test_the_version_is_of_what_is_said() -> None:
    """Short forms and comments change nothing."""
    assert planned(LAUNCH).version == planned(LAUNCH | {"scope": {"team": {"any_of": ["search"]}}}).version
    assert planned(LAUNCH).version != planned(LAUNCH | {"factor": "4"}).version
