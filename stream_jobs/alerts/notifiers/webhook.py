"""Any HTTP endpoint: CloudEvents 1.0 in structured mode, signed.

The event's `id` is the notification's key, the same for every attempt: an endpoint that has seen it can answer 200 and
do nothing. The header `X-Spendstream-Signature: t=<unix seconds>,v1=<hex>` holds the HMAC-SHA256 of `<t>.<body>`.
An endpoint checks it with `verify_signature`, which needs nothing but the standard library; ../WEBHOOKS.md is for them.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr

from stream_jobs.alerts.notification import Notification
from stream_jobs.alerts.notifiers.http import HttpClient
from stream_jobs.alerts.receivers import WebhookReceiver
from stream_jobs.alerts.text import compose, plain

SIGNATURE_HEADER: Final = "X-Spendstream-Signature"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
TYPE_PREFIX: Final = "io.spendstream.alert."


class WebhookNotifier:
    def __init__(self, receiver: WebhookReceiver, secrets: Mapping[str, SecretStr]) -> None:
        self._url = SecretStr(receiver.url) if receiver.url else secrets["url"]
        self._source = receiver.source
        self._zone = ZoneInfo(receiver.timezone)
        self._secret = secrets.get("secret")
        self._token = secrets.get("token")
        self._http = HttpClient(receiver, secrets)

    async def send(self, notification: Notification) -> str:
        """Harmless to repeat for an endpoint that remembers ids."""
        body = event_body(notification, self._source, self._zone)
        headers = {"Content-Type": CONTENT_TYPE}
        if self._secret is not None:
            headers[SIGNATURE_HEADER] = sign(self._secret.get_secret_value(), body, int(time.time()))
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        answer = await self._http.request("POST", self._url.get_secret_value(), body, headers)
        return answer.in_words(self._http.redact)

    async def close(self) -> None:
        await self._http.close()


def event_body(notification: Notification, source: str, zone: tzinfo) -> bytes:
    """All that is known, amounts as strings of decimals, instants in ISO 8601 and UTC; and the text for people."""
    story = compose(notification, zone)
    event = {
        "specversion": "1.0",
        "id": notification.key,
        "source": source,
        "type": TYPE_PREFIX + notification.action,
        "subject": notification.group_id,
        "time": notification.updated_at.astimezone(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {"headline": story.headline, "text": plain(story), **asdict(notification)},
    }
    return json.dumps(event, default=_as_json).encode()


def sign(secret: str, body: bytes, at: int) -> str:
    """The header's value. `at` is in seconds since 1970."""
    return f"t={at},v1={_digest(secret, str(at), body)}"


def verify_signature(
    secret: str, header: str, body: bytes, tolerance_s: float = 300.0, now: float | None = None
) -> bool:
    """Whether the body is what the holder of the secret sent, at most `tolerance_s` ago (against replays)."""
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    stamps = [value for name, value in pairs if name == "t"]
    signatures = [value for name, value in pairs if name == "v1"]  # several while a secret is being replaced
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit() and len(stamps[0]) <= 12):
        return False
    if abs((time.time() if now is None else now) - int(stamps[0])) > tolerance_s:
        return False
    wanted = _digest(secret, stamps[0], body)
    return any(hmac.compare_digest(wanted.encode(), signature.encode()) for signature in signatures)


def _digest(secret: str, stamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _as_json(value: object) -> object:
    """What json does not know."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} in a notification")
