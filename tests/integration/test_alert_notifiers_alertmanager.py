"""The notifier against Prometheus' Alertmanager itself: one alert for each group, whatever changes about it."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.notifiers import make_notifier
from stream_jobs.alerts.receivers import AlertmanagerReceiver
from tests.receivers.alertmanager import Alertmanager
from tests.receivers.examples import ACKNOWLEDGE, BUDGET_ALERT, LIFE, RESOLVE, TRIGGER, UPDATE, big_group, hostile
from tests.receivers.http_server import HttpReceiverServer, answering

GROUP = TRIGGER.group_id


@pytest.fixture(scope="module")
def webhook() -> Iterator[HttpReceiverServer]:
    """Where Alertmanager sends what it decides."""
    with HttpReceiverServer() as server:
        yield server


@pytest.fixture(scope="module")
def alertmanager(webhook: HttpReceiverServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path_factory.mktemp("alertmanager"), f"{webhook.url}/hook") as running:
        yield running


def send(url: str, *notifications: Notification, **fields: Any) -> list[str]:
    """By a notifier of its own, as after a restart."""

    async def go() -> list[str]:
        notifier = make_notifier(AlertmanagerReceiver(name="am", type="alertmanager", url=url, **fields), {})
        try:
            return [await notifier.send(notification) for notification in notifications]
        finally:
            await notifier.close()

    return asyncio.run(go())


def of(name: str, *states: Notification) -> list[Notification]:
    """The same states in a group of the test's own."""
    return [replace(state, group_id=name) for state in states]


def test_a_life_is_one_alert_at_a_time(alertmanager: Alertmanager) -> None:
    """Fired, graver, acknowledged, over; each state sent after a restart that forgot the one before."""
    seen = []
    for state in of("life", *LIFE):
        send(alertmanager.url, state)
        seen.append([alert["labels"]["severity"] for alert in alertmanager.alerts("life")])
    assert seen == [["error"], ["critical"], ["critical"], []]


def test_an_alert_says_what_people_and_routes_need(alertmanager: Alertmanager) -> None:
    """Labels to route by, annotations to read, an end in case nobody ends it."""
    send(alertmanager.url, *of("told", TRIGGER), labels={"cluster": "eu"})
    (alert,) = alertmanager.alerts("told")
    assert alert["labels"] == {
        "alertname": "BudgetThreshold",
        "group": "told",
        "source": "spendstream",
        "kind": "budget",
        "severity": "error",
        "team": "search",
        "model": "gpt-4o",
        "cluster": "eu",
    }
    assert alert["annotations"]["summary"] == "ERROR: Team search has spent 92 % of its budget for November"
    assert alert["generatorURL"] == BUDGET_ALERT.link
    assert datetime.fromisoformat(alert["startsAt"]) == TRIGGER.started_at.replace(microsecond=123000)
    left = datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left < timedelta(hours=25)


def test_sending_again_changes_nothing(alertmanager: Alertmanager) -> None:
    """Repeated because no answer came, or because Alertmanager forgets."""
    send(alertmanager.url, *of("again", TRIGGER, TRIGGER, UPDATE, UPDATE, ACKNOWLEDGE, UPDATE))
    assert len(alertmanager.alerts("again")) == 1
    assert send(alertmanager.url, *of("again", RESOLVE, RESOLVE)) == ["200, 1 ended", "200, 1 ended"]
    assert alertmanager.alerts("again") == []


def test_labels_that_a_grown_group_no_longer_shares_leave_no_second_alert(alertmanager: Alertmanager) -> None:
    """Two alerts of different teams share no team: the alert with the team ends as the one without begins."""
    grown = replace(
        UPDATE, labels={}, alerts=(BUDGET_ALERT, replace(BUDGET_ALERT, name="BudgetForecast")), open_alerts=2
    )
    send(alertmanager.url, *of("grown", TRIGGER))
    assert send(alertmanager.url, *of("grown", grown)) == ["200, 1 ended"]
    (alert,) = alertmanager.alerts("grown")
    assert alert["labels"]["alertname"] == "SpendstreamAlerts"
    assert "team" not in alert["labels"]


def test_two_groups_are_two_alerts(alertmanager: Alertmanager) -> None:
    """Also when the name of one is a part of the other's."""
    send(alertmanager.url, *of("twin", TRIGGER), *of("twin-2", TRIGGER), *of('twin"\\', TRIGGER))
    assert [len(alertmanager.alerts(name)) for name in ("twin", "twin-2", 'twin"\\')] == [1, 1, 1]
    send(alertmanager.url, *of("twin", RESOLVE))
    assert [len(alertmanager.alerts(name)) for name in ("twin", "twin-2", 'twin"\\')] == [0, 1, 1]


def test_what_others_tell_alertmanager_is_left_alone(alertmanager: Alertmanager) -> None:
    """Another installation with a group of the same name: neither ends the other's alert."""
    send(alertmanager.url, *of("shared", TRIGGER), source="staging")
    send(alertmanager.url, *of("shared", TRIGGER, UPDATE))
    assert len(alertmanager.alerts("shared")) == 2
    send(alertmanager.url, *of("shared", RESOLVE))
    assert [alert["labels"]["source"] for alert in alertmanager.alerts("shared")] == ["staging"]


def test_an_end_that_alertmanager_does_not_carry_out_is_tried_again() -> None:
    """Its clock goes far after ours: the alert would fire until its old end, and nobody would know."""
    stuck = {"labels": {"group": "stuck", "source": "spendstream"}, "startsAt": "2026-11-26T02:51:07.123Z"}
    with HttpReceiverServer() as server:
        server.failure = answering(200, json.dumps([stuck]))
        with pytest.raises(DeliveryError, match="does its clock go after ours") as caught:
            send(server.url, *of("stuck", RESOLVE))
        assert caught.value.retry
        posted = json.loads(next(got.body for got in server.requests if got.method == "POST"))
        assert posted[0]["labels"] == stuck["labels"]


def test_an_alert_that_is_over_at_once_ends(alertmanager: Alertmanager) -> None:
    """It began and ended within a second: its end is not before its start, nor in Alertmanager's future."""
    now = datetime.now(UTC)
    young = [replace(state, started_at=now, updated_at=now) for state in of("young", TRIGGER, RESOLVE)]
    send(alertmanager.url, young[0])
    assert len(alertmanager.alerts("young")) == 1
    send(alertmanager.url, young[1])
    assert alertmanager.alerts("young") == []


def test_a_group_that_comes_back_fires_again(alertmanager: Alertmanager) -> None:
    """After its end, under the same labels."""
    send(alertmanager.url, *of("back", TRIGGER, RESOLVE, TRIGGER))
    assert len(alertmanager.alerts("back")) == 1


def test_hostile_and_large_groups_are_taken(alertmanager: Alertmanager) -> None:
    """Label names outside of Prometheus' alphabet, control characters, 100,000 alerts."""
    send(alertmanager.url, hostile(), *of("large", big_group()))
    assert len(alertmanager.alerts("large")) == 1
    assert len(alertmanager.alerts("hostile")) == 1
    send(alertmanager.url, replace(hostile(), action="resolve"))
    assert alertmanager.alerts("hostile") == []


def test_a_test_ends_by_itself(alertmanager: Alertmanager) -> None:
    """Nobody resolves it."""
    send(alertmanager.url, replace(TRIGGER, group_id="trial", test=True))
    (alert,) = alertmanager.alerts("trial")
    assert alert["labels"]["test"] == "true"
    assert datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC) < timedelta(minutes=6)


def test_people_are_told_of_the_beginning_and_of_the_end(
    alertmanager: Alertmanager, webhook: HttpReceiverServer
) -> None:
    """What Alertmanager sends on: firing, then resolved, in the words of the last state."""

    def told(status: str) -> list[dict[str, Any]]:
        documents = [json.loads(got.body) for got in list(webhook.requests)]
        return [
            document
            for document in documents
            if document["groupLabels"] == {"group": "people"} and document["status"] == status
        ]

    async def until_told(status: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while not told(status):
                await asyncio.to_thread(webhook.wait_for, len(webhook.requests) + 1)
        return told(status)[-1]

    send(alertmanager.url, *of("people", TRIGGER))
    fired = asyncio.run(until_told("firing"))
    assert fired["alerts"][0]["annotations"]["summary"].startswith("ERROR: ")
    send(alertmanager.url, *of("people", RESOLVE))
    over = asyncio.run(until_told("resolved"))
    assert over["alerts"][0]["annotations"]["summary"].startswith("RESOLVED: ")


def test_an_alertmanager_that_forgot_is_told_again(webhook: HttpReceiverServer, tmp_path: Path) -> None:
    """It keeps alerts in memory: while it is away sending fails for now, and after its restart a resend restores it."""
    running = Alertmanager(tmp_path, f"{webhook.url}/hook")
    with running:
        send(running.url, TRIGGER)
    with pytest.raises(DeliveryError) as caught:
        send(running.url, UPDATE)
    assert caught.value.retry
    with running:
        assert running.alerts(GROUP) == []
        send(running.url, TRIGGER)
        assert len(running.alerts(GROUP)) == 1
