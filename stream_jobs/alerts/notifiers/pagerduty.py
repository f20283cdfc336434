"""PagerDuty, Events API v2: a group of alerts is one incident, whose dedup_key is the group's id.

https://developer.pagerduty.com/docs/send-alert-event
"""

import json
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.notifiers.http import HttpClient
from stream_jobs.alerts.receivers import PagerDutyReceiver
from stream_jobs.alerts.text import PLAIN, clean, compose, headline, render, scope_text, shorten

MAX_SUMMARY: Final = 1024
MAX_FIELD: Final = 255
MAX_EVENT_BYTES: Final = 512 * 1024
_ACTIONS: Final = {"trigger": "trigger", "update": "trigger", "acknowledge": "acknowledge", "resolve": "resolve"}
"""An update is a trigger with the same dedup_key: PagerDuty adds it to the incident and pages nobody again."""


class PagerDutyNotifier:
    def __init__(self, receiver: PagerDutyReceiver, secrets: Mapping[str, SecretStr]) -> None:
        self._url = receiver.url
        self._source = receiver.source
        self._zone = ZoneInfo(receiver.timezone)
        self._key = secrets["routing_key"]
        self._http = HttpClient(receiver, secrets)

    async def send(self, notification: Notification) -> str:
        """Harmless to repeat: the same dedup_key is the same incident. (A late trigger would open a resolved one
        again, so states of a group must be sent in order.)"""
        body = event_body(notification, self._key.get_secret_value(), self._source, self._zone)
        try:
            answer = await self._http.request("POST", self._url, body, {"Content-Type": "application/json"})
        except DeliveryError as error:
            # The API answers 400 to a key that is not, or no longer, that of an integration, which may be made again.
            error.retry = error.retry or "routing" in str(error).casefold()
            raise
        return answer.in_words(self._http.redact)

    async def close(self) -> None:
        await self._http.close()


def event_body(notification: Notification, routing_key: str, source: str, zone: tzinfo) -> bytes:
    """At most MAX_EVENT_BYTES: what is too large loses the alerts' details, never its text."""
    event = _event(notification, routing_key, source, zone)
    body = json.dumps(event).encode()
    if len(body) > MAX_EVENT_BYTES:
        event["payload"]["custom_details"] = {"text": shorten("\n".join(_lines(notification, zone)), 20_000)}
        body = json.dumps(event).encode()
    return body


def _event(notification: Notification, routing_key: str, source: str, zone: tzinfo) -> dict[str, Any]:
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": _ACTIONS[notification.action],
        "dedup_key": notification.group_id,
    }
    if event["event_action"] != "trigger":
        return event  # the API wants a payload for triggers alone
    event["client"] = "spendstream"
    event["payload"] = _payload(notification, source, zone)
    link = compose(notification, zone).link
    if link:
        event["client_url"] = link
        event["links"] = [{"href": link, "text": "Details"}]
    return event


def _payload(notification: Notification, source: str, zone: tzinfo) -> dict[str, Any]:
    labels = notification.labels
    first = notification.alerts[0] if notification.alerts else None
    optional = {
        "component": labels.get("model") or labels.get("project") or labels.get("feature"),
        "group": labels.get("team") or (first.owner if first else None),
        "class": first.name if first else None,
    }
    return {
        "summary": headline(notification, MAX_SUMMARY),
        "source": source,
        "severity": notification.severity,
        "timestamp": notification.started_at.isoformat(),
        **{name: shorten(clean(value), MAX_FIELD) for name, value in optional.items() if value},
        "custom_details": {
            "text": "\n".join(_lines(notification, zone)),
            "change": clean(notification.change),
            "revision": notification.revision,
            "open_alerts": notification.open_alerts,
            "resolved_alerts": notification.resolved_alerts,
            "money_usd": f"{notification.money_usd:f}",  # exact, as text
            "scope": scope_text(labels),
            "alerts": [
                {
                    "alert_id": alert.alert_id,
                    "name": alert.name,
                    "status": alert.status,
                    "severity": alert.severity,
                    "summary": clean(alert.summary),
                    "money_usd": f"{alert.money_usd:f}",
                }
                for alert in notification.alerts
            ],
        },
    }


def _lines(notification: Notification, zone: tzinfo) -> list[str]:
    return render(compose(notification, zone).parts, PLAIN)
