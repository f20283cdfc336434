"""What becomes of an alert, whatever comes in whatever order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas.alert_feed import AlertAck, AlertSignal, Silence
from stream_jobs.alerts.book import AlertBook
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.model import Transition, packed, unpacked
from stream_jobs.alerts.routing import Routing
from tests.unit.alerts.build import NOW, ack, at, book, document, over, parsed, signal, silence

Record = AlertSignal | AlertAck | Silence


def feed(alerts: AlertBook, *records: Record, seconds: float = 0) -> list[Transition]:
    return alerts.fold([parsed(record) for record in records], at(seconds)).transitions


def kinds(transitions: list[Transition]) -> list[str]:
    return [transition.kind for transition in transitions]


def test_the_same_signal_again_does_nothing() -> None:
    """Nor does one that only was observed later: the condition is the same."""
    alerts = book()
    assert kinds(feed(alerts, signal(), signal(), signal(seconds=5))) == ["opened"]
    assert alerts.alerts["a"].observed_at == at(5)
    assert feed(alerts, signal(seconds=4, level=3)) == [], "older than what is known"


def test_a_life() -> None:
    """Opened, amended, escalated, acknowledged, open again because it got worse, over, and a second episode."""
    alerts = book()
    transitions = feed(
        alerts,
        *(signal(value=Decimal(80)), signal(seconds=1, value=Decimal(81)), signal(seconds=2, level=1), ack()),
        *(signal(seconds=3, level=1, severity="error"), over(seconds=4), signal(seconds=5), over(seconds=6)),
    )
    assert kinds(transitions) == [
        *("opened", "amended", "escalated", "acknowledged", "escalated", "resolved", "reopened", "resolved"),
    ]
    assert [transition.alert.status for transition in transitions if transition.alert] == [
        *("open", "open", "open", "acknowledged", "open", "resolved", "open", "resolved"),
    ]
    assert [transition.alert.episode for transition in transitions if transition.alert] == [1, 1, 1, 1, 1, 1, 2, 2]
    assert [transition.position for transition in transitions] == list(range(1, 9))


def test_people_hear_of_an_amended_figure_when_it_moved_enough_or_was_wrong() -> None:
    """20 %: the bound counts, and smaller steps add up."""
    alerts = book()
    feed(alerts, signal(value=Decimal(100)))
    noted = []
    for step, (value, correction) in enumerate(
        [(110, False), (119, False), (120, False), (130, False), (131, True)], 1
    ):
        (transition,) = feed(alerts, signal(seconds=step, value=Decimal(value), correction=correction))
        assert transition.alert is not None
        noted.append(transition.alert.noted_position == transition.position)
    assert noted == [False, False, True, False, True]


def test_people_hear_of_what_is_less_grave_than_they_were_told() -> None:
    """The amount was raised: what was over budget is at 80 %, of the same spend."""
    alerts = book()
    feed(alerts, signal(value=Decimal(100), severity="error", level=100))
    for second, changes in ((1, {"level": 80}), (2, {"severity": "warning"})):
        facts: dict[str, Any] = {"severity": "error", "level": 80, **changes}
        (transition,) = feed(alerts, signal(seconds=second, value=Decimal(100), **facts))
        assert transition.alert is not None
        assert transition.alert.noted_position == transition.position
        assert transition.kind == "amended"


def test_causes_that_who_began_anew_does_not_know_stay() -> None:
    """They were looked for when a threshold was crossed. Of the quality of the data each finding has its own."""
    alerts = book()
    feed(alerts, signal(value=Decimal(80), causes=("bob",)), signal("q", kind="data_quality", causes=("bob",)))
    assert feed(alerts, signal(seconds=1, value=Decimal(80))) == []
    assert kinds(feed(alerts, signal(seconds=2, value=Decimal(81)), signal("q", 2, kind="data_quality"))) == [
        *("amended", "amended")
    ]
    assert [alerts.alerts[one].unpacked().causes for one in "aq"] == [("bob",), ()]
    feed(alerts, over(seconds=3, value=Decimal(3)), signal(seconds=4, value=Decimal(90)))
    assert alerts.alerts["a"].unpacked().causes == (), "another time it has other causes"


def test_who_knows_no_figures_any_more_does_not_take_them_from_what_is_over() -> None:
    """After a restart it is said again of each period of a month that it is over."""
    alerts = book()
    feed(alerts, signal(value=Decimal(120)), over(seconds=1, value=Decimal(120), resolution="120 of 100"))
    assert feed(alerts, over(seconds=2, resolution="the period is over")) == []
    assert alerts.alerts["a"].unpacked().resolution == "120 of 100"
    assert alerts.alerts["a"].observed_at == at(2)
    assert feed(alerts, signal(seconds=1, value=Decimal(120))) == []
    assert kinds(feed(alerts, signal("b"), over("b", 1))) == ["opened", "resolved"]


def test_what_is_over_is_corrected_when_its_figure_is_another() -> None:
    """Whoever began anew calls all a correction that came late; people hear of what is not as they were told."""
    for value, level, wanted in ((120, 100, False), (121, 100, False), (122, 100, True), (121, 80, True)):
        alerts = book()
        feed(alerts, signal(value=Decimal(120), level=100), over(seconds=1, value=Decimal(120), level=100, summary="x"))
        changed = over(seconds=2, value=Decimal(value), level=level, correction=True)
        found = kinds(feed(alerts, changed))
        assert found == (["reopened", "resolved"] if wanted else ["amended"]), (value, level)


def test_an_acknowledgement_of_what_is_not_open_is_refused_on_record() -> None:
    """Unknown and over; the same request twice counts once, also after the alert got worse."""
    alerts = book()
    assert kinds(feed(alerts, ack("nothing", "r0"), ack("nothing", "r0"))) == ["ack_refused"]
    assert kinds(feed(alerts, signal(), ack(), ack())) == ["opened", "acknowledged"]
    assert kinds(feed(alerts, signal(seconds=1, level=2), ack())) == ["escalated"]
    assert alerts.alerts["a"].status == "open"
    assert kinds(feed(alerts, over(seconds=2), ack(request_id="r2"))) == ["resolved", "ack_refused"]


def test_money_at_stake_makes_an_alert_grave() -> None:
    """From the bound on; and when it reaches it later, that is an escalation."""
    alerts = book(escalation={"money": [{"at_least_usd": 1000, "severity": "critical"}]})
    transitions = feed(alerts, signal(money_usd=Decimal("999.99")), signal(seconds=1, money_usd=Decimal(1000)))
    found = [(transition.kind, transition.alert.severity) for transition in transitions if transition.alert]
    assert found == [("opened", "warning"), ("escalated", "critical")]


def test_others_are_called_in_when_nobody_reacts() -> None:
    """After the time, once; not when somebody looks after it; and anew when it then gets worse."""
    rules = document(
        "slack",
        "pager",
        default=["slack"],
        escalation={"unacknowledged": [{"after": "15m", "at_least": "warning", "to": ["pager"]}]},
    )
    alerts = AlertBook(Routing(rules))
    feed(alerts, signal(), signal("mild", severity="info"))
    assert alerts.tick(at(899)).transitions == []
    (transition,) = alerts.tick(at(900)).transitions
    assert transition.alert is not None
    assert (transition.kind, transition.alert_id, transition.alert.receivers) == ("escalated", "a", ("slack", "pager"))
    assert alerts.tick(at(2000)).transitions == []
    feed(alerts, signal("b"), ack("b"), seconds=2000)
    assert alerts.tick(at(4000)).transitions == []
    feed(alerts, signal("b", 1, level=1), seconds=4000)
    assert alerts.tick(at(4899)).transitions == []
    assert len(alerts.tick(at(4900)).transitions) == 1


def test_silenced_time_is_no_time_without_a_reaction() -> None:
    """Nobody was to hear of it. What was open before the silence counts, and what is open after it, also of one that
    was silenced from the beginning, and after a restart."""
    rules = document(
        "slack",
        "pager",
        default=["slack"],
        escalation={"unacknowledged": [{"after": "15m", "at_least": "warning", "to": ["pager"]}]},
    )
    alerts = AlertBook(Routing(rules))
    feed(alerts, signal())
    feed(alerts, silence(begin_s=600, end_s=7800), seconds=600)
    feed(alerts, signal("new", 601), seconds=601)
    assert alerts.tick(at(7799)).transitions == []
    assert {change.kind for change in alerts.tick(at(7800)).transitions} == {"unsilenced"}
    alerts = AlertBook(Routing(rules), [unpacked(packed(alert)) for alert in alerts.alerts.values()])
    assert alerts.tick(at(8099)).transitions == []
    (first,) = alerts.tick(at(8100)).transitions
    assert (first.alert_id, first.note) == ("a", "nobody looked after it for 15 min: pager called in")
    assert alerts.tick(at(8699)).transitions == []
    assert [change.alert_id for change in alerts.tick(at(8701)).transitions] == ["new"]


def test_a_silence_hides_what_it_holds_for_and_only_while_it_lasts() -> None:
    """By labels, kind and alert; what is open when it begins and what opens meanwhile."""
    alerts = book()
    feed(alerts, signal(labels={"team": "search"}), signal("b", labels={"team": "ads"}))
    quiet = silence(scope={"team": "search"}, begin_s=10, end_s=20)
    assert feed(alerts, quiet) == [], "it has not begun"
    assert [(c.kind, c.alert_id) for c in alerts.tick(at(10)).transitions] == [("silenced", "a")]
    (opened,) = feed(alerts, signal("c", 11, labels={"team": "search"}), seconds=11)
    assert opened.alert is not None
    assert opened.alert.to_notify == ()
    feed(alerts, over("c", 12, labels={"team": "search"}), seconds=12)
    assert [(c.kind, c.alert_id) for c in alerts.tick(at(20)).transitions] == [("unsilenced", "a")]
    assert alerts.tick(at(21)).transitions == []


def test_lifting_a_silence_is_final() -> None:
    """The record that made it may come again afterwards."""
    alerts = book()
    feed(alerts, signal(), silence())
    assert alerts.alerts["a"].silenced_by == "s1"
    assert kinds(feed(alerts, silence(end_s=5), seconds=5)) == ["unsilenced"]
    folded = alerts.fold([parsed(silence())], at(6))
    assert (folded.transitions, folded.silences) == ([], [])


def test_a_storm_goes_to_the_overflow_of_its_kind() -> None:
    """New groups above the limit share one; those that are there keep their alerts, and another kind has its own."""
    alerts = book(grouping={"max_new_groups_per_minute": 3})
    feed(alerts, *(signal(f"a{n}", group=f"g{n}") for n in range(10)), signal("b", group="g1"))
    feed(alerts, signal("x", group="x", kind="anomaly"))
    groups = {alert_id: alert.group for alert_id, alert in alerts.alerts.items()}
    assert [groups[f"a{n}"] for n in range(4)] == ["g0", "g1", "g2", "spendstream-overflow:budget"]
    assert (groups["b"], groups["x"]) == ("g1", "x")
    feed(alerts, signal("later", group="later"), seconds=61)
    assert alerts.alerts["later"].group == "later"


def test_what_was_over_long_ago_is_looked_up(monkeypatch: Any) -> None:
    """The book holds only so many that are over; it says which it needs, and goes on with their next episode."""
    monkeypatch.setattr("stream_jobs.alerts.book.KEPT_RESOLVED", 2)
    alerts = book()
    last = {}
    for number in range(5):
        for transition in feed(alerts, signal(f"a{number}"), over(f"a{number}", 1)):
            last[transition.alert_id] = transition.alert
    assert sorted(alerts.alerts) == ["a3", "a4"]
    again = [parsed(signal("a0", 9))]
    assert alerts.unknown(again) == {"a0"}
    found = last["a0"]
    assert found is not None
    alerts.admit([found])
    (transition,) = alerts.fold(again, at(9)).transitions
    assert transition.alert is not None
    assert (transition.kind, transition.alert.episode) == ("reopened", 2)


def test_changed_rules_reach_the_alerts_that_are_there() -> None:
    """Other receivers at once; a graver severity is an escalation that is recorded."""
    alerts = book()
    feed(alerts, signal(money_usd=Decimal(50)), ack())
    rules = document("pager", escalation={"money": [{"at_least_usd": 10, "severity": "critical"}]})
    (transition,) = alerts.use(Routing(rules), at(5)).transitions
    assert transition.alert is not None
    assert (transition.kind, transition.alert.status, transition.alert.receivers) == ("escalated", "open", ("pager",))
    assert alerts.use(Routing(rules), at(6)).transitions == []


TIMES = st.integers(0, 6)
SIGNALS = st.builds(
    lambda alert_id, second, firing, level, value: signal(
        alert_id, second, status="firing" if firing else "resolved", level=level, value=Decimal(value)
    ),
    st.sampled_from("ab"),
    *(TIMES, st.booleans(), st.integers(0, 2), st.integers(0, 3)),
)


@given(st.lists(SIGNALS, max_size=12).flatmap(lambda items: st.tuples(st.just(items), st.permutations(items * 2))))
def test_the_facts_do_not_depend_on_order_or_repetition(pair: tuple[list[AlertSignal], list[AlertSignal]]) -> None:
    """The latest signal decides; of several of the same instant the graver one."""
    once, shuffled = book(), book()
    feed(once, *pair[0])
    feed(shuffled, *pair[1])

    def facts(alerts: AlertBook) -> dict[str, Any]:
        return {
            alert_id: (alert.active, alert.observed_at, alert.unpacked().model_copy(update={"observed_at": NOW}))
            for alert_id, alert in alerts.alerts.items()
        }

    assert facts(once) == facts(shuffled)


NEW_FACTS = st.builds(
    # That the same facts were observed later is not recorded, so a restart may forget it.
    lambda alert_id, second, firing, level: signal(
        alert_id, second, status="firing" if firing else "resolved", level=level, value=Decimal(second)
    ),
    st.sampled_from("ab"),
    *(TIMES, st.booleans(), st.integers(0, 2)),
)
RECORDS = st.one_of(
    NEW_FACTS,
    st.builds(ack, st.sampled_from("ab"), st.sampled_from(["r1", "r2", "r3"])),
    st.builds(lambda name, begin, lasts: silence(name, begin, begin + lasts), st.sampled_from("st"), TIMES, TIMES),
)
RULES: AlertsDocument = document(
    "slack",
    "pager",
    default=["slack"],
    escalation={"unacknowledged": [{"after": "3s", "at_least": "info", "to": ["pager"]}]},
)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(st.tuples(st.booleans(), st.lists(RECORDS, max_size=4)), max_size=8))
def test_a_restart_changes_nothing(bundles: list[tuple[bool, list[Record]]]) -> None:
    """Rebuilt from its rows after any bundle, and given that bundle again, the book and the history are what they would
    have been."""
    kept, restarted = AlertBook(Routing(RULES)), AlertBook(Routing(RULES))
    straight: list[Transition] = []
    rows: list[Transition] = []
    silences: list[Silence] = []
    for number, (dies, records) in enumerate(bundles):
        items = [parsed(record) for record in records]
        for alerts, history in ((kept, straight), (restarted, rows)):
            folded = alerts.fold(items, at(number))
            history.extend(folded.transitions + alerts.tick(at(number)).transitions)
            silences += folded.silences if alerts is restarted else []
        if dies:
            last = {row.alert_id: row.alert for row in rows if row.alert is not None and row.kind != "ack_refused"}
            alive = [unpacked(packed(alert)) for alert in last.values()]
            refused = [row.request_id for row in rows if row.kind == "ack_refused"]
            restarted = AlertBook(Routing(RULES), alive, silences, restarted.position, refused)
            assert not restarted.fold(items, at(number))
    assert kept.alerts == restarted.alerts
    assert straight == rows


def test_an_alert_survives_its_document() -> None:
    """Exact money, instants and the signal itself."""
    alerts = book()
    feed(alerts, signal(money_usd=Decimal("12345678901234567890.000000000001"), labels={"team": "ü"}))
    alert = alerts.alerts["a"]
    again = unpacked(packed(alert))
    assert again == alert
    assert again.money_usd == alert.unpacked().money_usd
    assert alert.opened_at + timedelta(0) == NOW
