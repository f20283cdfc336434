"""PagerDuty's Events API v2 as documented: what it refuses, and what it makes of events with one dedup_key."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aiohttp import web

from tests.receivers.http_server import HttpReceiverServer

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
_EVENT = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}


@dataclass
class Incident:
    dedup_key: str
    state: Literal["triggered", "acknowledged", "resolved"] = "triggered"
    severity: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)


class PagerDuty(HttpReceiverServer):
    """POST /v2/enqueue. `incidents` has every one that was ever opened, in order."""

    def __init__(self, routing_key: str = ROUTING_KEY) -> None:
        super().__init__()
        self.routing_key = routing_key
        self.incidents: list[Incident] = []
        self.enqueue_url = f"{self.url}/v2/enqueue"

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return web.Response(status=404)
        if len(body) > 512 * 1024:
            return self.refuse(400, "the event is larger than 512 KiB")
        try:
            event = json.loads(body)
        except ValueError:
            return self.refuse(400, "is not JSON")
        problems = list(event_problems(event))
        if problems:
            return self.refuse(400, *problems)
        if event["routing_key"] != self.routing_key:
            return web.json_response({"status": "invalid event", "errors": ["Invalid routing key"]}, status=400)
        self._take(event)
        return web.json_response(
            {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}, status=202
        )

    def open_incident(self, dedup_key: str) -> Incident | None:
        return next((one for one in self.incidents if one.dedup_key == dedup_key and one.state != "resolved"), None)

    def _take(self, event: dict[str, Any]) -> None:
        incident = self.open_incident(event["dedup_key"])
        if event["event_action"] == "trigger":
            if incident is None:
                incident = Incident(event["dedup_key"])
                self.incidents.append(incident)
            incident.severity = event["payload"]["severity"]
        if incident is None:
            return  # acknowledging or resolving what is not open does nothing
        incident.events.append(event)
        if event["event_action"] == "acknowledge":
            incident.state = "acknowledged"
        elif event["event_action"] == "resolve":
            incident.state = "resolved"


def event_problems(event: Any) -> Any:
    """Everything the API would refuse, and what it would ignore without a word."""
    if not isinstance(event, dict):
        yield "is not an object"
        return
    yield from (f"unknown field {name}" for name in sorted(event.keys() - _EVENT))
    if not re.fullmatch("[0-9a-zA-Z]{32}", str(event.get("routing_key", ""))):
        yield "routing_key is not 32 characters long"
    if not 1 <= len(str(event.get("dedup_key", ""))) <= 255:
        yield "dedup_key is not 1 to 255 characters long"
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        yield "event_action is unknown"
    for link in event.get("links", ()):
        if not re.match("https?://", link.get("href", "")):
            yield "a link has no href"
    if event.get("event_action") == "trigger":
        yield from _payload_problems(event.get("payload"))


def _payload_problems(payload: Any) -> Any:
    if not isinstance(payload, dict):
        yield "payload is missing"
        return
    yield from (f"unknown field payload.{name}" for name in sorted(payload.keys() - _PAYLOAD))
    if not 1 <= len(payload.get("summary", "")) <= 1024:
        yield "payload.summary is not 1 to 1024 characters long"
    if not payload.get("source"):
        yield "payload.source is missing"
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        yield "payload.severity is unknown"
    if "timestamp" in payload and datetime.fromisoformat(payload["timestamp"]).tzinfo is None:
        yield "payload.timestamp has no offset"
    for name in ("component", "group", "class"):
        if name in payload and not (isinstance(payload[name], str) and payload[name]):
            yield f"payload.{name} is no text"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "payload.custom_details is no object"
