"""A receiver that fails is an alert to others."""

from datetime import datetime
from typing import Any

import pytest

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.alerts.book import AlertBook
from stream_jobs.alerts.health import FAILING_AFTER, PREFIX, Condition, Record, Trouble, changes
from stream_jobs.alerts.routing import Routing
from tests.unit.alerts.build import at, document, parsed, signal

AFTER_S = FAILING_AFTER.total_seconds()


class Room:
    """The book of a job that looks at its receivers."""

    def __init__(self, *names: str, **rules: Any) -> None:
        self.book = AlertBook(Routing(document(*names, **rules)))

    def look(self, seconds: float, **conditions: Condition) -> list[AlertSignal]:
        found = changes(conditions, self.book.alerts.values(), at(seconds))
        self.book.fold([parsed(one) for one in found], at(seconds))
        return found

    def told(self, name: str) -> tuple[str, ...]:
        return self.book.alerts[PREFIX + name].receivers


def failing(seconds: float = 0) -> Trouble:
    return Trouble("failing", at(seconds), "answered 503")


def test_it_is_said_once_and_taken_back_when_it_works() -> None:
    """With its problem and since when; another problem of the same kind is no news, another kind is."""
    room = Room("slack", "pager")
    assert room.look(0, slack="unknown", pager="works") == []
    (found,) = room.look(60, slack=failing(), pager="works")
    assert (found.status, found.severity, found.starts_at) == ("firing", "error", at(0))
    assert found.summary == "receiver slack takes no notifications: answered 503"
    assert "`spendstream alerts test slack`" in (found.action or "")
    assert room.look(61, slack=Trouble("failing", at(0), "answered 502"), pager="works") == []
    assert room.look(62, slack="unknown", pager="works") == [], "after a restart nobody knows yet"
    assert room.look(63, slack="usable", pager="works") == []
    (over,) = room.look(64, slack="works", pager="works")
    assert (over.status, over.resolution) == ("resolved", "it took the next notification")
    assert room.look(65, slack="works", pager="works") == []
    assert [one.status for one in room.look(200, slack=failing(140), pager="works")] == ["firing"]
    (gone,) = room.look(201, pager="works")
    assert gone.resolution == "there is no such receiver any more"


def test_what_cannot_be_used_is_over_when_it_can_be() -> None:
    """Before anything is told, also after a restart."""
    room = Room("slack", "pager")
    (found,) = room.look(1, slack=Trouble("unusable", at(0), "KEY is not set"), pager="unknown")
    assert found.summary == "receiver slack cannot be used: KEY is not set"
    assert room.look(2, slack="unknown", pager="unknown") == []
    (over,) = room.look(3, slack="usable", pager="unknown")
    assert over.resolution == "it can be used"


def test_what_is_given_up_is_named_by_its_group() -> None:
    """So that somebody looks at what the receiver was not told."""
    room = Room("slack", "pager")
    group_id = "budget/search/2026-11-de5569f0ef1d"
    (found,) = room.look(1, slack=Trouble("given_up", at(0), "answered 400", group_id), pager="works")
    assert "refused a notification, which is given up: answered 400" in found.summary
    assert f"`spendstream alerts list --all --group {group_id}`" in (found.action or "")


@pytest.mark.parametrize(
    ("names", "rules", "told"),
    [
        (("slack", "pager"), {"default": ["slack", "pager"]}, ("pager",)),
        (("slack", "pager"), {"default": ["slack"]}, ("pager",)),
        (("slack", "pager", "mail"), {"default": ["mail"], "routes": [{"to": ["slack"]}]}, ("mail",)),
        (("slack", "pager", "mail"), {"default": ["slack"], "routes": [{"to": ["slack"]}]}, ("pager", "mail")),
        (("slack",), {"default": ["slack"]}, ()),
    ],
)
def test_another_receiver_is_told(names: tuple[str, ...], rules: dict[str, Any], told: tuple[str, ...]) -> None:
    """Never the one that fails: of those of the routes, else the default ones, else all others. With one alone it is
    kept and listed."""
    room = Room(*names, **rules)
    room.look(60, **dict.fromkeys(names, "works") | {"slack": failing()})  # type: ignore[arg-type]
    assert room.told("slack") == told


def test_it_is_not_called_in_either() -> None:
    """When nobody looks after it, others are; the receiver itself could not."""
    rules = {"after": "15m", "at_least": "warning", "to": ["slack", "mail"]}
    room = Room("slack", "pager", "mail", default=["pager"], escalation={"unacknowledged": [rules]})
    room.look(60, slack=failing(), pager="works", mail="works")
    (called,) = room.book.tick(at(60 + 900)).transitions
    assert called.alert is not None
    assert called.alert.receivers == ("pager", "mail")


def test_who_sends_an_id_of_these_harms_nothing() -> None:
    """It is taken back: the receiver works."""
    room = Room("slack", "pager")
    room.book.fold([parsed(signal(PREFIX + "slack", 30, severity="critical"))], at(30))
    (over,) = room.look(5, slack="works", pager="works")
    assert over.observed_at > at(30)
    assert not room.book.alerts[PREFIX + "slack"].active


def record(*steps: tuple[str, float]) -> Record:
    made = Record()
    for step, seconds in steps:
        when: datetime = at(seconds)
        match step:
            case "made":
                made.can_be_used()
            case "unusable":
                made.cannot_be_used("no key", when)
            case "fails":
                made.failed("503", when)
            case "refuses":
                made.gave_up("400", "g", when)
            case "takes":
                made.took_it()
    return made


@pytest.mark.parametrize(
    ("steps", "seconds", "condition"),
    [
        ([], 0, "unknown"),
        ([("made", 0)], 0, "usable"),
        ([("unusable", 0), ("unusable", 30)], 31, Trouble("unusable", at(0), "no key")),
        ([("unusable", 0), ("made", 30)], 31, "usable"),
        ([("made", 0), ("fails", 1), ("fails", 5)], AFTER_S + 0.9, "usable"),
        ([("made", 0), ("fails", 1), ("fails", 5)], AFTER_S + 1, Trouble("failing", at(1), "503")),
        ([("made", 0), ("fails", 1), ("takes", 2), ("fails", 50)], AFTER_S + 1, "usable"),
        ([("made", 0), ("fails", 1), ("takes", 2)], AFTER_S + 1, "works"),
        ([("made", 0), ("refuses", 1)], 1, Trouble("given_up", at(1), "400", "g")),
        ([("made", 0), ("refuses", 1)], 9999, Trouble("given_up", at(1), "400", "g")),
        ([("made", 0), ("refuses", 1), ("takes", 1)], 2, Trouble("given_up", at(1), "400", "g")),
        ([("made", 0), ("refuses", 1), ("takes", 1)], AFTER_S + 1, "works"),
        ([("made", 0), ("fails", 1), ("fails", 90), ("refuses", 91)], 9999, Trouble("given_up", at(91), "400", "g")),
        ([("made", 0), ("refuses", 1), ("fails", 2)], AFTER_S + 2, Trouble("failing", at(2), "503")),
    ],
)
def test_how_a_receiver_stands(steps: list[tuple[str, float]], seconds: float, condition: Condition) -> None:
    """A minute of failures is a failure, until it answers, be it that it refuses; what it gave up is seen also if the
    next one is taken at once."""
    assert record(*steps).condition(at(seconds)) == condition
