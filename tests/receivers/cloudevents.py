"""An endpoint that takes CloudEvents 1.0 in structured mode, checks the signature and takes each id once."""

import json
import re
from datetime import datetime
from typing import Any

from aiohttp import web

from stream_jobs.alerts.notifiers.webhook import SIGNATURE_HEADER, verify_signature
from tests.receivers.http_server import HttpReceiverServer

SECRET = "a-signing-secret"
_REQUIRED = ("specversion", "id", "source", "type")
_KNOWN = {*_REQUIRED, "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"}


class CloudEventsEndpoint(HttpReceiverServer):
    """POST /alerts. `events` has each event once; a repeated id is answered with 200 and dropped."""

    def __init__(self, secret: str = SECRET) -> None:
        super().__init__()
        self.secret = secret
        self.endpoint_url = f"{self.url}/alerts"
        self.events: list[dict[str, Any]] = []

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if not verify_signature(self.secret, request.headers.get(SIGNATURE_HEADER, ""), body):
            return self.refuse(401, "the signature is wrong")
        if not request.headers.get("Content-Type", "").startswith("application/cloudevents+json"):
            return self.refuse(415, "is not application/cloudevents+json")
        event = json.loads(body)
        problems = list(event_problems(event))
        if problems:
            return self.refuse(400, *problems)
        if event["id"] in [known["id"] for known in self.events]:
            return web.Response(text="duplicate")
        self.events.append(event)
        return web.Response(text="taken")


def event_problems(event: dict[str, Any]) -> Any:
    """CloudEvents 1.0.2, section 3: context attributes."""
    for name in _REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            yield f"{name} is missing"
    yield from (
        f"attribute {name} is not lower-case a-z, 0-9" for name in event if not re.fullmatch("[a-z0-9_]+", name)
    )
    yield from (f"unknown attribute {name}" for name in sorted(event.keys() - _KNOWN))
    if event.get("specversion") != "1.0":
        yield "specversion is not 1.0"
    if "time" in event and datetime.fromisoformat(event["time"]).tzinfo is None:
        yield "time is not RFC 3339"
    if "data" in event and "data_base64" in event:
        yield "data is there twice"
