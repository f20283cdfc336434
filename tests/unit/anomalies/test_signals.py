"""What people read of findings of one cause, word for word, and in the form that receivers take."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.alerts.notification import AlertView, Notification, NotificationAction
from stream_jobs.alerts.notifiers import pagerduty, slack
from stream_jobs.alerts.text import compose, plain
from stream_jobs.anomalies.grouping import Group
from stream_jobs.anomalies.model import EVENTS, FindingRow
from stream_jobs.anomalies.signals import Told, firing, gone, head_of, level_of, over_text
from stream_jobs.anomalies.words import headline
from tests.receivers import pagerduty as pagerduty_server
from tests.receivers import slack as slack_server
from tests.unit.anomalies.telling_world import HOUR, NOON, finding

UNTIL = NOON + HOUR
TOLD = Told(
    until=UNTIL,
    causes=("user alice: +$99.60 of +$99.60 (100.0 %), 250 times, mostly by the number of requests",),
    compared="the same hours of earlier weeks",
    shared={"team": "search", "owner": "mara"},
)


def row(number: int, series: dict[str, str], expected: str) -> FindingRow:
    usual = Decimal(expected)
    figures = {"expected": usual, "actual": usual + Decimal("99.6"), "low": usual / 2, "high": usual * 2}
    return finding(f"f{number}", series, **figures)


def incident() -> Group:
    rows = [row(0, {}, "10"), row(1, {"team": "search"}, "4.4"), row(2, {"user_id": "alice"}, "0.4")]
    return Group("4f1c8a2be09d7731aa02", "up", {"user_id": "alice"}, {one.finding_id: one for one in rows})


def text(signal: AlertSignal, action: NotificationAction = "trigger") -> Notification:
    """As the alerts job hands it to receivers."""
    view = AlertView(
        **{name: getattr(signal, name) for name in ("alert_id", "kind", "name", "severity", "summary", "starts_at")},
        **{name: getattr(signal, name) for name in ("money_usd", "level", "labels", "facts", "causes", "action")},
        **{name: getattr(signal, name) for name in ("owner", "resolution")},
        status="open" if action == "trigger" else "resolved",
        updated_at=signal.observed_at,
    )
    return Notification(
        *("key", f"{signal.group}-1", 1, action, signal.severity, "new", (view,), 1, 0, signal.money_usd),
        *(signal.starts_at, signal.observed_at, signal.labels),
    )


def test_a_message_says_what_came_instead_of_what_since_when_why_and_what_to_do() -> None:
    """Word for word."""
    assert plain(compose(text(firing(incident(), TOLD, UNTIL)))).splitlines() == [
        "ERROR: user alice: $100.00 in the 1 hour since 2026-11-24 12:00 UTC, $0.400 expected (250 times)",
        "",
        "Owner: mara",
        "Where: team = search, owner = mara, user id = alice, anomaly = spike",
        "At stake: $99.60",
        "Expected: $0.400",
        "Actual: $100.00",
        "Usual range: $0.200 to $0.800",
        "Window: the 1 hour since 2026-11-24 12:00 UTC; figures go up to 2026-11-24 13:00 UTC",
        "If it goes on: $2,400.00 more per day",
        "Seen in: the last hour",
        "Reason: a burst; surprise 25 nats",
        "Compared with: the same hours of earlier weeks",
        "Moved as well: all usage; team search",
        "Finding: 4f1c8a2be09d7731aa02",
        "Since: 2026-11-24 12:00 UTC",
        "",
        "Probably because:",
        "- user alice: +$99.60 of +$99.60 (100.0 %), 250 times, mostly by the number of requests",
        "",
        "What to do:",
        "- See it and its cause: `spendstream anomalies show 4f1c8a2be09d7731aa02`. If it was to be expected: "
        "`spendstream anomalies mark 4f1c8a2be09d7731aa02 expected`. Tell others that you are on it: "
        "`spendstream alerts ack anomaly/4f1c8a2be09d7731aa02`",
    ]


def test_the_last_message_says_what_it_cost_in_all() -> None:
    """And why it is over."""
    group = incident()
    for finding_id, one in group.members.items():
        group.members[finding_id] = replace(one, state="closed", ends_at=NOON + 2 * HOUR, closing="over")
    signal = firing(group, TOLD, NOON + 3 * HOUR, ended=over_text(group, TOLD))
    said = plain(compose(text(signal, "resolve")))
    assert said.startswith("RESOLVED: user alice: $100.00 in the 2 hours from 2026-11-24 12:00 to 2026-11-24 14:00 UTC")
    assert (
        "Why: it is as usual again; from 2026-11-24 12:00 to 2026-11-24 14:00 UTC $100.00, $0.400 expected: "
        "$99.60 more in all"
    ) in said
    assert "If it goes on" not in said
    assert signal.status == "resolved"


@pytest.mark.parametrize("hostile", [False, True])
def test_receivers_take_it(hostile: bool) -> None:
    """Within what PagerDuty and Slack allow; hostile and huge names too."""
    group = incident()
    if hostile:
        name = "<!channel> `rm` \x1b[2J\n" * 40
        series = {"user_id": name[:128], "labels.x": name[:256]}
        group.members = {f"f{number}": row(number, series | {"team": f"t{number}"}, "1") for number in range(40)}
    signal = firing(group, replace(TOLD, causes=("x" * 5000,) * 20, shared={"owner": "o" * 300}), UNTIL)
    notification = text(signal)
    zone = ZoneInfo("UTC")
    event = json.loads(pagerduty.event_body(notification, pagerduty_server.ROUTING_KEY, "spendstream", zone))
    assert list(pagerduty_server.event_problems(event)) == []
    assert list(slack_server.message_problems(slack.message(notification, zone))) == []
    assert signal.summary.isprintable()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"direction": "down"},
            "all usage: $10.00 in the 1 hour since 2026-11-24 12:00 UTC, $110.00 expected (90.9 % less)",
        ),
        (
            {"kind": "silence", "direction": "down", "measure": EVENTS, "expected": Decimal(420), "actual": Decimal(0)},
            "all usage: nothing in the 1 hour since 2026-11-24 12:00 UTC, 420 requests expected",
        ),
        ({"kind": "dear_request"}, "all usage: a single request cost $110.00 at 2026-11-24 12:00 UTC"),
        (
            {"kind": "new_series", "expected": Decimal(0)},
            "all usage: $110.00 in the 1 hour since 2026-11-24 12:00 UTC, nothing expected",
        ),
        (
            {"expected": Decimal("0.001"), "actual": Decimal(50), "starts_at": NOON - timedelta(days=2)},
            "all usage: $50.00 in the 2 days 1 hour since 2026-11-22 12:00 UTC, $0.00100 expected (50,000 times)",
        ),
    ],
)  # fmt: skip
def test_each_kind_is_said_in_its_own_words(given: dict[str, Any], said: str) -> None:
    """The window is stated, with hour and day."""
    assert headline("all usage", finding("f", **given), UNTIL) == said


def test_the_head_is_the_narrowest_that_moved_nearly_as_far() -> None:
    """Of costs before requests, and of what is open before what is over."""
    group = incident()
    assert head_of(group).series.vals == ("alice",)
    group.members["f2"] = replace(group.members["f2"], state="closed", ends_at=UNTIL)
    assert head_of(group).series.vals == ("search",)
    small = finding("s", {"model": "m"}, expected=Decimal(0), actual=Decimal(1))
    group.members["s"] = small
    assert head_of(group).series.vals == ("search",)
    events = finding("e", {"model": "m"}, measure=EVENTS, expected=Decimal(0), actual=Decimal(10**6))
    group.members["e"] = events
    assert head_of(group).series.vals == ("search",)


def test_the_head_stays_while_it_holds_half_of_what_moved() -> None:
    """Figures of several series come at several times; a message does not change its subject with each of them."""
    group = incident()
    assert head_of(group).finding_id == "f2"  # whose series is the cause itself
    group.conditions, group.head = {"user_id": "alice", "model": "m"}, "f2"
    group.members["f1"] = replace(group.members["f1"], actual=Decimal(150))
    assert head_of(group).finding_id == "f2"
    group.members["f1"] = replace(group.members["f1"], actual=Decimal(500))
    assert head_of(group).finding_id == "f1"


def test_the_level_rises_with_the_severity_and_with_every_tenfold_of_the_money() -> None:
    """Then people are told again; requests of which nobody knows the money rise by severity alone."""
    assert level_of("error", Decimal("0.5")) == level_of("error", Decimal(99))
    levels = [level_of("error", Decimal(usd)) for usd in ("50", "500", "-5000")]
    assert levels == sorted(set(levels))
    assert level_of("critical", None) > level_of("error", Decimal(10**9))
    assert level_of("info", None) == 0


def test_a_fall_has_nothing_at_stake() -> None:
    """What is not spent is nothing that is lost."""
    fall = finding("f", direction="down")
    assert firing(Group("f", "down", {}, {"f": fall}), Told(UNTIL), UNTIL).money_usd == 0


def test_an_alert_without_a_finding_is_closed() -> None:
    """It has no figures any more."""
    signal = gone("anomaly/old", UNTIL)
    assert (signal.status, signal.value) == ("resolved", None)


def test_a_driver_says_its_ratio_and_about_what_it_costs() -> None:
    """In percent, per request, per token; the money is an estimate."""
    cache = finding("c", {"team": "search"}, kind="driver", measure="cache_rate", direction="down",
                    expected=Decimal("0.8"), actual=Decimal("0.1"), low=Decimal("0.7"), high=Decimal("0.9"),
                    per_day=Decimal(48), severity="warning")  # fmt: skip
    signal = firing(Group("g", "up", {}, {"c": cache}), Told(NOON + HOUR), NOON + HOUR)
    assert signal.summary == (
        "team search: 10.0 % cache rate in the 1 hour since 2026-11-24 12:00 UTC, "
        "80.0 % cache rate expected (87.5 % less)"
    )
    assert {fact.name: fact.text for fact in signal.facts}["If it goes on"] == "about $48.00 more per day"
    assert signal.money_usd == Decimal(2)
    over = replace(cache, state="closed", ends_at=NOON + 2 * HOUR, closing="over")
    assert over_text(Group("g", "up", {}, {"c": over}), Told()).endswith(
        "80.0 % cache rate expected: about $4.00 more in all"
    )
    price = replace(
        cache, measure="price_per_token", direction="up", expected=Decimal("0.0000021"), actual=Decimal("0.000021")
    )
    signal = firing(Group("g", "up", {}, {"c": price}), Told(NOON + HOUR), NOON + HOUR)
    assert "$0.0000210 a token in the 1 hour" in signal.summary


def test_the_head_does_not_become_a_wider_series_that_is_the_cause() -> None:
    """People were told of mallory, who is nearly all of it: her customer as a whole says less. A narrower cause says
    more."""
    group = incident()
    assert head_of(replace(group, conditions={"team": "search"}, head="f2")).finding_id == "f2"
    assert head_of(replace(group, conditions={"team": "search"}, head="f0")).finding_id == "f1"
    group.members["f1"] = replace(group.members["f1"], actual=Decimal(900))
    assert head_of(replace(group, conditions={"team": "search"}, head="f2")).finding_id == "f1"


def test_since_when_is_said_of_the_finding_that_is_told() -> None:
    """Not of another of its group."""
    group = incident()
    group.members["f0"] = replace(group.members["f0"], starts_at=NOON - HOUR)
    assert firing(group, TOLD, UNTIL).starts_at == NOON


def calm(row: FindingRow) -> FindingRow:
    """As usual since a quarter of an hour after its beginning."""
    quarter = (NOON + HOUR / 4).isoformat()
    return replace(row, document={"known_until": quarter, "went_on_until": quarter})


def test_what_is_open_and_as_usual_for_now_does_not_go_on() -> None:
    """Nobody is told what it would cost if it did, nor that it lasts: from when until when it did."""
    group = incident()
    group.members = {one.finding_id: calm(one) for one in group.members.values()}
    signal = firing(group, TOLD, UNTIL)
    facts = {fact.name: fact.text for fact in signal.facts}
    stretch = "the 15 minutes from 2026-11-24 12:00 to 2026-11-24 12:15 UTC"
    assert signal.summary.startswith(f"user alice: $100.00 in {stretch}, ")
    assert "If it goes on" not in facts
    assert facts["Window"] == f"{stretch}; as usual since"
    assert stretch.removeprefix("the 15 minutes ") in over_text(group, TOLD)


def test_people_are_told_of_what_goes_on_before_what_is_calm() -> None:
    """And where nothing does, of the cause, whether its own finding is closed already or not."""
    group = incident()
    group.members["f2"] = calm(group.members["f2"])
    assert head_of(group).finding_id == "f1"
    group.members["f2"] = replace(group.members["f2"], state="closed", ends_at=NOON + HOUR / 4, document={})
    group.members |= {one: calm(group.members[one]) for one in ("f0", "f1")}
    assert head_of(group).finding_id == "f2"
