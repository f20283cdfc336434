"""People hear of a group once, again when it gets graver, and when it is over; and of nothing that is not worth it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.anomalies.grouping import Group
from stream_jobs.anomalies.model import EVENTS, FindingRow
from stream_jobs.anomalies.signals import Told, alert_id
from stream_jobs.anomalies.speaking import (
    DRIFT_S,
    FOLLOWS_S,
    SETTLES_S,
    WAITS_FOR_CAUSE_S,
    WAITS_FOR_OTHERS_S,
    WAITS_FOR_PLANS_S,
    Speaking,
    View,
)
from tests.unit.anomalies.telling_world import HOUR, NOON, finding


class World:
    """A group, and what is said of it as time goes on."""

    def __init__(self, row: FindingRow | None = None, floor: str = "1") -> None:
        self.now_s = 0.0
        self.row = row or finding("f")
        self.speaking = Speaking(Decimal(floor), lambda: self.now_s)
        self.speaking.begin([], {})
        self.view = View(Group("f", self.row.direction, {}, {"f": self.row}), Told(NOON + HOUR), looked=True)

    def look(self, after_s: float = 0.0, *, fails: bool = False, **view: Any) -> list[AlertSignal]:
        self.now_s += after_s
        self.view = replace(self.view, **view)
        self.view.group.members["f"] = self.row
        signals = self.speaking.say([self.view], NOON + HOUR + timedelta(seconds=self.now_s))
        if not fails:
            self.speaking.sent()
        return signals

    def becomes(self, after_s: float = 0.0, **given: Any) -> list[AlertSignal]:
        self.row = replace(self.row, **given)
        return self.look(after_s)


def statuses(signals: list[AlertSignal]) -> list[str]:
    return [signal.status for signal in signals]


def test_it_is_told_once_its_cause_was_looked_for_or_after_a_while() -> None:
    """An alert without its cause is better than none, and amended when it comes."""
    world = World()
    assert world.look(looked=False) == []
    assert world.speaking.waiting == {"f"}
    assert statuses(world.look(WAITS_FOR_CAUSE_S)) == ["firing"]
    assert world.look(1) == []
    told = Told(NOON + HOUR, ("because",))
    assert [signal.causes for signal in world.look(FOLLOWS_S, looked=True, told=told)] == [("because",)]


def test_the_same_again_says_nothing() -> None:
    """Only what moved by a hundredth, after a while; or anything, much later."""
    world = World()
    world.look()
    assert world.look(3 * DRIFT_S) == []
    assert world.becomes(actual=Decimal(120)) != []
    assert world.becomes(1, actual=Decimal(140)) == []
    assert statuses(world.look(FOLLOWS_S)) == ["firing"]
    assert world.becomes(FOLLOWS_S, actual=Decimal("140.1")) == []
    assert statuses(world.look(DRIFT_S)) == ["firing"]


def test_what_becomes_critical_is_told_at_once_and_never_milder() -> None:
    """The level of an alert, and its severity, are the highest that it had."""
    world = World()
    (first,) = world.look()
    (graver,) = world.becomes(1, severity="critical")
    assert graver.level > first.level
    (milder,) = world.becomes(FOLLOWS_S, severity="warning", actual=Decimal(60))
    assert (milder.level, milder.severity) == (graver.level, "critical")


def test_an_incident_that_grows_is_told_once_and_when_it_is_critical() -> None:
    """Not at every step: what somebody must do is the same."""
    world = World(finding("f", severity="warning"))
    levels = [world.look()[0].level]
    for minute, severity in enumerate(("warning", "error", "error", "critical", "critical"), 2):
        levels += [signal.level for signal in world.becomes(60, severity=severity, actual=Decimal(100 * minute))]
    assert len(set(levels)) == 2
    assert levels == sorted(levels)


def test_a_rise_that_lasts_is_told_a_quarter_of_an_hour_later() -> None:
    """With the figures of then; until then the alert follows its figures at the level that people know."""
    world = World(finding("f", severity="warning"))
    (first,) = world.look()
    (held,) = world.becomes(FOLLOWS_S, severity="error", actual=Decimal(5000))
    assert (held.level, held.severity, held.value) == (first.level, "warning", Decimal(5000))
    assert world.speaking.waiting == {"f"}
    assert world.look(SETTLES_S - FOLLOWS_S - 1) == []
    (told,) = world.look(1)
    assert (told.level > first.level, told.severity) == (True, "error")
    assert world.speaking.waiting == set()


def test_what_was_over_and_is_taken_back_is_told_without_a_figure_that_moved() -> None:
    """Once."""
    world = World()
    world.look()
    world.becomes(state="closed", ends_at=NOON + HOUR, closing="over")
    (back,) = world.becomes(closing="corrected")
    assert (back.status, back.correction) == ("resolved", True)
    assert world.look(DRIFT_S) == []


def test_what_was_not_sent_is_said_again() -> None:
    """Until the broker has it."""
    world = World()
    assert len(world.look(fails=True)) == 1
    assert len(world.look()) == 1
    assert world.look() == []


def test_it_is_over_once_and_corrected_when_its_figures_turn_out_otherwise() -> None:
    """By a hundredth or more."""
    world = World()
    world.look()
    (over,) = world.becomes(state="closed", ends_at=NOON + HOUR, closing="over")
    assert (over.status, over.correction) == ("resolved", False)
    assert world.look(DRIFT_S) == []
    assert world.becomes(actual=Decimal("110.1")) == []
    (corrected,) = world.becomes(actual=Decimal(90))
    assert (corrected.status, corrected.correction) == ("resolved", True)


def test_late_entries_that_take_it_back_are_a_correction() -> None:
    """People were told something that was not so."""
    world = World()
    world.look()
    (over,) = world.becomes(state="closed", ends_at=NOON + HOUR, closing="corrected", actual=Decimal(10))
    assert (over.status, over.correction) == ("resolved", True)
    assert "late or corrected entries took it back" in str(over.resolution)


def test_what_was_over_before_it_could_be_told_is_told_and_then_over() -> None:
    """A single dear request is over at once."""
    world = World(finding("f", kind="dear_request", ends_at=NOON + HOUR))
    assert statuses(world.look()) == ["firing"]
    assert world.speaking.waiting == {"f"}
    assert statuses(world.look()) == ["resolved"]
    assert world.speaking.waiting == set()
    assert world.look(DRIFT_S) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, True),
        ({"expected": Decimal("0.00001"), "actual": Decimal("0.00008"), "per_day": Decimal("0.002")}, False),
        ({"actual": Decimal("10.5"), "per_day": Decimal("0.9")}, False),
        ({"actual": Decimal("10.5"), "per_day": Decimal(12)}, True),
        ({"actual": Decimal(11), "per_day": Decimal(0)}, True),
        ({"kind": "dear_request", "actual": Decimal("10.5"), "per_day": Decimal(99)}, False),
        ({"direction": "down", "expected": Decimal("10.5"), "actual": Decimal(10), "per_day": Decimal(-12)}, True),
    ],
)
def test_nothing_is_told_below_the_floor(given: dict[str, Any], told: bool) -> None:
    """What it has cost by now, or would within a day; a single request costs what it costs."""
    assert bool(World(finding("f", **given)).look()) == told


def test_requests_are_worth_what_the_ledger_says_that_they_cost() -> None:
    """Where nobody knows, they are told."""
    row = finding("f", measure=EVENTS)
    assert World(row).look() != []
    assert World(row).look(told=Told(NOON + HOUR, money_usd=Decimal("0.001"))) == []
    assert World(row).look(told=Told(NOON + HOUR, money_usd=Decimal(5))) != []


def test_what_was_told_once_is_followed_below_the_floor() -> None:
    """Nobody is left with an alert that says something else than what is so."""
    world = World()
    world.look()
    (less,) = world.becomes(FOLLOWS_S, actual=Decimal("10.1"), per_day=Decimal("0.1"))
    assert less.value == Decimal("10.1")


def test_silenced_is_resolved_with_its_reason_and_may_fire_again() -> None:
    """Nothing that was never told is said at all."""
    world = World()
    assert world.look(silenced="it is planned: Launch") == []
    assert statuses(world.look(silenced="")) == ["firing"]
    (over,) = world.look(silenced="mara marked it as expected")
    assert (over.status, over.resolution) == ("resolved", "mara marked it as expected")
    assert world.look(DRIFT_S) == []
    assert statuses(world.look(silenced="")) == ["firing"]


def test_after_a_start_what_the_alerts_job_knows_is_followed() -> None:
    """What is open is said again, with no lower level; what is over there, once; what nobody has is over."""
    world = World()
    world.speaking.begin(["f"], {alert_id("f"): ("open", 900), alert_id("lost"): ("acknowledged", 1)})
    lost, again = world.look()
    assert (lost.alert_id, lost.status) == ("anomaly/lost", "resolved")
    assert (again.status, again.level) == ("firing", 900)
    assert world.look() == []
    world.becomes(state="closed", ends_at=NOON + HOUR, closing="over")
    world.speaking.begin(["f"], {alert_id("f"): ("resolved", 900)})
    assert world.look() == []


def test_of_two_signals_the_later_one_is_later() -> None:
    """Of two of the same instant the graver one would hold."""
    world = World()
    (first,) = world.look()
    (second,) = world.becomes(severity="critical")
    assert second.observed_at > first.observed_at


DRIVER = {"kind": "driver", "measure": "error_rate", "expected": Decimal("0.02"), "actual": Decimal("0.3")}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"per_day": Decimal(30)}, True),
        ({"per_day": Decimal("0.9")}, False),
        ({"per_day": Decimal(-30), "direction": "down"}, False),  # fewer errors
        ({"per_day": Decimal(30), "direction": "down", "measure": "cache_rate"}, True),
        ({"per_day": Decimal(-30), "measure": "cache_rate"}, False),
    ],
)
def test_a_driver_alone_is_told_by_the_money_at_stake(given: dict[str, Any], told: bool) -> None:
    """Whatever the stretch has cost; good news is told to nobody."""
    world = World(finding("f", {"team": "search"}, **{**DRIVER, **given}))
    signals = world.look(told=Told(NOON + HOUR, money_usd=Decimal(1000)))
    assert bool(signals) == told
    for signal in signals:
        assert signal.money_usd == Decimal("1.25")  # an hour of 30 $ a day
        assert signal.name == "CostDriver"


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("minutes", "excess", "told"),
    [
        (1, "0.0059", False),  # $8.47 in a day of such minutes
        (1, "0.99", False),
        (1, "1.5", True),
        (4, "0.4", False),
        (5, "0.4", True),
        (5, "0.0001", False),
    ],
)
def test_a_minute_of_cents_is_told_to_nobody(minutes: int, excess: str, told: bool) -> None:
    """Only money that is spent, or a rate that has held; and once it has, it is told."""
    until = NOON + minutes * MINUTE
    per_day = Decimal(excess) * 1440 / minutes
    row = finding("f", detected_at=NOON + MINUTE, at=until, expected=Decimal(0), actual=Decimal(excess),
                  per_day=per_day, document={"known_until": until.isoformat()})  # fmt: skip
    world = World(row)
    assert bool(world.look(told=Told(until))) == told
    assert bool(world.becomes(60, actual=Decimal(2))) or told


def test_a_rate_counts_for_as_long_as_it_held() -> None:
    """A burst of one minute that is open has not gone on since."""
    until = NOON + 40 * MINUTE
    said = {"known_until": until.isoformat(), "went_on_until": (NOON + MINUTE).isoformat()}
    given: dict[str, Any] = {"detected_at": NOON + MINUTE, "actual": Decimal("10.5"), "per_day": Decimal(18)}
    assert World(finding("f", **given, document=said)).look(told=Told(until)) == []
    assert World(finding("f", **given)).look(told=Told(until)) != []


def calm_burst() -> FindingRow:
    """Of two minutes, open though nothing has come since."""
    until = (NOON + 2 * MINUTE).isoformat()
    said = {"known_until": until, "went_on_until": until}
    return finding("f", detected_at=NOON + MINUTE, actual=Decimal(50), document=said)


def test_a_burst_is_over_for_people_before_every_window_has_passed_it() -> None:
    """After as long as anything must be calm for, with what it cost; and told again if it goes on."""
    world = World(calm_burst())
    assert statuses(world.look(judged=NOON + 21 * MINUTE)) == ["firing"]
    (over,) = world.look(60, judged=NOON + 22 * MINUTE)
    assert over.status == "resolved"
    assert "$40.00 more in all" in (over.resolution or "")
    assert world.look(60, judged=NOON + 23 * MINUTE) == []
    closed = {"state": "closed", "ends_at": NOON + 2 * MINUTE, "document": {}, "closing": "over"}
    assert world.becomes(60, **closed) == []
    world = World(calm_burst())
    world.look(judged=NOON + 22 * MINUTE)
    assert statuses(world.look(60)) == ["resolved"]
    assert statuses(world.becomes(60, document={}, actual=Decimal(90))) == ["firing"]


def test_what_was_over_goes_on_when_it_is_dearer_by_a_tenth_and_the_same_finding() -> None:
    """A little more is what windows still hold; and another of its findings may be what another group tells."""
    world = World(calm_burst())
    world.look(judged=NOON + 22 * MINUTE)
    assert statuses(world.look(60)) == ["resolved"]
    assert world.becomes(60, document={}, actual=Decimal(54)) == []
    wide = finding("total", starts_at=NOON - MINUTE, expected=Decimal(1), actual=Decimal(900))
    world.view.group.members["total"] = wide
    assert world.look(1) == []
    assert world.speaking.waiting == {"f"}
    del world.view.group.members["total"]
    assert world.look(WAITS_FOR_OTHERS_S) == []
    world.view.group.members["total"] = wide
    assert world.look(1) == []
    assert statuses(world.look(WAITS_FOR_OTHERS_S)) == ["firing"]


def test_a_restart_does_not_open_again_what_is_over_for_people() -> None:
    """Though nothing was judged since, and its finding is open."""
    world = World(calm_burst())
    world.speaking.begin(["f"], {"anomaly/f": ("resolved", 300)})
    assert world.look(judged=None) == []
    assert statuses(world.becomes(60, document={}, actual=Decimal(90))) == ["firing"]


def test_what_may_be_planned_waits_until_it_is_known_whether_it_is() -> None:
    """Nobody is paged for what was announced; not for ever, either."""
    world = World()
    assert world.look(looked=False, planned=True) == []
    assert world.look(WAITS_FOR_CAUSE_S, looked=True, planned=True) == []
    assert world.look(1, planned=False, silenced="it is planned: Launch") == []
    world = World()
    assert world.look(planned=True) == []
    assert statuses(world.look(WAITS_FOR_PLANS_S)) == ["firing"]
