"""Findings wait until it is known what they belong to; groups outlive restarts, and are looked into again."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.anomalies.causes import Cause
from stream_jobs.anomalies.groups import AGAIN_S, KEPT, MAX_EVIDENCE, RETRY_S, WAITS_S, GroupBook
from stream_jobs.anomalies.model import EVENTS, Change, FindingRow
from tests.unit.anomalies.telling_world import HOUR, NOON, evidence, finding

FOUND = evidence([({"team": "search", "user_id": "alice"}, 1, 101), ({"team": "ads", "user_id": "bob"}, 9, 9)])
ALICE = Cause(FOUND, {"user_id": "alice"}, ("because of alice",), document='{"conditions": {"user_id": "alice"}}')


class World:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.book = GroupBook(lambda: self.now_s)

    def take(self, *rows: FindingRow) -> set[str]:
        return self.book.take([Change(None, row) for row in rows])


def test_a_finding_waits_for_its_cause_and_brings_those_like_it() -> None:
    """The dearest is looked into, and what has the same cause needs no look of its own."""
    world = World()
    rows = [finding("t"), finding("s", {"team": "search"}), finding("b", {"user_id": "bob"})]
    assert world.take(*rows) == set()
    lead = world.book.next_look()
    assert lead == rows[0]
    assert world.book.found(rows[0], ALICE) == {"t"}
    assert [row.finding_id for row in world.book.waiting] == ["b"]
    assert world.book.groups["t"].conditions == {"user_id": "alice"}
    assert set(world.book.groups["t"].members) == {"t", "s"}
    assert world.take(*rows) == {"t"}  # the same again changes nothing
    assert set(world.book.groups["t"].members) == {"t", "s"}


def test_another_finding_of_a_series_joins_it_at_once() -> None:
    """Its requests rose as well: nothing has to be looked up."""
    world = World()
    world.take(finding("t"))
    world.book.found(finding("t"), ALICE)
    assert world.take(finding("r", measure=EVENTS)) == {"t"}
    assert world.book.group_of("r") is world.book.groups["t"]


def test_what_cannot_be_looked_into_is_grouped_by_name() -> None:
    """At once where the look failed, and after a while where nobody looked."""
    world = World()
    world.take(finding("t"), finding("s", {"team": "search"}), finding("o", {"user_id": "x"}, direction="down"))
    nothing = Cause(None, {})
    world.book.found(finding("t"), nothing)
    assert world.book.give_up() == set()
    world.now_s += WAITS_S
    assert world.book.give_up() == {"t", "o"}
    assert world.book.waiting == []
    assert set(world.book.groups["t"].members) == {"t", "s"}


def test_a_restart_goes_on_with_what_was_recorded() -> None:
    """Groups, causes and all: nothing is looked into twice at once, and what had no group waits."""
    world = World()
    kept: dict[str, Any] = {"group_id": "t", "cause": ALICE.document}
    rows = [replace(finding("t"), **kept), replace(finding("s", {"team": "search"}), **kept), finding("n", {"a": "b"})]
    world.book.begin(reversed(rows))
    assert set(world.book.groups) == {"t"}
    assert world.book.groups["t"].conditions == {"user_id": "alice"}
    assert world.book.known["t"].looked
    assert [row.finding_id for row in world.book.waiting] == ["n"]


def test_a_cause_is_looked_for_again_when_it_was_not_had_has_grown_or_is_over() -> None:
    """Not all the time, and not for ever."""
    world = World()
    world.take(finding("t"))
    world.book.found(finding("t"), Cause(None, {}))
    assert world.book.next_look() is None
    world.now_s += 2 * RETRY_S
    assert world.book.next_look() is not None
    world.book.found(finding("t"), ALICE)
    assert world.book.known["t"].cause is ALICE
    world.now_s += AGAIN_S
    assert world.book.next_look() is None
    grown = finding("t", actual=Decimal(500))
    world.take(grown)
    assert world.book.next_look() == grown
    world.book.found(grown, ALICE)
    over = finding("t", actual=Decimal(500), ends_at=NOON + HOUR)
    world.take(over)
    assert world.book.next_look() is None
    world.now_s += AGAIN_S
    assert world.book.next_look() == over
    world.book.found(over, ALICE)
    world.now_s += 100 * AGAIN_S
    assert world.book.next_look() is None


def test_what_is_over_for_long_is_forgotten_and_evidence_has_bounds() -> None:
    """Memory does not grow with every finding that there ever was."""
    world = World()
    for number in range(MAX_EVIDENCE + 3):
        row = finding(f"f{number}", {"region": str(number)})
        world.take(row)
        world.book.found(row, Cause(FOUND, {"region": str(number)}))
        world.now_s += 1
    assert world.book.forget(NOON + HOUR) == set()
    held = [known for known in world.book.known.values() if known.cause.evidence is not None]
    assert len(held) == MAX_EVIDENCE
    assert world.book.known["f0"].dropped
    world.take(finding("f5", {"region": "5"}, ends_at=NOON + HOUR))
    assert world.book.forget(NOON + HOUR + KEPT + timedelta(seconds=1)) == {"f5"}
    assert world.book.row("f5") is None


def test_while_a_group_goes_on_its_cause_is_that_of_what_is_open() -> None:
    """A finding that is over says nothing of what goes on, and nor does its cause."""
    world = World()
    world.take(finding("t"), finding("s", {"team": "search"}, actual=Decimal(109)))
    world.book.found(finding("t"), ALICE)
    assert set(world.book.groups["t"].members) == {"t", "s"}
    world.take(finding("t", ends_at=NOON + HOUR))
    assert world.book.next_look() is None
    world.now_s += 4 * RETRY_S
    row = world.book.next_look()
    assert row is not None
    assert row.finding_id == "s"
    world.book.found(row, Cause(FOUND, {"team": "search"}))
    assert world.book.groups["t"].conditions == {"team": "search"}
    world.now_s += 100 * RETRY_S
    assert world.book.next_look() is None


def test_a_series_that_rises_again_after_an_old_burst_waits_for_its_own_cause() -> None:
    """The burst is over, though nobody has closed it: where it was, and why, says nothing of what comes now."""
    world = World()
    minutes = [NOON + timedelta(minutes=number) for number in (1, 51, 52)]
    said = {"known_until": minutes[1].isoformat(), "went_on_until": minutes[0].isoformat()}
    burst = finding("t", {"team": "search"}, detected_at=minutes[0], document=said)
    world.take(burst)
    world.book.found(burst, ALICE)
    again = finding("n", {"team": "search"}, starts_at=minutes[1], detected_at=minutes[2], at=minutes[2])
    assert world.take(again) == set()
    assert world.book.waiting == [again]
    later = evidence([({"team": "search", "user_id": "eve"}, 0, 100), ({"user_id": "alice"}, 1, 1)], minutes[1])
    world.book.found(again, Cause(later, {"user_id": "eve"}))
    assert set(world.book.groups) == {"t", "n"}
    assert world.book.groups["n"].conditions == {"user_id": "eve"}


def test_a_group_is_looked_into_and_told_without_what_goes_on_as_a_later_causes() -> None:
    """The total is open since a burst that is over, and holds the next one, of another user: that has a group and a
    cause of its own, and the earlier one keeps its."""
    world = World()
    over = {"known_until": (NOON + HOUR / 10).isoformat(), "went_on_until": (NOON + HOUR / 10).isoformat()}
    alice = finding("a", {"user_id": "alice"}, actual=Decimal(109))
    world.take(finding("t", actual=Decimal(111)), alice)
    world.book.found(finding("t"), ALICE)
    world.take(replace(alice, document=over))
    assert set(world.book.groups["t"].members) == {"t", "a"}
    later = NOON + HOUR / 6
    eve = finding("e", {"user_id": "eve"}, starts_at=later, actual=Decimal(310))
    world.take(eve, finding("t", actual=Decimal(411)))
    world.book.found(eve, Cause(evidence([({"user_id": "eve"}, 10, 310)], later), {"user_id": "eve"}))
    assert set(world.book.groups) == {"t", "e"}
    assert set(world.book.own("t").members) == {"a"}
    assert world.book.own("t").is_calm
    assert world.book.own("e") is world.book.groups["e"]
    assert set(world.book.groups["t"].members) == {"t", "a"}
    world.now_s += 100 * RETRY_S
    assert world.book.next_look() is None or world.book.next_look() != finding("t", actual=Decimal(411))
