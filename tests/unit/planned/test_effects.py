"""What events do to a series, cell by cell: against adding up minute by minute."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas.scope import Condition
from stream_jobs.planned.document import EventsDocument
from stream_jobs.planned.effects import MOST, effects_of, lasting, partly
from stream_jobs.planned.events import PlannedEvents

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SEARCH = {"team": Condition(any_of=("search",))}
ADS = {"team": Condition(any_of=("ads",))}
LAUNCH = {"scope": {"team": "search"}, "from": "2026-12-01T12:30", "to": "2026-12-01T14:00", "factor": "3"}


def planned(*events: dict[str, Any], timezone: str = "UTC") -> PlannedEvents:
    named = [{"id": f"e{number}", "name": "E"} | event for number, event in enumerate(events)]
    return PlannedEvents(EventsDocument.model_validate({"timezone": timezone, "events": named}))


def hours(start: datetime, count: int) -> list[datetime]:
    return [start + number * HOUR for number in range(count + 1)]


def days(first: date, count: int, zone: ZoneInfo = BERLIN) -> list[datetime]:
    dates = [first + timedelta(days=number) for number in range(count + 1)]
    return [datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in dates]


def test_over_which_part_of_each_cell_an_event_lasts() -> None:
    """By its time; one that is for good is no event but a level."""
    events = planned(LAUNCH, {"from": "2026-12-01T12:30", "factor": "2"})
    first, for_good = events
    assert lasting(events, first, hours(NOON, 3)).tolist() == [0.5, 1.0, 0.0]
    assert lasting(events, for_good, hours(NOON, 3)).tolist() == [0.0, 0.0, 0.0]


def test_an_event_that_begins_within_a_cell_counts_there_by_its_time() -> None:
    """Half an hour of three times the usual makes an hour of twice the usual."""
    found = effects_of(planned(LAUNCH), SEARCH, hours(NOON - HOUR, 4))
    assert found.factor.tolist() == [1, 2, 3, 1]
    assert found.usd.tolist() == [0, 0, 0, 0]
    assert [event.id for event in found.events] == ["e0"]


def test_the_total_moves_by_the_part_that_the_scope_has_of_it_and_another_team_not_at_all() -> None:
    """Where nobody gives the part, the event is left out and named."""
    events, edges = planned(LAUNCH), hours(NOON, 2)
    assert effects_of(events, {}, edges, {"e0": 0.25}).factor.tolist() == [1.25, 1.5]
    unknown = effects_of(events, {}, edges)
    assert (unknown.factor.tolist(), unknown.events) == ([1, 1], ())
    assert [event.id for event in unknown.unweighed] == ["e0"]
    assert [event.id for event in partly(events, {}, edges[0], edges[-1])] == ["e0"]
    assert partly(events, SEARCH, edges[0], edges[-1]) == partly(events, ADS, edges[0], edges[-1]) == ()
    assert partly(events, {}, edges[-1], edges[-1] + HOUR) == ()
    other = effects_of(events, ADS, edges, {"e0": 0.25})
    assert (other.factor.tolist(), other.events, other.unweighed) == ([1, 1], (), ())


def test_what_lasts_for_good_holds_to_the_end_however_far() -> None:
    """The level after it is 0.6 of the level before, in history too."""
    events = planned({"from": "2026-12-01T13:00", "factor": "0.6"})
    assert effects_of(events, ADS, hours(NOON, 3)).factor == pytest.approx([1, 0.6, 0.6])
    late = effects_of(events, ADS, hours(NOON + 9_999 * HOUR, 2))
    assert late.factor == pytest.approx([0.6, 0.6])


def test_a_purchase_is_all_in_its_cell_and_a_spread_one_in_each_by_its_time() -> None:
    """Of the total, too, whatever part the team has of it; of a model it is not known."""
    bought = {"scope": {"team": "search"}, "from": "2026-12-01T13:00", "adds_usd": "12000"}
    for series in (SEARCH, {}):
        found = effects_of(planned(bought), series, hours(NOON, 3))
        assert (found.usd.tolist(), found.factor.tolist()) == ([0, 12_000, 0], [1, 1, 1])
        assert len(found.events) == 1
    for series in (ADS, {"model": Condition(any_of=("m",))}):
        assert effects_of(planned(bought), series, hours(NOON, 3)).usd.tolist() == [0, 0, 0]
    spread = planned(bought | {"to": "2026-12-01T15:30"})
    assert effects_of(spread, SEARCH, hours(NOON, 2)).usd == pytest.approx([0, 4800])


def test_a_migration_that_costs_something_does_both() -> None:
    """A factor for good and what is paid for it once."""
    events = planned({"from": "2026-12-01T13:00", "factor": "0.5", "adds_usd": "700"})
    found = effects_of(events, {}, hours(NOON, 3))
    assert (found.factor.tolist(), found.usd.tolist()) == ([1, 0.5, 0.5], [0, 700, 0])


def test_a_subscription_comes_on_the_first_of_each_month_by_the_clock_of_its_zone() -> None:
    """Also in leap Februaries; one from the middle of the first day on comes in the next month."""
    seats = {"every": {"days": [1]}, "adds_usd": "1900", "from": "2028-01-01T09:00"}
    found = effects_of(planned(seats, timezone="Europe/Berlin"), {}, days(date(2028, 1, 1), 92))
    assert [date(2028, 1, 1) + timedelta(days=int(day)) for day in np.flatnonzero(found.usd)] == [
        date(2028, 2, 1),
        date(2028, 3, 1),
        date(2028, 4, 1),
    ]
    leap = planned({"every": {"days": [29]}, "adds_usd": "5"}, timezone="Europe/Berlin")
    assert effects_of(leap, {}, days(date(2028, 2, 28), 3)).usd.tolist() == [0, 5, 0]
    assert effects_of(leap, {}, days(date(2027, 2, 27), 3)).usd.tolist() == [0, 0, 0]


def test_days_in_which_the_clocks_change_are_as_long_as_they_are() -> None:
    """Six hours from midnight on are a quarter of most days, of 23 hours and of 25 another part."""
    night = {"every": {"at": "00:00", "lasts": "6h"}, "factor": "0"}
    events = planned(night, timezone="Europe/Berlin")
    assert effects_of(events, {}, days(date(2026, 3, 28), 2)).factor == pytest.approx([18 / 24, 17 / 23])
    assert effects_of(events, {}, days(date(2026, 10, 24), 2)).factor == pytest.approx([18 / 24, 19 / 25])


def test_factors_of_many_events_stay_finite_and_nothing_is_negative() -> None:
    """Whatever people write."""
    huge = planned(*[{"from": "2026-12-01", "to": "2026-12-02", "factor": "1000"}] * 200)
    assert effects_of(huge, {}, hours(NOON, 1)).factor.tolist() == [MOST]
    none = planned({"from": "2026-12-01T12:00", "to": "2026-12-01T12:07", "factor": "0"}, LAUNCH)
    assert effects_of(none, {}, [NOON, NOON + timedelta(minutes=7), NOON + HOUR]).factor[0] == 0
    assert effects_of(none, {}, []).factor.shape == effects_of(none, {}, [NOON]).usd.shape == (0,)
    with pytest.raises(ValueError, match="must rise"):
        effects_of(none, {}, [NOON, NOON])


EVENT = st.fixed_dictionaries(
    {"factor": st.sampled_from(["0", "0.5", "1", "3"]), "adds_usd": st.sampled_from(["1", "250.5"])},
) | st.just({"factor": "2"})
WHEN = st.builds(
    lambda start, length: {
        "from": (NOON + start * timedelta(minutes=20)).isoformat(),
        **({} if length is None else {"to": (NOON + (start + length) * timedelta(minutes=20)).isoformat()}),
    },
    st.integers(-300, 300),
    st.integers(1, 300) | st.none(),
) | st.builds(
    lambda hour, lasts, weekdays: {"every": {"at": f"{hour:02}:20", "lasts": f"{lasts}h", "weekdays": weekdays}},
    st.integers(0, 23),
    st.integers(1, 40),
    st.sampled_from([[], ["sunday"], ["monday", "tuesday"]]),
)


@pytest.mark.slow
@settings(deadline=None)
@given(
    events=st.lists(st.builds(lambda event, when: event | when, EVENT, WHEN), max_size=3),
    first=st.dates(date(2026, 10, 20), date(2026, 12, 3)),
    count=st.integers(1, 12),
    share=st.floats(0, 1),
)
def test_days_are_the_means_and_sums_of_their_hours(
    events: list[dict[str, Any]], first: date, count: int, share: float
) -> None:
    """However time is cut, over nights in which the clocks change too; outside of events exactly 1 and 0."""
    known = planned(*[event | {"scope": {"team": "search"}} for event in events], timezone="Europe/Berlin")
    shares = {event.id: share for event in known}
    daily_edges = days(first, count)
    fine_edges = [
        daily_edges[0] + number * timedelta(minutes=20)
        for number in range(int((daily_edges[-1] - daily_edges[0]) / timedelta(minutes=20)) + 1)
    ]
    daily, fine = effects_of(known, {}, daily_edges, shares), effects_of(known, {}, fine_edges, shares)
    where = np.searchsorted([at.timestamp() for at in fine_edges], [at.timestamp() for at in daily_edges])
    for day, (one, two) in enumerate(pairwise(where)):
        assert daily.factor[day] == pytest.approx(fine.factor[one:two].mean())
        assert daily.usd[day] == pytest.approx(fine.usd[one:two].sum())
        held = any(known.stretches(event, daily_edges[day], daily_edges[day + 1]) or event.lasting for event in known)
        assert held or (daily.factor[day] == 1 and daily.usd[day] == 0)
    assert np.isfinite(daily.factor).all()
    assert (daily.factor >= 0).all()
    by_hand = np.ones(len(fine_edges) - 1)
    for event in known:
        for cell, at in enumerate(fine_edges[:-1]):
            begun = event.lasting and event.from_ is not None and at >= event.from_
            if begun or (not event.lasting and known.stretches(event, at, at + timedelta(minutes=1))):
                by_hand[cell] *= 1 + share * (float(event.factor) - 1)
    assert fine.factor == pytest.approx(by_hand)
