"""What goes over the wire, against the vendors' formats; hostile and over-long texts too."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stream_jobs.alerts.notification import Notification
from stream_jobs.alerts.notifiers import alertmanager, grafana, mail, pagerduty, slack, webhook
from tests.receivers import cloudevents
from tests.receivers import pagerduty as pagerduty_server
from tests.receivers import slack as slack_server
from tests.receivers.examples import BUDGET_ALERT, LIFE, RESOLVE, TRIGGER, UPDATE, big_group, hostile

ZONE = ZoneInfo("UTC")
EVERYTHING = [*LIFE, big_group(), hostile(), replace(TRIGGER, alerts=(), labels={})]
KEY = pagerduty_server.ROUTING_KEY


def pagerduty_event(notification: Notification) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(pagerduty.event_body(notification, KEY, "spendstream", ZONE))
    return event


@pytest.mark.parametrize("notification", EVERYTHING)
def test_pagerduty_events_are_valid(notification: Notification) -> None:
    """Lengths, enumerations and required fields as published."""
    assert list(pagerduty_server.event_problems(pagerduty_event(notification))) == []
    assert len(pagerduty.event_body(notification, KEY, "s", ZONE)) <= pagerduty.MAX_EVENT_BYTES


def test_a_pagerduty_trigger_says_all_that_its_fields_are_for() -> None:
    """Severity, component, group and class are what PagerDuty's event rules look at."""
    event = pagerduty_event(TRIGGER)
    assert event["links"] == [{"href": BUDGET_ALERT.link, "text": "Details"}]
    payload = event["payload"]
    details = payload.pop("custom_details")
    assert payload == {
        "summary": "ERROR: Team search has spent 92 % of its budget for November",
        "source": "spendstream",
        "severity": "error",
        "timestamp": "2026-11-26T02:51:07.123456+00:00",
        "component": "gpt-4o",
        "group": "search",
        "class": "BudgetThreshold",
    }
    assert details["money_usd"] == "1234.567000000001"
    assert "Owner: alice@example.com" in details["text"]


def test_pagerduty_acknowledges_and_resolves_without_a_payload() -> None:
    """The key and the action are all that the API looks at then."""
    assert pagerduty_event(RESOLVE) == {
        "routing_key": KEY,
        "event_action": "resolve",
        "dedup_key": "search-monthly#1",
    }


def test_a_pagerduty_event_that_is_too_large_keeps_its_text() -> None:
    """512 KiB is the API's limit; people get the text all the same."""
    alerts = tuple(replace(BUDGET_ALERT, alert_id="😀" * 20_000) for _ in range(10))
    body = pagerduty.event_body(replace(big_group(), alerts=alerts), KEY, "s", ZONE)
    assert len(body) < pagerduty.MAX_EVENT_BYTES
    assert set(json.loads(body)["payload"]["custom_details"]) == {"text"}


@pytest.mark.parametrize("notification", EVERYTHING)
def test_slack_messages_are_valid(notification: Notification) -> None:
    """Limits of Block Kit hold, and nothing that comes from outside is markup."""
    assert list(slack_server.message_problems(slack.message(notification, ZONE))) == []


def test_a_slack_message_names_the_group() -> None:
    """Later messages about it are found by it."""
    blocks = slack.message(UPDATE, ZONE)["blocks"]
    assert blocks[-1]["elements"][0]["text"] == "Group search-monthly#1, state 2"
    assert blocks[0]["text"]["text"].startswith("🔴 CRITICAL (100 % crossed): ")
    assert "*At stake:* $1,234.57" in blocks[1]["text"]["text"]


@pytest.mark.parametrize("notification", EVERYTHING)
def test_cloud_events_are_valid(notification: Notification) -> None:
    """CloudEvents 1.0, and JSON that every parser takes."""
    event = json.loads(webhook.event_body(notification, "/spendstream", ZONE))
    assert list(cloudevents.event_problems(event)) == []


def test_a_cloud_event_carries_everything_exactly() -> None:
    """Amounts are strings of decimals; instants have an offset."""
    event = json.loads(webhook.event_body(TRIGGER, "/spendstream", ZONE))
    assert event["id"] == TRIGGER.key
    assert event["type"] == "io.spendstream.alert.trigger"
    assert event["subject"] == TRIGGER.group_id
    assert event["time"] == "2026-11-26T03:02:09+00:00"
    data = event["data"]
    assert data["money_usd"] == "1234.567000000001"
    assert data["started_at"] == "2026-11-26T02:51:07.123456+00:00"
    assert data["alerts"][0]["facts"][0] == {"name": "Spent", "text": "$9,234.57 of $10,000"}
    assert data["headline"].startswith("ERROR: ")


def test_a_signature_is_taken_from_its_maker_only() -> None:
    """Another secret, body or time is refused; so is what nobody could have signed."""
    body, secret = b'{"a":1}', "s3cret"
    header = webhook.sign(secret, body, 1_000_000)
    assert webhook.verify_signature(secret, header, body, now=1_000_100)
    assert webhook.verify_signature(secret, f"{header},v1=00", body, now=1_000_100), "while a secret is replaced"
    assert not webhook.verify_signature("other", header, body, now=1_000_100)
    assert not webhook.verify_signature(secret, header, body + b" ", now=1_000_100)
    assert not webhook.verify_signature(secret, header, body, now=1_000_301)
    assert not webhook.verify_signature(secret, header, body, tolerance_s=10, now=999_989)
    assert not webhook.verify_signature(secret, header.replace("t=1000000", "t=1000001"), body, now=1_000_100)
    for broken in ("", "t=,v1=", "v1=00", "t=1000000", "t=x,v1=é", "t=1,t=1000000,v1=00", "t=" + "9" * 400 + ",v1=0"):
        assert not webhook.verify_signature(secret, broken, body, now=1_000_100)


def test_the_signature_is_computed_as_documented() -> None:
    """Receivers in other languages follow the document: HMAC-SHA256 over t, a dot and the body."""
    digest = "b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"  # by openssl dgst -sha256 -hmac secret
    assert webhook.sign("secret", b"{}", 1_700_000_000) == f"t=1700000000,v1={digest}"


def test_alertmanager_labels_count_nothing() -> None:
    """Labels are the identity: revisions, amounts and counts in them would be a new alert each time."""
    one = alertmanager.labels_of(TRIGGER, {"cluster": "eu"})
    later = alertmanager.labels_of(
        replace(TRIGGER, revision=9, open_alerts=7, money_usd=Decimal(9), key="k"), {"cluster": "eu"}
    )
    assert one == later
    assert one == {
        "alertname": "BudgetThreshold",
        "group": "search-monthly#1",
        "severity": "error",
        "kind": "budget",
        "team": "search",
        "model": "gpt-4o",
        "cluster": "eu",
    }


def test_alertmanager_labels_of_a_mixed_group() -> None:
    """Alerts of several names have a name for the group; what they don't share is no label."""
    mixed = replace(TRIGGER, alerts=(BUDGET_ALERT, replace(BUDGET_ALERT, name="BudgetForecast", kind="forecast")))
    labels = alertmanager.labels_of(mixed, {})
    assert labels["alertname"] == alertmanager.MIXED_ALERTNAME
    assert "kind" not in labels


def test_the_source_of_usage_is_not_the_name_of_the_installation() -> None:
    """Alertmanager has one label of each name, and `source` is what tells our alerts from another installation's."""
    labels = alertmanager.labels_of(replace(TRIGGER, labels={"source": "chat", "labels.a.b": "t"}), {"source": "here"})
    assert (labels["source"], labels["usage_source"], labels["labels_a_b"]) == ("here", "chat", "t")


def test_label_names_and_matchers_are_in_prometheus_alphabet() -> None:
    """Whatever a label or group is called."""
    assert alertmanager.label_name("cost-center é") == "cost_center__"
    assert alertmanager.label_name("1st") == "_1st"
    assert alertmanager.matcher("group", 'a"b\\c') == 'group="a\\"b\\\\c"'


def test_an_end_lies_in_the_past_and_not_before_the_start() -> None:
    """Alertmanager refuses the one and ignores the other."""
    now = datetime.now(UTC)
    start = now - timedelta(hours=1)
    alert = {"labels": {}, "startsAt": start.isoformat()}
    ended = alertmanager.end(alert, now)
    assert datetime.fromisoformat(ended["endsAt"]) <= now - timedelta(seconds=59)
    ended = alertmanager.end(alert, start - timedelta(days=1))
    assert ended["endsAt"] == ended["startsAt"] == start.isoformat()
    young = alertmanager.end({"labels": {}, "startsAt": now.isoformat()}, now)
    assert young["startsAt"] == young["endsAt"] < now.isoformat()


def test_an_alertmanager_alert_tells_of_correction_and_acknowledgement() -> None:
    """As annotations, which don't make another alert of it."""
    alert = alertmanager.firing(replace(UPDATE, change="corrected"), {}, datetime(2027, 1, 1, tzinfo=UTC), ZONE)
    assert alert["annotations"]["corrected"] == "true"
    assert alert["annotations"]["money_usd"] == "1234.567000000001"
    assert alert["generatorURL"] == BUDGET_ALERT.link
    assert alert["endsAt"] == "2027-01-01T00:00:00+00:00"


@pytest.mark.parametrize("notification", EVERYTHING)
def test_mail_has_no_header_that_nobody_wrote(notification: Notification) -> None:
    """Line breaks in a summary add no Bcc; the HTML part holds no tag from outside."""
    made = mail.message(notification, "alerts@example.com", ("a@example.com", "b@example.com"), ZONE)
    raw = made.as_bytes()
    assert b"\nBcc" not in raw
    assert b"\x00" not in raw
    html = mail.html(notification, ZONE)
    assert "<script" not in html
    assert "</b>\r" not in html
    assert html.count("<b>") == html.count("</b>")


def test_mails_of_a_group_are_a_thread_and_a_repetition_has_the_same_id() -> None:
    """By References, since subjects differ."""
    first, again, second = (
        mail.message(one, "a@example.com", ("b@example.com",), ZONE) for one in (TRIGGER, TRIGGER, UPDATE)
    )
    assert first["Message-ID"] == again["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert first["X-Spendstream-Key"] == TRIGGER.key
    assert first["Subject"] == "ERROR: Team search has spent 92 % of its budget for November"
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]


def test_a_long_key_is_one_line_of_the_header() -> None:
    """Receivers compare it: folded or encoded it would be another."""
    made = mail.message(replace(TRIGGER, key="k" * 400), "a@example.com", ("b@example.com",), ZONE)
    assert b"X-Spendstream-Key: " + b"k" * 400 + b"\r\n" in made.as_bytes()


@pytest.mark.parametrize("notification", EVERYTHING)
def test_grafana_texts_are_escaped_and_bounded(notification: Notification) -> None:
    """Grafana shows them as HTML."""
    text = grafana.annotation_text(notification, ZONE)
    assert len(text) < grafana.MAX_TEXT + 1000
    assert "<script" not in text
    assert "<!channel" not in text


def test_a_grafana_tag_is_short_and_distinct() -> None:
    """Grafana cuts tags after 100 characters: two long group ids must not become one."""
    tags = {grafana.group_tag(source, "x" * 254 + end) for source in ("prod", "test") for end in "ab"}
    assert len(tags) == 4
    assert all(len(tag) <= 100 for tag in tags)
