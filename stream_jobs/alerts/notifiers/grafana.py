"""Grafana annotations: a mark where a group of alerts began, which becomes a region when all of it is over.

The group's annotation is found again by a tag, so nothing is remembered between two sends, and a repeated send changes
what the first one made. https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, tzinfo
from html import escape
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.notifiers.http import HttpClient
from stream_jobs.alerts.receivers import GrafanaReceiver
from stream_jobs.alerts.text import Style, clean, compose, fit_lines, render, shorten
from stream_jobs.base.instants import unix_micros

MAX_TEXT: Final = 4000
MAX_LINE: Final = 500
MAX_LISTING_BYTES: Final = 1024 * 1024
_HTML: Final = Style(lambda text: shorten(text, MAX_LINE, escape), "<b>{}</b>", "{}: {}", "- {}")
"""Grafana shows an annotation's text as HTML."""


class GrafanaNotifier:
    def __init__(self, receiver: GrafanaReceiver, secrets: Mapping[str, SecretStr]) -> None:
        self._receiver = receiver
        self._annotations_url = receiver.url.rstrip("/") + "/api/annotations"
        self._zone = ZoneInfo(receiver.timezone)
        self._http = HttpClient(receiver, secrets)
        self._headers = {
            "Authorization": f"Bearer {secrets['token'].get_secret_value()}",
            "Content-Type": "application/json",
        }

    async def send(self, notification: Notification) -> str:
        """Harmless to repeat: a group has one open annotation at most."""
        ids = await self._open(self._group_tag(notification))
        document = self._document(notification)
        if notification.action == "resolve":
            if not ids:
                return "200 no open annotation"  # closed by an earlier attempt, or deleted by somebody
            document["timeEnd"] = max(millis(notification.updated_at), millis(notification.started_at) + 1)
            for annotation in ids:
                await self._write("PATCH", f"{self._annotations_url}/{annotation}", document)
            return f"200 annotation {ids[0]} closed"
        if ids:
            await self._write("PATCH", f"{self._annotations_url}/{ids[0]}", document)
            return f"200 annotation {ids[0]} updated"
        if self._receiver.dashboard_uid is not None:
            document["dashboardUID"] = self._receiver.dashboard_uid
            if self._receiver.panel_id is not None:
                document["panelId"] = self._receiver.panel_id
        return await self._write("POST", self._annotations_url, document | {"time": millis(notification.started_at)})

    async def close(self) -> None:
        await self._http.close()

    def _document(self, notification: Notification) -> dict[str, Any]:
        kinds = sorted({alert.kind for alert in notification.alerts})
        tags = ["spendstream", self._group_tag(notification), f"severity:{notification.severity}"]
        tags += [f"kind:{kind}" for kind in kinds]
        tags += ["test"] if notification.test else []
        return {
            "text": annotation_text(notification, self._zone),
            "tags": list(dict.fromkeys((*tags, *self._receiver.tags))),
        }

    def _group_tag(self, notification: Notification) -> str:
        return group_tag(self._receiver.source, notification.group_id)

    async def _write(self, method: str, url: str, document: dict[str, Any]) -> str:
        answer = await self._http.request(method, url, json.dumps(document).encode(), self._headers)
        return answer.in_words(self._http.redact)

    async def _open(self, tag: str) -> list[int]:
        """The ids of the group's annotations that have no end yet, the oldest first."""
        query = urlencode({"type": "annotation", "tags": tag, "limit": 100})
        answer = await self._http.request(
            "GET", f"{self._annotations_url}?{query}", None, self._headers, MAX_LISTING_BYTES
        )
        try:
            found = json.loads(answer.body)
            return sorted(int(item["id"]) for item in found if item.get("timeEnd", 0) in (0, item["time"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        raise DeliveryError(f"receiver {self._receiver.name!r}: the url is not that of a Grafana")


def group_tag(source: str, group_id: str) -> str:
    """Grafana keeps at most 100 characters of a tag, and a group's id can have 255."""
    identity = json.dumps([source, group_id])
    return f"spendstream-group:{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def annotation_text(notification: Notification, zone: tzinfo) -> str:
    story = compose(notification, zone)
    lines = [f"<b>{escape(story.headline)}</b>", *render(story.parts, _HTML)]
    text = fit_lines(lines, MAX_TEXT)
    return f'{text}\n<a href="{escape(clean(story.link))}">Details</a>' if story.link else text


def millis(instant: datetime) -> int:
    """Milliseconds since 1970."""
    return unix_micros(instant) // 1000
