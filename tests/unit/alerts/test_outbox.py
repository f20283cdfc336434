"""Who is told what and when: merged, in order of gravity, and never lost."""

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas.alert_feed import AlertAck, AlertSignal, Silence
from stream_jobs.alerts.text import headline
from tests.unit.alerts.build import ack, document, over, signal, silence
from tests.unit.alerts.world import World

Record = AlertSignal | AlertAck | Silence


def world(*receivers: str, **changes: Any) -> World:
    return World(document(*(receivers or ("slack",)), **changes))


def test_a_new_group_waits_a_moment_and_is_told_as_one() -> None:
    """0.3 s by default; the notification lists the gravest first and adds up money and counts."""
    w = world()
    w.feed(signal("a", money_usd=Decimal("0.1")), signal("b", severity="critical", money_usd=Decimal("0.2")))
    assert w.tell_all("slack") == []
    w.advance(0.3)
    assert w.tell_all("slack") == ["trigger"]
    note = w.last("slack")
    assert [view.alert_id for view in note.alerts] == ["b", "a"]
    assert (note.severity, note.open_alerts, note.money_usd, note.change) == ("critical", 2, Decimal("0.3"), "2 new")


def test_updates_of_a_group_keep_their_distance() -> None:
    """What comes within the interval is told at its end, together."""
    w = world()
    w.feed(signal("a"))
    w.advance(1)
    w.tell_all("slack")
    for number in range(5):
        w.feed(signal(f"b{number}"))
        w.advance(10)
        assert w.tell_all("slack") == []
    w.advance(10)
    assert w.tell_all("slack") == ["update"]
    assert (w.last("slack").change, w.last("slack").open_alerts, w.last("slack").revision) == ("5 new", 6, 2)


def test_what_gets_graver_or_is_over_does_not_wait() -> None:
    """Severity, level, a graver newcomer; and the end."""
    w = world()
    w.feed(signal("a"))
    w.advance(1)
    w.tell_all("slack")
    for step, record in enumerate(
        [signal("a", 1, level=1), signal("a", 2, level=1, severity="error"), signal("b", severity="critical")]
    ):
        w.feed(record)
        assert w.tell_all("slack") == ["update"], step
    assert w.last("slack").change == "now critical, 1 new"
    w.feed(over("a", 3), over("b", 3))
    assert w.tell_all("slack") == ["resolve"]
    assert (w.last("slack").open_alerts, w.last("slack").resolved_alerts) == (0, 2)
    assert w.last("slack").severity == "critical", "the gravest of what was"


def test_a_group_that_begins_anew_has_another_id() -> None:
    """PagerDuty opens another incident, a channel another message."""
    w = world()
    for second in (0, 2):
        w.feed(signal("a", second))
        w.advance(1)
        w.feed(over("a", second + 1))
        assert w.tell_all("slack") == ["trigger", "resolve"]
    ids = [note.group_id for note in w.inboxes["slack"].notifications]
    assert (ids[0] == ids[1], ids[1] == ids[2], ids[2] == ids[3]) == (True, False, True)


def test_a_receiver_that_was_away_hears_the_latest_state_once_and_of_what_was_over_meanwhile() -> None:
    """An hour of flapping is two notifications, and every episode is in them."""
    w = world("slack", "pager")
    for second in range(0, 3600, 60):
        w.feed(signal("a", second), signal(f"short{second}", second, group="short"))
        w.advance(30)
        w.tell_all("slack")
        w.feed(over("a", second + 30), over(f"short{second}", second + 30, group="short"))
        w.advance(30)
        w.tell_all("slack")
    assert w.tell_all("pager") == ["trigger", "trigger", "resolve", "resolve"]
    change = w.inboxes["pager"].notifications[0].change
    assert change == "opened and resolved before it could be told: 2026-11-20 12:00:00 to 2026-11-20 12:59:30 UTC"
    for inbox in w.inboxes.values():
        assert len(inbox.notified) == len(set(inbox.notified)) == 120
        assert inbox.open == set()


def test_the_gravest_is_told_first() -> None:
    """When a limit makes them wait."""
    w = world()
    w.feed(*(signal(severity, group=severity, severity=severity) for severity in ("info", "critical", "warning")))
    w.advance(1)
    notified = [w.tell("slack") for _ in range(3)]
    assert [planned.notification.severity for planned in notified if planned] == ["critical", "warning", "info"]


def test_an_acknowledgement_of_all_is_told_and_of_some_is_not() -> None:
    """And when it gets worse afterwards, that is an update."""
    w = world()
    w.feed(signal("a"), signal("b"))
    w.advance(1)
    w.tell_all("slack")
    w.feed(ack("a"))
    w.advance(100)
    assert w.tell_all("slack") == []
    w.feed(ack("b", "r2"))
    assert w.tell_all("slack") == ["acknowledge"]
    assert w.last("slack").change == "looked after by ann"
    w.feed(signal("b", 1, level=1))
    assert w.tell_all("slack") == ["update"]
    w.feed(ack("b", "r3"))
    assert w.tell_all("slack") == ["acknowledge"]


def test_reminders_while_nobody_looks_after_it() -> None:
    """At the interval, until somebody does."""
    w = world(repeat_every="1h")
    w.feed(signal("a"))
    w.advance(1)
    w.tell_all("slack")
    w.advance(3599)
    assert w.tell_all("slack") == []
    w.advance(1)
    assert w.tell_all("slack") == ["update"]
    assert w.last("slack").change == "still open"
    w.feed(ack("a"))
    w.tell_all("slack")
    w.advance(7200)
    assert w.tell_all("slack") == []


def test_a_receiver_that_forgets_is_told_the_same_again() -> None:
    """Alertmanager: under the same key, acknowledged or not, until it is over."""
    alertmanager = {"name": "am", "type": "alertmanager", "url": "http://127.0.0.1:9", "resend_every_s": 60}
    w = World(document(receivers=[alertmanager], default=["am"]))
    w.feed(signal("a"))
    w.advance(1)
    w.tell_all("am")
    key = w.last("am").key
    w.advance(60)
    planned = w.next("am")
    assert planned is not None
    assert (planned.notification.key, planned.notified) == (key, ())
    w.outbox.delivered(planned, w.now)
    w.feed(over("a", 1))
    assert w.tell_all("am") == ["resolve"]


def test_silenced_alerts_are_not_told_until_the_silence_ends() -> None:
    """One that opens in it and still holds is told then; what was told before keeps its end."""
    w = world()
    w.feed(signal("told", group="told"))
    w.advance(1)
    w.tell_all("slack")
    w.feed(silence(begin_s=1, end_s=50), signal("a"), signal("b"), over("b", 1))
    w.advance(10)
    assert w.tell_all("slack") == []
    w.feed(over("told", 1, group="told"))
    assert w.tell_all("slack") == ["resolve"]
    w.advance(39)
    w.advance(0.3)
    assert w.tell_all("slack") == ["trigger"]
    assert w.inboxes["slack"].notified == [("told", 1), ("a", 1)]


@pytest.mark.parametrize(("value", "change"), [(100, "no longer silenced"), (150, "figures changed")])
def test_what_is_silenced_no_longer_is_told_as_that(value: int, change: str) -> None:
    """Its figures are as they were; if they are not, that is news."""
    w = world()
    w.feed(signal("a", value=Decimal(100)))
    w.advance(1)
    assert w.tell_all("slack") == ["trigger"]
    w.feed(silence(begin_s=1, end_s=50))
    w.advance(49)
    w.feed(signal("a", 51, value=Decimal(value)))
    w.advance(60)
    assert w.tell_all("slack") == ["update"]
    assert w.last("slack").change == change


def test_corrected_figures_are_told_as_such() -> None:
    """People were told something that was not right."""
    w = world()
    w.feed(signal("a", value=Decimal(100)))
    w.advance(1)
    w.tell_all("slack")
    w.feed(signal("a", 1, value=Decimal(99), correction=True))
    w.advance(60)
    assert w.tell_all("slack") == ["update"]
    assert w.last("slack").change == "figures corrected"


def test_an_alert_that_is_over_is_corrected_in_an_episode_of_its_own() -> None:
    """The period was over and the alert with it; then a correction says that it was much less. People hear of that,
    once, and the incident is closed again."""
    w = world()
    w.feed(signal("a", value=Decimal(12)))
    w.advance(1)
    assert w.tell_all("slack") == ["trigger"]
    w.feed(over("a", 10, value=Decimal(12), resolution="the period is over"))
    w.advance(100)
    assert w.tell_all("slack") == ["resolve"]
    for _ in range(2):
        w.feed(over("a", 200, value=Decimal(3), correction=True, resolution="only 3"))
    w.advance(100)
    assert w.tell_all("slack") == ["trigger", "resolve"]
    note = w.inboxes["slack"].notifications[2]
    assert note.change == "corrected after it was resolved"
    assert headline(note).startswith("CORRECTED")
    assert w.inboxes["slack"].notified == [("a", 1), ("a", 2)]
    assert w.inboxes["slack"].open == set()


def test_what_changes_while_it_is_on_its_way_is_told_next() -> None:
    """The notification under way says what it said; the alert that is over by then gets its end."""
    w = world()
    w.feed(signal("a"))
    w.advance(1)
    planned = w.next("slack")
    assert planned is not None
    assert w.next("slack") is None, "one at a time"
    w.feed(over("a", 1), signal("b", 1))
    w.inboxes["slack"].hear(planned)
    w.outbox.delivered(planned, w.now)
    w.advance(60)
    assert w.tell_all("slack") == ["update"]
    assert w.last("slack").change == "1 new, 1 resolved"


def test_what_failed_is_told_with_what_came_since_and_the_same_under_the_same_key() -> None:
    """Nothing new: the same notification. Something new: another revision, of the same group."""
    w = world()
    w.feed(signal("a"))
    w.advance(1)
    first = w.next("slack")
    assert first is not None
    w.outbox.refused(first, for_good=False)
    again = w.next("slack")
    assert again == first
    w.outbox.refused(first, for_good=False)
    w.feed(signal("b"))
    merged = w.next("slack")
    assert merged is not None
    assert merged.notification.group_id == first.notification.group_id
    assert (merged.notification.revision, merged.notification.key != first.notification.key) == (2, True)
    assert [episode for episode, _ in merged.notified] == ["a", "b"]


def test_what_was_refused_for_good_waits_for_other_rules_or_news() -> None:
    """And then it is tried again: nothing is dropped."""
    w = world()
    w.feed(signal("a"))
    w.advance(1)
    planned = w.next("slack")
    assert planned is not None
    w.outbox.refused(planned, for_good=True)
    w.advance(10_000)
    assert w.next("slack") is None
    assert w.outbox.pending("slack") == 1
    w.outbox.use(w.document)
    assert w.tell_all("slack") == ["trigger"]


def test_a_new_receiver_hears_of_what_is_open_and_of_nothing_that_was() -> None:
    """The rules change while it runs."""
    w = world()
    w.feed(signal("a"), signal("gone"), over("gone", 1))
    w.advance(1)
    w.tell_all("slack")
    rules = document("slack", "pager")
    from stream_jobs.alerts.routing import Routing

    w.book.use(Routing(rules), w.now)
    w.outbox.use(rules)
    w.outbox.reassess([alert for alert in w.book.alerts.values() if alert.active], w.now)
    w.advance(1)
    planned = w.next("pager")
    assert planned is not None
    assert planned.notified == (("a", 1),)
    w.advance(59)
    assert w.tell_all("slack") == []


def test_what_was_told_of_an_alert_whose_history_is_gone_harms_nothing() -> None:
    """Rows are kept for a time; a group that was told before goes on with what is left."""
    w = world()
    w.feed(signal("a"), signal("b"))
    w.advance(1)
    w.tell_all("slack")
    w.transitions = [change for change in w.transitions if change.alert_id != "a"]
    w.restart()
    w.feed(over("b", 1))
    assert w.tell_all("slack") == ["resolve"]


RECORDS = st.one_of(
    st.tuples(
        st.sampled_from(["firing", "resolved"]),
        st.sampled_from("abcd"),
        st.integers(0, 30),
        st.integers(0, 2),
        st.sampled_from(["info", "error"]),
        st.sampled_from("gh"),
        st.sampled_from(["search", "ads"]),
    ),
    st.tuples(st.just("ack"), st.sampled_from("abcd"), st.sampled_from(["r1", "r2", "r3"])),
    st.tuples(st.just("silence"), st.sampled_from("st"), st.integers(0, 200), st.integers(0, 100)),
)
"""Plain, so that Hypothesis can show a counterexample in few lines."""


def record_of(step: tuple[Any, ...]) -> Record:
    if step[0] == "ack":
        return ack(*step[1:])
    if step[0] == "silence":
        _, name, begin_s, lasts_s = step
        return silence(name, begin_s, begin_s + lasts_s, scope={"team": "search"})
    status, alert_id, second, level, severity, group, team = step
    more = {"level": level, "severity": severity, "group": group, "labels": {"team": team}, "value": Decimal(second)}
    return signal(alert_id, second, status=status, **more)


STEPS = st.lists(
    st.one_of(
        st.lists(RECORDS, min_size=1, max_size=4),
        st.sampled_from([0.1, 1.0, 70.0]),
        st.sampled_from(["slack", "pager"]),
        st.just("restart"),
    ),
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=400)
@given(STEPS, st.integers(0, 1000))
def test_none_is_lost_and_none_told_twice(steps: list[Any], seed: int) -> None:
    """Whatever opens, ends, is silenced or acknowledged, whichever attempts fail or are cut by a crash: in the end each
    receiver believes open exactly what is, and every episode was told to it for the first time once."""
    chance = random.Random(seed)
    w = world("slack", "pager", routes=[{"at_least": "error", "to": ["pager"], "continue": True}, {"to": ["slack"]}])
    for step in steps:
        if isinstance(step, list):
            w.feed(*map(record_of, step))
        elif isinstance(step, float):
            w.advance(step)
        elif step == "restart":
            w.restart()
        else:
            w.act(step, chance)
    w.advance(1000)  # the silences end
    w.restart()
    for _ in range(4):
        w.advance(70)
        for receiver in w.inboxes:
            w.tell_all(receiver)
    for receiver, inbox in w.inboxes.items():
        assert w.outbox.pending(receiver) == 0
        notified = w.recorded(receiver)
        assert max(notified.values(), default=1) == 1, "told twice for the first time"
        active = {(alert.alert_id, alert.episode) for alert in w.book.alerts.values() if alert.active}
        mine = {(a.alert_id, a.episode) for a in w.book.alerts.values() if a.active and receiver in a.receivers}
        assert mine <= inbox.open <= active
        pending = {
            (change.alert.alert_id, change.alert.episode)
            for change in w.transitions
            if change.alert
            and change.kind == "resolved"
            and receiver in change.alert.to_notify
            and change.alert.episode
        }
        assert pending | mine <= notified.keys() <= set(inbox.notified)
        by_group: dict[str, list[str]] = {}
        for row in w.deliveries:
            if row["receiver"] == receiver and row["state"] == "sent":
                by_group.setdefault(row["group_id"], []).append(row["action"])
        for actions in by_group.values():
            assert actions[0] == "trigger"
            assert "resolve" not in actions[:-1]
        if not inbox.open:
            assert all(actions[-1] == "resolve" for actions in by_group.values())
