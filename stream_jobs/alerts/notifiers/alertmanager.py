"""Prometheus Alertmanager, API v2: a group of alerts is one alert there.

Alertmanager knows an alert by its labels, all of them, and people route by labels that change during a group's life:
the severity rises, the alerts of a grown group share fewer labels. Constant are `group` and `source` (the name of this
installation). So the notifier asks Alertmanager which alerts with these two it holds, and ends those whose labels are
no longer right in the same request that fires the right one. It remembers nothing itself: not a restart, nor another
worker that told Alertmanager in the meantime, can leave two alerts of one group firing.

Alertmanager keeps alerts in memory alone, so what holds must be sent again every `resend_every_s`; `endsAt` ends what
we no longer speak of.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.notifiers.http import HttpClient
from stream_jobs.alerts.receivers import OWN_ALERTMANAGER_LABELS, AlertmanagerReceiver
from stream_jobs.alerts.text import PLAIN, clean, compose, is_correction, render, shorten

MIXED_ALERTNAME: Final = "SpendstreamAlerts"
"""The alertname of a group whose alerts have several."""
MAX_VALUE: Final = 256
MAX_DESCRIPTION: Final = 8000
MAX_LISTING_BYTES: Final = 1024 * 1024
TEST_LASTS_S: Final = 300
CLOCK_MARGIN: Final = timedelta(minutes=1)
"""An end that Alertmanager's clock hasn't reached would not end anything: it keeps the later end that it was told
before. So ends lie this far in the past."""
_VERIFY_AGAIN_S: Final = 5.0


class AlertmanagerNotifier:
    def __init__(self, receiver: AlertmanagerReceiver, secrets: Mapping[str, SecretStr]) -> None:
        self._name = receiver.name
        self._alerts_url = receiver.url.rstrip("/") + "/api/v2/alerts"
        self._source = receiver.source
        self._labels = receiver.labels | {"source": receiver.source}
        self._firing_for = timedelta(seconds=receiver.firing_for_s)
        self._zone = ZoneInfo(receiver.timezone)
        self._http = HttpClient(receiver, secrets)
        self._headers = {"Content-Type": "application/json"}
        if "token" in secrets:
            self._headers["Authorization"] = f"Bearer {secrets['token'].get_secret_value()}"
        elif "password" in secrets:
            login = f"{receiver.username}:{secrets['password'].get_secret_value()}"
            self._headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"

    async def send(self, notification: Notification) -> str:
        """Harmless to repeat: it says what holds, not what has changed."""
        now = datetime.now(UTC)
        lasts = timedelta(seconds=TEST_LASTS_S) if notification.test else self._firing_for
        alert = firing(notification, self._labels, now + lasts, self._zone)
        held = await self._held(notification.group_id)
        if notification.action == "resolve":
            ended = held or [alert]  # a member of a cluster may know what this one has lost
            posted = [end(alert | item, min(notification.updated_at, now)) for item in ended]
        else:
            ended = [item for item in held if item["labels"] != alert["labels"]]
            posted = [*(end(alert | item, now) for item in ended), alert]
        await self._http.request("POST", self._alerts_url, json.dumps(posted).encode(), self._headers)
        if ended and held:
            await self._must_be_over(notification.group_id, ended)
        return f"200, {len(ended)} ended" if ended else "200"

    async def close(self) -> None:
        await self._http.close()

    async def _held(self, group_id: str) -> list[dict[str, Any]]:
        """The group's alerts that Alertmanager takes for firing, silenced and inhibited ones too."""
        matchers = [matcher("group", clean(group_id)), matcher("source", self._source)]
        url = f"{self._alerts_url}?{urlencode({'filter': matchers}, doseq=True, quote_via=quote)}"
        answer = await self._http.request("GET", url, None, self._headers, MAX_LISTING_BYTES)
        try:
            alerts = json.loads(answer.body)
            return [{"labels": dict(item["labels"]), "startsAt": str(item["startsAt"])} for item in alerts]
        except (ValueError, TypeError, KeyError):
            pass
        raise DeliveryError(f"receiver {self._name!r}: the url is not that of an Alertmanager with API v2")

    async def _must_be_over(self, group_id: str, ended: list[dict[str, Any]]) -> None:
        over = [item["labels"] for item in ended]
        if any(item["labels"] in over for item in await self._held(group_id)):
            raise DeliveryError(
                f"receiver {self._name!r} still holds an alert that was ended; does its clock go after ours?",
                retry_after_s=_VERIFY_AGAIN_S,
            )


def firing(notification: Notification, extra: Mapping[str, str], ends_at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """The group as an alert that fires until `ends_at`."""
    story = compose(notification, zone)
    annotations = {
        "summary": story.headline,
        "description": shorten("\n".join(render(story.parts, PLAIN)), MAX_DESCRIPTION),
        "money_usd": f"{notification.money_usd:f}",  # exact
        "open_alerts": str(notification.open_alerts),
        "resolved_alerts": str(notification.resolved_alerts),
        "revision": str(notification.revision),
        "change": clean(notification.change),
        "corrected": "true" if is_correction(notification) else "",
        "acknowledged_by": ", ".join(sorted({clean(alert.acknowledged_by) for alert in notification.alerts} - {""})),
    }
    alert: dict[str, Any] = {
        "labels": labels_of(notification, extra),
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": notification.started_at.astimezone(UTC).isoformat(),
        "endsAt": ends_at.isoformat(),
    }
    if story.link:
        alert["generatorURL"] = story.link
    return alert


def labels_of(notification: Notification, extra: Mapping[str, str]) -> dict[str, str]:
    """The alert's identity. Nothing in it counts or names a revision."""
    names = _common(alert.name for alert in notification.alerts)
    kind = _common(alert.kind for alert in notification.alerts)
    labels = {
        # `source` is the name of this installation there; which service the usage is from is another thing.
        label_name(f"usage_{name}" if name in OWN_ALERTMANAGER_LABELS else name): shorten(clean(value), MAX_VALUE)
        for name, value in sorted(notification.labels.items())
    }
    labels |= extra
    labels |= {
        "alertname": names or MIXED_ALERTNAME,
        "group": clean(notification.group_id),
        "severity": notification.severity,
        "kind": kind,
    }
    if notification.test:
        labels["test"] = "true"
    return {name: value for name, value in labels.items() if value}  # an empty label is none to Alertmanager


def end(alert: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The alert as over, told in the words of its last state. An end before the start is refused, so a short one ends
    where it starts."""
    starts_at = datetime.fromisoformat(alert["startsAt"])
    latest = datetime.now(UTC) - CLOCK_MARGIN
    starts_at = min(starts_at, latest)
    ends_at = max(starts_at, min(at, latest))
    return {**alert, "startsAt": starts_at.isoformat(), "endsAt": ends_at.isoformat()}


def label_name(name: str) -> str:
    """In Prometheus' alphabet."""
    safe = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return safe if not safe[:1].isdigit() else f"_{safe}"


def matcher(label: str, value: str) -> str:
    """label="value", quoted as Alertmanager reads it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{label}="{escaped}"'


def _common(values: Iterable[str]) -> str:
    """The value that all have; empty when there are several."""
    distinct = set(values)
    return clean(distinct.pop()) if len(distinct) == 1 else ""
