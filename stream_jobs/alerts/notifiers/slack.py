"""Slack's incoming webhooks: each state of a group is a message of its own, since a webhook cannot edit.

https://docs.slack.dev/reference/block-kit/blocks
"""

import json
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from stream_jobs.alerts.notification import Notification
from stream_jobs.alerts.notifiers.http import HttpClient
from stream_jobs.alerts.receivers import SlackReceiver
from stream_jobs.alerts.text import Style, clean, compose, fit_lines, render, shorten

MAX_HEADER: Final = 150
MAX_SECTION: Final = 3000
MAX_BLOCKS: Final = 50
MAX_URL: Final = 3000
MAX_LINE: Final = 1000
_MARKS: Final = {"acknowledge": "👀", "resolve": "✅"}
_SEVERITY_MARKS: Final = {"info": "🔵", "warning": "🟡", "error": "🟠", "critical": "🔴"}


class SlackNotifier:
    def __init__(self, receiver: SlackReceiver, secrets: Mapping[str, SecretStr]) -> None:
        self._url = secrets["url"]
        self._zone = ZoneInfo(receiver.timezone)
        self._http = HttpClient(receiver, secrets)

    async def send(self, notification: Notification) -> str:
        """Not harmless to repeat: Slack shows every message it takes."""
        body = json.dumps(message(notification, self._zone)).encode()
        answer = await self._http.request(
            "POST", self._url.get_secret_value(), body, {"Content-Type": "application/json; charset=utf-8"}
        )
        return answer.in_words(self._http.redact)

    async def close(self) -> None:
        await self._http.close()


def message(notification: Notification, zone: tzinfo) -> dict[str, Any]:
    """Text for notifications and screen readers, and blocks."""
    story = compose(notification, zone)
    headline = f"{_MARKS.get(notification.action) or _SEVERITY_MARKS[notification.severity]} {story.headline}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": shorten(headline, MAX_HEADER), "emoji": True}}
    ]
    for part in story.parts:
        text = fit_lines(render([part], SLACK), MAX_SECTION)
        # Verbatim: what looks like a link or a name is none.
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}})
    if story.link and len(_link(story.link)) <= MAX_URL:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{_link(story.link)}|Details>"}})
    # A later message about the same alerts is found by it.
    group = f"Group {shorten(clean(notification.group_id), MAX_LINE, slack_escape)}, state {notification.revision}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": group, "verbatim": True}]})
    return {"text": shorten(headline, MAX_LINE, slack_escape), "blocks": blocks[:MAX_BLOCKS]}


def slack_escape(text: str) -> str:
    """Slack's three: without them a text could mention a channel or fake a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


SLACK: Final = Style(lambda text: shorten(text, MAX_LINE, slack_escape), "*{}*", "*{}:* {}", "• {}")


def _link(url: str) -> str:
    return slack_escape(clean(url)).replace("|", "%7C").replace(" ", "%20")
