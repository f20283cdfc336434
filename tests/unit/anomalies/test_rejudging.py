"""Once minutes were judged again, what is found is what would have been found had everything come in time."""

import random
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stream_jobs.anomalies.model import FindingRow, Series
from stream_jobs.anomalies.rejudging import BACK_MINUTES, Fresh
from stream_jobs.anomalies.rows import Late, Rows
from stream_jobs.completeness.watermark import minute_of, start_of
from stream_jobs.detection.model import Finding
from tests.unit.anomalies.test_watch import (
    AT,
    BEGIN,
    LENGTH,
    SPIKE,
    USAGE,
    begin,
    facts,
    learned,
    row,
    take,
)

USD = 10**12


def of_minute(minute: int) -> list[int]:
    return [number for number, one in enumerate(USAGE) if one["minute"] == start_of(minute)]


class World:
    """A job that goes on from `learned`, told of USAGE bit by bit."""

    def __init__(self) -> None:
        self.watch = begin(learned())
        self.watch.rows.settle(AT - 1, BEGIN)
        self.came: list[dict[str, Any]] = []
        self.last: dict[str, FindingRow] = {}

    def add(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.came += rows
            self.watch.add(facts(rows))

    def judge(self) -> None:
        now = start_of(self.watch.next + 1)
        take(self.last, [*self.watch.judge(now), *self.watch.amend(now)])

    def again(self, snapshot: dict[str, Any]) -> None:
        """As Start.again does it, with a ledger that is a list."""
        now = start_of(self.watch.next)
        take(self.last, self.watch.amend(now))
        watch = begin(snapshot)
        watch.add(facts([one for one in self.came if one["minute"] >= start_of(watch.next)]))
        since = watch.next
        while watch.next < self.watch.next:
            watch.judge(now)
        watch.follows(self.watch, since, now)
        self.watch = watch
        take(self.last, watch.rows.settle(watch.next - 1, now))


def standing(world: World) -> set[tuple[Series, Finding]]:
    """But for when it was detected, and what was taken back."""
    found = [one for one in world.watch.rows.all.values() if one.found.closing != "corrected"]
    assert {one.finding_id for one in found} <= world.last.keys()
    return {(one.series, replace(one.found, detected_at=0)) for one in found}


@cache
def undisturbed() -> set[tuple[Series, Finding]]:
    world = World()
    for minute in range(AT, AT + LENGTH):
        world.add([USAGE[number] for number in of_minute(minute)])
        world.judge()
    return standing(world)


@pytest.mark.slow
@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.3, 0.9]), st.integers(0, 40), st.integers(0, LENGTH - 1))
@settings(max_examples=6, derandomize=True, phases=[Phase.generate])
def test_whatever_comes_late_the_same_is_found_in_the_end(seed: int, share: float, most: int, midway: int) -> None:
    """Some of the usage of every minute comes up to `most` minutes late, and minutes are judged again on the way."""
    rng = random.Random(seed)
    comes: dict[int, list[dict[str, Any]]] = {}
    for number, one in enumerate(USAGE):
        late = rng.randint(0, most) if rng.random() < share else 0
        comes.setdefault(AT + number // 10 + late, []).append(one)
    world = World()
    for minute in range(AT, AT + LENGTH):
        world.add(comes.pop(minute, []))
        world.judge()
        if minute == AT + midway:
            world.again(learned())
    for rows in comes.values():
        world.add(rows)
    world.again(learned())
    assert standing(world) == undisturbed()
    open_now = [(one.series, one.direction, one.kind) for one in world.last.values() if one.state == "open"]
    assert len(set(open_now)) == len(open_now)


def test_a_silence_whose_events_were_only_late_is_taken_back() -> None:
    """And what was told of it says so."""
    world = World()
    for _ in range(LENGTH):
        world.judge()
    down = {one.finding_id for one in world.last.values() if one.direction == "down"}
    assert down
    world.add(USAGE)
    world.again(learned())
    assert {world.last[one].closing for one in down} == {"corrected"}
    assert all(world.last[one].state == "closed" for one in down)
    assert standing(world) == undisturbed()


def test_a_rise_that_only_late_events_show_is_found() -> None:
    """Nobody was told of it before."""
    world = World()
    late = [one for one in USAGE if one["user_id"] == "u1" and one["minute"] >= start_of(AT + SPIKE.start)]
    for minute in range(AT, AT + LENGTH):
        world.add([one for one in USAGE if one["minute"] == start_of(minute) and one not in late])
        world.judge()
    assert not any(one.direction == "up" for one in world.last.values())
    world.add(late)
    world.again(learned())
    assert standing(world) == undisturbed()


def test_a_burst_that_came_late_is_noticed_now_and_goes_on_no_more() -> None:
    """Twenty dollars of one minute, half an hour late: nobody could notice them then, and nothing has come since."""
    world = World()
    snapshot = world.watch.dump()
    for minute in range(AT, AT + LENGTH - 5):
        if minute - AT not in SPIKE:
            world.add([USAGE[number] for number in of_minute(minute)])
        world.judge()
    before = set(world.last)
    world.add([row(AT + 5, Decimal("0.4"), "u2") for _ in range(50)])
    world.again(snapshot)
    upto = start_of(AT + LENGTH - 5)
    (found,) = (
        one
        for one in world.last.values()
        if one.finding_id not in before and one.direction == "up" and one.series.name == "user_id=u2"
    )
    assert (found.starts_at, found.detected_at) == (start_of(AT + 5), upto)
    assert found.is_calm or found.ends_at == start_of(AT + 6)
    assert found.went_on_until <= start_of(AT + 7)
    for _ in range(3):
        world.add([USAGE[number] for number in of_minute(world.watch.next)])
        world.judge()
    assert world.last[found.finding_id].detected_at == upto


def test_a_finding_goes_on_under_the_id_that_people_know() -> None:
    """Also where it would have been detected at another time, and it does not say that it was."""
    world = World()
    late = [number for minute in SPIKE for number in of_minute(AT + minute)[:5]]
    for minute in range(AT, AT + LENGTH):
        world.add([USAGE[number] for number in of_minute(minute) if number not in late])
        world.judge()
    told = {one.series: one for one in world.last.values() if one.direction == "up" and one.kind != "dear_request"}
    assert told
    world.add([USAGE[number] for number in late])
    world.again(learned())
    for series, one in told.items():
        after = world.last[one.finding_id]
        assert (after.series, after.detected_at) == (series, one.detected_at)
        assert after.closing != "corrected"
        assert after.actual > one.actual


def test_what_was_taken_back_is_found_again_under_its_id() -> None:
    """When what was retracted comes once more."""
    world = World()
    for minute in range(AT, AT + LENGTH):
        world.add([USAGE[number] for number in of_minute(minute)])
        world.judge()
    dear = [one for one in USAGE if one["user_id"] == "u1"]
    signs = ("events", "effective_cost", "cost_squares")
    back = [one | {name: -one[name] for name in signs} for one in dear]
    told = {one.finding_id for one in world.last.values() if one.series.name == "user_id=u1" and one.direction == "up"}
    world.add(back)
    world.again(learned())
    assert {world.last[one].closing for one in told} == {"corrected"}
    world.add(dear)
    world.again(learned())
    assert standing(world) == undisturbed()
    assert all(world.last[one].closing != "corrected" for one in told)


def test_what_came_late_before_is_known_to_findings_that_stay() -> None:
    """Only minutes that were judged again hold it by themselves."""
    world = World()
    for minute in range(AT, AT + 20):
        world.add([USAGE[number] for number in of_minute(minute)])
        world.judge()
    of_u1 = [one for one in world.last.values() if one.state == "open" and one.series.name == "user_id=u1"]
    rise = max(of_u1, key=lambda one: one.excess)
    world.add([row(minute_of(rise.starts_at), Decimal(1), "u1")])
    take(world.last, world.watch.amend(start_of(AT + 20)))
    assert Decimal(str(world.last[rise.finding_id].document["late_usd"])) == 1
    snapshot = world.watch.dump()
    for minute in range(AT + 20, AT + 30):
        world.add([USAGE[number] for number in of_minute(minute)])
        world.judge()
    before = world.last[rise.finding_id]
    world.again(snapshot)
    assert replace(world.last[rise.finding_id], version=before.version, at=before.at) == before


@pytest.mark.parametrize(
    ("late", "usual", "worth"),
    [
        (Late(2 * USD, 3), 10.0, True),
        (Late(-2 * USD, -3), 10.0, True),
        (Late(2 * USD, 3), 100.0, False),  # a small part of what it spends
        (Late(USD // 2, 3), 0.0, False),  # less than anybody is told of
    ],
)
def test_minutes_are_judged_again_for_what_may_matter(late: Late, usual: float, worth: bool) -> None:
    """Of a series without a finding: money."""
    fresh = Fresh()
    fresh.add(Series(), AT, late)
    assert fresh.matters(Rows(), 1.0, {Series(): usual}) == worth


def test_little_matters_where_it_is_much_of_a_finding() -> None:
    """It is not told of for its money alone."""
    world = World()
    for minute in range(AT, AT + 20):
        world.add([USAGE[number] for number in of_minute(minute)])
        world.judge()
    assert world.watch.worth_again(1e6) is None
    excess = max(one.excess for one in world.last.values() if one.series == Series())
    world.add([row(AT + 15, (excess / 5).quantize(Decimal("1e-12")), "u1")])
    assert world.watch.worth_again(1e6) == AT + 15


def test_what_is_too_long_ago_is_not_judged_again() -> None:
    """A snapshot that does not know of what came late before it is of no use either."""
    fresh = Fresh()
    fresh.add(Series(), AT, Late(USD, 1))
    fresh.add(Series(), AT + 9, Late(USD, 1))
    fresh.forget(AT + 5)
    assert fresh.first == AT + 9
    fresh.judged_again(AT + 9, BEGIN)
    again = Fresh.restore(fresh.dump())
    assert again.first is None
    assert again.usable(AT + 9, start_of(AT))
    assert again.usable(AT + 10, BEGIN)
    assert not again.usable(AT + 10, start_of(AT - 1))
    assert BACK_MINUTES > LENGTH
