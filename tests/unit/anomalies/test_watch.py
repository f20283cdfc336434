"""What is found follows from what each minute held, and not from how the deltas of it came."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.anomalies.model import Change, FindingRow, Series, Steer
from stream_jobs.anomalies.registry import Registry
from stream_jobs.anomalies.rows import Late, Rows, _is_taken_back
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.watch import Watch, restored
from stream_jobs.completeness.watermark import minute_of, start_of
from stream_jobs.detection.detector import CostDetector
from stream_jobs.series.delta import SCHEMA
from stream_jobs.series.facts import Facts
from stream_jobs.series.measures import DIMENSIONS, MEASURES

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
AT = minute_of(BEGIN)
LEVELS = AnomaliesSettings(pairs="team+user_id").levels
EXACT = Context(prec=60)
HOURS = 21 * 24
SPIKE = range(10, 30)
LENGTH = 45


def facts(rows: list[dict[str, Any]]) -> Facts:
    nothing: dict[str, Any] = {**dict.fromkeys(DIMENSIONS, ""), **dict.fromkeys(MEASURES, 0)}
    return Facts(pa.Table.from_pylist([nothing | row for row in rows], schema=SCHEMA))


def row(minute: int, usd: Decimal, user: str, events: int = 1) -> dict[str, Any]:
    squares = EXACT.quantize(EXACT.multiply(usd, usd), Decimal(1).scaleb(-24))
    return {
        "minute": start_of(minute),
        "team": "search" if user < "u2" else "ads",
        "user_id": user,
        "model": "m",
        "provider": "p",
        "events": events,
        "effective_cost": usd,
        "cost_squares": squares,
        "capped_cost": min(usd, Decimal(1)),
    }


def usage() -> list[dict[str, Any]]:
    """Of LENGTH minutes, ten requests in each; u1 spends 60 times as much in SPIKE."""
    rng = random.Random(3)
    found = []
    for minute in range(LENGTH):
        for _ in range(10):
            user = rng.choice(["u1", "u2", "u3"])
            usd = Decimal(round(rng.lognormvariate(-4, 0.7), 9)).quantize(Decimal(1).scaleb(-12))
            found.append(row(AT + minute, usd * (60 if user == "u1" and minute in SPIKE else 1), user))
    return found


USAGE = usage()


@cache
def learned() -> dict[str, Any]:
    """The state after three weeks of the same usage."""
    registry = Registry(LEVELS, 100)
    detector = CostDetector()
    watch = Watch(detector, registry, Rows(), AT - 1)
    watch.add(facts([row(AT - 1, Decimal("0.001"), user) for user in ("u1", "u2", "u3")]))
    held = watch._minutes.take(AT - 1)
    registry.admit(held.ids, set)
    detector.add([series.name for series in registry.places])
    share = np.array([1 if "user_id" in one.dims else {"search": 1, "ads": 2}.get(one.vals[-1] if one.vals else "", 3)
                      for one in registry.places])  # fmt: skip
    events = np.random.default_rng(1).poisson(200 * share[:, None], (len(share), HOURS)).astype(float)
    detector.warm(AT - HOURS * 60, events, events * 0.0234)
    watch.next = AT
    return watch.dump()


def begin(state: dict[str, Any], recorded: Iterable[FindingRow] = ()) -> Watch:
    return restored(state, LEVELS, 100, CostDetector.load(state["detector"]), recorded)


def play(
    groups: Sequence[Sequence[int]], restarts: frozenset[int] = frozenset(), late: Sequence[int] = ()
) -> dict[str, FindingRow]:
    """The last row of each finding. `groups`: rows of USAGE by their number, that come together; `late` ones come at
    the end. Before some minutes the job begins anew."""
    watch = begin(learned())
    assert watch.rows.settle(AT - 1, BEGIN) == []
    last: dict[str, FindingRow] = {}
    waiting, came = list(groups), list[int]()

    def come(upto: int) -> None:
        while waiting and any(USAGE[number]["minute"] <= start_of(upto) for number in waiting[0]):
            some = [number for number in waiting.pop(0) if number not in late]
            came.extend(some)
            watch.add(facts([USAGE[number] for number in some]))

    for minute in range(AT, AT + LENGTH):
        come(minute)
        now = start_of(minute + 1)
        if minute in restarts:
            watch = begin(watch.dump(), last.values())
            assert watch.rows.settle(minute - 1, now) == []
            watch.add(facts([USAGE[number] for number in came if USAGE[number]["minute"] >= start_of(minute)]))
        changes = watch.judge(now)
        take(last, [*changes, *watch.amend(now)])
    for number in late:
        watch.add(facts([USAGE[number]]))
        take(last, watch.amend(start_of(AT + LENGTH)))
    return last


def take(last: dict[str, FindingRow], changes: list[Change]) -> None:
    for change in changes:
        known = last.get(change.after.finding_id)
        assert change.before == known
        assert change.after.version == (1 if known is None else known.version + 1)
        last[change.after.finding_id] = change.after


def content(rows: dict[str, FindingRow]) -> dict[str, FindingRow]:
    """But for what says when a row was given out."""
    return {name: replace(row, at=BEGIN, version=1) for name, row in rows.items()}


@cache
def expected() -> dict[str, FindingRow]:
    return play([range(len(USAGE))[first : first + 10] for first in range(0, len(USAGE), 10)])


def names(rows: dict[str, FindingRow]) -> set[str]:
    return {row.series.name for row in rows.values()}


def test_a_spike_is_found_of_who_makes_it_and_above() -> None:
    """And of nobody else."""
    found = names(expected())
    assert {"total", "user_id=u1", "team=search, user_id=u1"} <= found
    assert not {"user_id=u2", "user_id=u3", "team=ads"} & found
    assert {row.direction for row in expected().values()} == {"up"}


@pytest.mark.slow
@given(st.data())
@settings(max_examples=8, derandomize=True)
def test_groups_order_and_restarts_change_nothing(data: st.DataObject) -> None:
    """What a minute holds by the time it is judged may come in any groups, in any order."""
    order = data.draw(st.permutations(range(10)))
    sizes = data.draw(st.lists(st.integers(1, 25), min_size=20, max_size=60))
    numbers = [first + number for first in range(0, len(USAGE), 10) for number in order]
    groups: list[list[int]] = []
    while numbers:
        size = sizes[len(groups) % len(sizes)]
        groups.append(numbers[:size])
        del numbers[:size]
    restarts = data.draw(st.frozensets(st.integers(AT + 1, AT + LENGTH - 1), max_size=4))
    assert content(play(groups, restarts)) == content(expected())


LATE = [
    number
    for number, one in enumerate(USAGE)
    if one["user_id"] == "u3" and start_of(AT + 20) <= one["minute"] < start_of(AT + 25)
]


@pytest.mark.slow
@given(st.permutations(LATE), st.frozensets(st.integers(AT + 1, AT + LENGTH - 1), max_size=3))
@settings(max_examples=4, derandomize=True)
def test_what_comes_late_changes_findings_in_any_order(late: list[int], restarts: frozenset[int]) -> None:
    """The total is what it would have been, to the last digit; what was judged stays."""
    groups = [range(len(USAGE))[first : first + 10] for first in range(0, len(USAGE), 10)]
    found = content(play(groups, restarts, late))
    assert found == content(play(groups, late=sorted(late)))
    total = next(row for row in found.values() if row.series == Series())
    cost = sum(
        (USAGE[number]["effective_cost"] for number in late if total.starts_at <= USAGE[number]["minute"]), Decimal(0)
    )
    assert Decimal(total.document["late_usd"]) == cost


def found_of_u1(watch: Watch) -> tuple[dict[str, FindingRow], FindingRow]:
    """Judges 25 minutes of USAGE: the last row of each finding by its id, and that of the user's cost."""
    watch.rows.settle(AT - 1, BEGIN)
    last: dict[str, FindingRow] = {}
    for minute in range(AT, AT + 25):
        watch.add(facts([one for one in USAGE if one["minute"] == start_of(minute)]))
        take(last, watch.judge(start_of(minute + 1)))
    u1 = next(row for row in last.values() if row.series.name == "user_id=u1")
    return last, u1


def test_figures_of_what_is_open_follow_when_its_excess_has_doubled() -> None:
    """Not only every quarter of an hour; and a row says up to when they are known, whenever it is written."""
    watch = begin(learned())
    watch.rows.settle(AT - 1, BEGIN)
    last: dict[str, FindingRow] = {}
    for number in range(26):
        minute = AT + number
        more = 10 if number >= 20 else 1
        rows = [one for one in USAGE if one["minute"] == start_of(minute)]
        watch.add(facts([row(minute, one["effective_cost"] * more, one["user_id"]) for one in rows]))
        take(last, watch.judge(start_of(minute + 40)))
        for series in watch.rows.open_series():
            found = watch.detector.standing(watch.registry.find(series))
            told = next(one for one in last.values() if one.series == series and one.state == "open")
            assert found is not None
            assert abs(found.excess) < 2 * abs(float(told.excess))
            assert start_of(minute - 15) < told.known_until <= start_of(minute + 1)
    assert watch.rows.open_series()


def test_what_comes_after_a_burst_is_none_of_it_though_that_is_open() -> None:
    """Its figures are of the time in which it went on, after a restart, too; what comes late for the time since is no
    more of it than what came in time."""
    watch = begin(learned())
    watch.rows.settle(AT - 1, BEGIN)
    last: dict[str, FindingRow] = {}
    for minute in range(AT, AT + 30):
        bursts = [row(minute, Decimal(3), "u2") for _ in range(40 * (minute in (AT + 10, AT + 11)))]
        watch.add(facts([one for one in USAGE if one["minute"] == start_of(minute)] + bursts))
        take(last, watch.judge(start_of(minute + 1)))
        found = next((one for one in last.values() if one.series == Series(("user_id",), ("u2",))), None)
        if found is not None and found.is_calm:
            break
    assert found is not None
    assert found.is_calm
    assert found.known_until == found.went_on_until == start_of(AT + 12)
    assert abs(found.actual - 240) < 10
    standing = watch.detector.standing(watch.registry.find(found.series))
    assert standing is not None
    more = replace(standing, actual=float(found.actual) + 30)
    assert not watch.rows.goes_on(found.series, more, minute + 30)  # what an hour of ordinary traffic may add
    again = begin(watch.dump(), last.values())
    assert again.rows.settle(minute, start_of(minute + 1)) == []
    for which in (watch, again):
        which.add(facts([row(minute - 3, Decimal(1), "u2")]))
        assert not [one for one in which.amend(start_of(minute + 1)) if one.after.finding_id == found.finding_id]
    assert {one.figured for one in again.rows.of(found.series)} == {AT + 12}


def test_late_retractions_close_a_finding_and_late_usage_opens_it_again() -> None:
    """A row follows from all that came late, so one that was corrected may hold again."""
    watch = begin(learned())
    last, u1 = found_of_u1(watch)
    assert u1.state == "open"
    excess = u1.excess.quantize(Decimal("0.000001"))
    watch.add(facts([row(AT + 20, -excess, "u1", -1)]))
    take(last, watch.amend(start_of(AT + 25)))
    corrected = last[u1.finding_id]
    assert (corrected.state, corrected.closing, corrected.actual) == ("closed", "corrected", u1.actual - excess)
    watch.add(facts([row(AT + 20, excess, "u1", 1)]))
    take(last, watch.amend(start_of(AT + 25)))
    assert replace(last[u1.finding_id], version=u1.version, at=u1.at) == u1


def test_what_comes_too_late_to_be_judged_again_is_counted() -> None:
    """In money, whoever it is of; what comes within six hours may be judged again."""
    watch = begin(learned())
    watch.add(facts([row(AT - 400, Decimal(5), "u1"), row(AT - 100, Decimal(3), "u1"), row(AT, Decimal(2), "u1")]))
    assert watch.too_late_pico == 5 * 10**12
    assert watch.late_events == 2


def test_what_people_expected_is_closed_as_that() -> None:
    """Not as something that lasted long."""
    watch = begin(learned())
    last, u1 = found_of_u1(watch)
    watch.add(facts([one for one in USAGE if one["minute"] == start_of(AT + 25)]))
    take(last, watch.judge(start_of(AT + 26), steers=[Steer(u1.series)]))
    assert (last[u1.finding_id].state, last[u1.finding_id].closing) == ("closed", "expected")


@pytest.mark.parametrize(
    ("found", "more", "expected", "band", "back"),
    [
        (110, -5, 10, 50, False),
        (110, -60, 10, 50, True),
        (110, 60, 10, 50, False),
        (110, -1, 10, 500, False),  # a narrower window told it: the band of the whole stretch says nothing of it
        (110, -100, 10, 500, True),
        (2, 1, 100, 40, False),
        (2, 38, 100, 40, True),
        (2, -1, 100, 40, False),
        (2, 1, 100, 1, False),
        (2, 98, 100, 1, True),
    ],
)
def test_a_finding_is_taken_back_by_what_leaves_nothing_unusual(
    found: int, more: int, expected: int, band: int, back: bool
) -> None:
    """And not by a little of it, in either direction."""
    assert _is_taken_back(*map(Decimal, (found, more, expected, band))) == back


def test_corrections_count_as_what_came_late() -> None:
    """They are told of what they come to in all, as often as one likes."""
    watch = begin(learned())
    watch.rows.settle(AT - 1, BEGIN)
    last: dict[str, FindingRow] = {}
    for minute in range(AT, AT + 25):
        watch.add(facts([one for one in USAGE if one["minute"] == start_of(minute)]))
        take(last, watch.judge(start_of(minute + 1)))
    key = next(key for key in watch.rows.all if key[0].name == "user_id=u1")
    u1 = watch.rows.all[key].row
    assert u1 is not None
    back = Late(-int(u1.excess * 10**12), -1)
    change = watch.rows.corrected(key, back, AT + 25, BEGIN)
    assert change is not None
    assert change.after.closing == "corrected"
    assert watch.rows.corrected(key, back, AT + 25, BEGIN) is None


def test_a_minute_that_nobody_knows_is_no_silence() -> None:
    """Nothing is found in hours of which nothing is known; in hours without usage that are known, something is."""
    for known in (False, True):
        watch = begin(learned())
        watch.rows.settle(AT - 1, BEGIN)
        changes = []
        for minute in range(AT, AT + 120):
            changes += watch.judge(start_of(minute + 1), known=known)
        assert bool(changes) == known
        assert all(change.after.direction == "down" for change in changes)


def test_what_less_knowledge_finds_again_is_what_is_recorded_of_its_time() -> None:
    """One burst was marked as expected and a second one followed. A warm start finds the first anew, a minute later:
    it stays closed as expected; and the second is the one that is open, not a new one."""
    watch = begin(learned())
    last, _ = found_of_u1(watch)
    one = next(iter(last.values()))
    marked = replace(one, finding_id="a", state="closed", closing="expected", ends_at=start_of(AT + 20), document={})
    second = replace(one, finding_id="b", starts_at=start_of(AT + 20), detected_at=start_of(AT + 21))
    tracked = next(found for found in watch.rows.all.values() if found.finding_id == one.finding_id)
    rows = Rows()
    rows.quiet = True
    rows.recorded([marked, replace(second, at=start_of(AT + 30))], adopt=True)
    for start in (AT + 11, AT + 20):
        found = replace(tracked.found, start=start, detected_at=start + 3, end=AT + 20 if start < AT + 20 else None)
        assert rows.taken(one.series, found, start + 3, start_of(AT + 40)) is None
    changes = [change.after for change in rows.settle(AT + 39, start_of(AT + 40))]
    standing = {("a", "closed", "expected"), ("b", "open", "")}
    assert {(row.finding_id, row.state, row.closing) for row in changes} <= standing
    assert {found.finding_id: found.found.end for found in rows.all.values()} == {"a": AT + 20, "b": None}
