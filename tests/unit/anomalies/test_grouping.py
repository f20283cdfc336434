"""Findings of one cause are one group, whatever the levels, and no others are."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.anomalies.evidence import Evidence
from stream_jobs.anomalies.grouping import (
    Group,
    home,
    home_by_name,
    home_of_series,
    in_order,
    lies_within,
    settle,
    share,
)
from stream_jobs.anomalies.model import EVENTS, FindingRow, Series
from tests.unit.anomalies.telling_world import HOUR, NOON, evidence, finding

# alice, of team search, asks model m for feature chat, and runs away; the rest is as usual.
RUNAWAY = evidence(
    [
        ({"team": "search", "user_id": "alice", "model": "m", "feature": "chat"}, 1, 101),
        ({"team": "search", "user_id": "bob", "model": "m", "feature": "chat"}, 10, 11),
        ({"team": "ads", "user_id": "carol", "model": "n", "feature": "copy"}, 20, 22),
        ({"team": "ads", "user_id": "dave", "model": "m", "feature": "copy"}, 5, 9),
    ]
)


def group_of(row: FindingRow, conditions: dict[str, str]) -> Group:
    return Group(row.finding_id, row.direction, conditions, {row.finding_id: row})


ALICE = finding("a", {"user_id": "alice"})


@pytest.mark.parametrize(
    ("series", "together"),
    [
        ({}, True),
        ({"team": "search"}, True),
        ({"model": "m"}, True),
        ({"feature": "chat"}, True),
        ({"team": "search", "model": "m"}, True),
        ({"user_id": "dave"}, False),
        ({"team": "ads"}, False),
        ({"model": "n"}, False),
        ({"region": "eu"}, False),
    ],
)
def test_a_finding_belongs_to_the_cause_that_holds_most_of_its_excess(series: dict[str, str], together: bool) -> None:
    """On every level, of cost and of requests; of what the stretch tells nothing of, it says nothing."""
    group = group_of(ALICE, {"user_id": "alice"})
    for measure in ("effective_cost", EVENTS):
        row = finding("b", series, measure=measure)
        assert (home(row, [group], RUNAWAY) is group) == together


def test_the_same_thing_from_nearer_or_from_farther_is_one() -> None:
    """alice moved to another model as well: what she spends there is new, and all of her excess."""
    shift = evidence(
        [
            ({"user_id": "alice", "model": "old"}, 50, 0),
            ({"user_id": "alice", "model": "new"}, 0, 200),
            ({"user_id": "bob", "model": "old"}, 50, 50),
        ]
    )
    group = group_of(ALICE, {"user_id": "alice"})
    assert home(finding("b", {"model": "new"}), [group], shift) is group
    assert home(finding("b", {"user_id": "alice", "model": "new"}), [group], shift) is group
    farther = group_of(finding("b", {"model": "new"}), {"model": "new", "user_id": "alice"})
    assert home(ALICE, [farther], shift) is farther


def test_who_rises_by_himself_while_everything_grows_is_a_cause_of_his_own() -> None:
    """All teams grew by a half, which is one cause; one user grew tenfold, which is another."""
    users = [({"team": f"t{number}", "user_id": f"u{number}"}, 100, 150) for number in range(6)]
    found = evidence([*users, ({"team": "t0", "user_id": "odd"}, 5, 50)])
    group = group_of(finding("g"), {})
    assert home(finding("b", {"team": "t3"}), [group], found) is group
    assert home(finding("b", {"user_id": "odd"}), [group], found) is None


def test_of_several_causes_it_is_the_one_that_explains_most() -> None:
    """The total moved for two reasons; it belongs to the greater one, and the other is a group of its own."""
    found = evidence([({"team": "x"}, 10, 110), ({"team": "y"}, 10, 70), ({"team": "z"}, 10, 10)])
    x = group_of(finding("x", {"team": "x"}), {"team": "x"})
    y = group_of(finding("y", {"team": "y"}), {"team": "y"})
    assert home(finding("total"), [y, x], found) is x
    assert home(finding("y2", {"team": "y"}, starts_at=NOON + HOUR / 4), [x, y], found) is y
    assert share(finding("y", {"team": "y"}), x, found) == 0


def test_opposite_moves_and_other_times_are_other_groups() -> None:
    """What cancels out at the top is found below as two; what began long after the end of another is new."""
    found = evidence([({"team": "up"}, 10, 110), ({"team": "down"}, 110, 10)])
    up = group_of(finding("u", {"team": "up"}), {"team": "up"})
    assert home(finding("d", {"team": "down"}, direction="down"), [up], found) is None
    assert home(finding("d", {"team": "up"}, direction="down"), [up], found) is None
    ended = group_of(finding("e", {"team": "up"}, ends_at=NOON + HOUR), {"team": "up"})
    assert home(finding("n", {"team": "up"}, starts_at=NOON + 3 * HOUR), [ended], found) is None
    assert home(finding("n", {"team": "up"}, starts_at=NOON + 1.5 * HOUR), [ended], found) is ended


def test_without_a_look_into_the_stretch_names_decide() -> None:
    """A series that lies within another one, with at least half of its excess a day."""
    total = group_of(finding("t", per_day=Decimal(1000)), {})
    assert home_by_name(finding("b", {"team": "x"}, per_day=Decimal(600)), [total]) is total
    assert home_by_name(finding("b", {"team": "x"}, per_day=Decimal(400)), [total]) is None
    assert home_by_name(finding("b", measure=EVENTS), [total]) is total
    assert home_by_name(finding("b", {"team": "x"}, measure=EVENTS), [total]) is None
    team = group_of(finding("t", {"team": "x"}, per_day=Decimal(1000)), {})
    assert home_by_name(finding("b", {"user_id": "u"}, per_day=Decimal(1000)), [team]) is None
    assert lies_within(Series(("team", "model"), ("x", "m")), Series(("model",), ("m",)))


LEVELS: list[dict[str, str]] = [
    *({}, {"team": "search"}, {"team": "ads"}, {"user_id": "alice"}, {"user_id": "bob"}, {"user_id": "dave"}),
    *({"model": "m"}, {"model": "n"}, {"feature": "chat"}, {"feature": "copy"}),
]
FOUND = st.lists(
    st.tuples(st.sampled_from(LEVELS), st.sampled_from(["up", "down"]), st.integers(0, 3), st.integers(1, 50)),
    min_size=1,
    max_size=12,
)


def settled(rows: list[FindingRow], found: Evidence) -> dict[str, str]:
    """As a cycle does it: the first is looked into, and what that does not decide is looked into next."""
    groups: dict[str, Group] = {}
    decided: dict[str, str] = {}
    while waiting := in_order(row for row in rows if row.finding_id not in decided):
        lead = waiting[0]
        conditions = dict(zip(lead.series.dims, lead.series.vals, strict=True))
        decided |= settle(lead, conditions, waiting[1:], groups, found)
    held = [finding_id for group in groups.values() for finding_id in group.members]
    assert sorted(held) == sorted(row.finding_id for row in rows)  # each in exactly one
    return decided


@given(FOUND, st.randoms())
def test_grouping_does_not_depend_on_the_order_of_findings(
    found: list[tuple[dict[str, str], str, int, int]], random: object
) -> None:
    """Every finding is in exactly one group, the same one in whatever order they come; and groups go one way only."""
    rows = [
        finding(
            *(f"f{number:02}", series),
            direction=direction,
            starts_at=NOON + quarter * timedelta(minutes=15),
            actual=Decimal(10 + excess),
        )
        for number, (series, direction, quarter, excess) in enumerate(found)
    ]
    first = settled(rows, RUNAWAY)
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert settled(shuffled, RUNAWAY) == first
    ways = {row.finding_id: row.direction for row in rows}
    assert all(ways[finding_id] == ways[group_id] for finding_id, group_id in first.items())


CACHE = finding("c", {"team": "search"}, measure="cache_rate", kind="driver", direction="down", actual=Decimal("0.1"),
                expected=Decimal("0.8"), per_day=Decimal(300))  # fmt: skip


def test_a_driver_belongs_to_the_cost_that_it_moves() -> None:
    """A cache that is hit less often goes down, and what it costs up; of whoever moved most of it."""
    group = group_of(ALICE, {"user_id": "alice"})
    assert home(CACHE, [group], RUNAWAY) is group
    assert home(replace(CACHE, series=Series(("team",), ("ads",))), [group], RUNAWAY) is None
    assert home(replace(CACHE, direction="up"), [group], RUNAWAY) is None
    assert home_of_series(CACHE, [group_of(finding("s", {"team": "search"}), {})]) is not None


def test_a_driver_on_all_levels_is_one() -> None:
    """Also where the cost is as usual, and whatever its share of what is at stake; another driver is another."""
    calm = evidence([({"team": "search", "model": "m"}, 10, 10), ({"team": "ads", "model": "m"}, 10, 10)])
    total = replace(CACHE, finding_id="t", series=Series(), per_day=Decimal(900))
    model = replace(CACHE, finding_id="m", series=Series(("model",), ("m",)), per_day=Decimal(800))
    errors = replace(CACHE, finding_id="e", measure="error_rate", direction="up", per_day=Decimal(1))
    rows = in_order([CACHE, errors, model, total])
    assert [row.finding_id for row in rows] == ["t", "m", "c", "e"]
    groups: dict[str, Group] = {}
    settled = settle(rows[0], {}, rows[1:], groups, calm)
    assert settled == {"t": "t", "m": "t", "c": "t", "e": "t"}  # the errors are of the same series as c
    alone = replace(errors, series=Series(("team",), ("ads",)))
    assert home(alone, [Group("t", "up", {}, {"t": total})], calm) is None


def test_a_burst_amid_what_has_been_going_on_for_days_is_a_group_of_its_own() -> None:
    """Also of the same series: each has its own cause, and people hear of both."""
    long = finding("a", {"team": "search"}, starts_at=NOON - 96 * HOUR, detected_at=NOON - 90 * HOUR)
    group = group_of(long, {"team": "search"})
    burst = finding("b", {"user_id": "alice"}, starts_at=NOON, detected_at=NOON + timedelta(minutes=2))
    assert home(burst, [group], RUNAWAY) is None
    again = replace(long, finding_id="c", starts_at=NOON, detected_at=NOON + timedelta(minutes=2))
    assert home_of_series(again, [group]) is None
    assert home_by_name(again, [group]) is None


def test_what_is_seen_later_on_another_level_is_of_one_time() -> None:
    """It began at about the same time, or shares most of it."""
    group = group_of(finding("a", {"user_id": "alice"}, starts_at=NOON - 9 * HOUR), {"user_id": "alice"})
    for begins in (NOON - 8 * HOUR, NOON - 5 * HOUR):
        assert home_by_name(finding("t", starts_at=begins), [group]) is group
    short = group_of(finding("a", {"user_id": "alice"}, ends_at=NOON + HOUR / 6, state="closed"), {"user_id": "alice"})
    assert home_by_name(finding("t", starts_at=NOON + HOUR / 12), [short]) is short


def test_what_goes_on_after_a_break_is_the_same_unless_it_is_far_more() -> None:
    """Of a series that had moved for days, too; if what it holds says so."""
    long = finding("a", {"team": "search"}, starts_at=NOON - 96 * HOUR, ends_at=NOON, state="closed")
    group = group_of(long, {"team": "search"})
    after = finding("b", {"team": "search"}, starts_at=NOON + HOUR / 2)
    assert home(after, [group], RUNAWAY) is group
    assert home(replace(after, per_day=50 * long.per_day), [group], RUNAWAY) is None
    assert home_of_series(after, [group]) is None
    bobs = group_of(long, {"user_id": "bob"})
    assert home(after, [bobs], RUNAWAY) is None


def short_burst(finding_id: str, series: dict[str, str], minutes: int, **given: Any) -> FindingRow:
    """Of one minute, open though nothing has come since."""
    until = NOON + timedelta(minutes=minutes)
    said = {"known_until": until.isoformat(), "went_on_until": (NOON + timedelta(minutes=1)).isoformat()}
    known: dict[str, Any] = {"detected_at": NOON + timedelta(minutes=1), "at": until, "document": said}
    return finding(finding_id, series, **known | given)


@pytest.mark.parametrize("ended", [False, True])
def test_what_begins_long_after_a_burst_is_no_part_of_it_though_that_is_open(ended: bool) -> None:
    """Not of the same series, nor by names, nor by what the stretch holds: its excess was over."""
    over = {"ends_at": NOON + timedelta(minutes=1)} if ended else {}
    burst = short_burst("a", {"team": "search"}, 40, **over)
    group = group_of(burst, {"team": "search"})
    later = NOON + timedelta(minutes=51)
    new = finding("b", {"team": "search"}, starts_at=later, detected_at=later + timedelta(minutes=1))
    assert home_of_series(new, [group]) is None
    assert home_by_name(new, [group]) is None
    assert home(new, [group], RUNAWAY) is None
    assert home(replace(new, starts_at=NOON + timedelta(minutes=5)), [group], RUNAWAY) is group
    assert home(burst, [group_of(new, {"team": "search"})], RUNAWAY) is None


@pytest.mark.parametrize(
    ("lasted", "calm_for", "over"),
    [(1, 19, False), (1, 20, True), (30, 29, False), (30, 30, True), (61, 300, False)],
)
def test_a_burst_is_over_once_it_was_calm_for_longer_than_it_lasted(lasted: int, calm_for: int, over: bool) -> None:
    """Of what has lasted for hours an hour tells nothing: it may be a night of it."""
    ended = NOON + timedelta(minutes=lasted)
    said = {"known_until": ended.isoformat(), "went_on_until": ended.isoformat()}
    group = group_of(finding("a", document=said), {})
    assert group.is_over(ended + timedelta(minutes=calm_for)) == over
    assert not group.is_over(None)
    group.members["b"] = finding("b", {"team": "search"})
    assert not group.is_over(ended + timedelta(hours=9))


def test_what_goes_on_is_joined_by_what_is_seen_late() -> None:
    """As long as it goes on, within an hour of its begin, or where most of both is one time."""
    group = group_of(finding("a", {"team": "search"}, detected_at=NOON + timedelta(minutes=2)), {"team": "search"})
    events = finding("b", {"team": "search"}, measure=EVENTS, starts_at=NOON + HOUR / 2)
    assert home_of_series(events, [group]) is group
    assert home(finding("t", starts_at=NOON + HOUR / 2), [group], RUNAWAY) is group
