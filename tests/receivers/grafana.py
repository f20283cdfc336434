"""Grafana's annotation API: a store of annotations behind a bearer token."""

import json
from typing import Any

from aiohttp import web

from tests.receivers.http_server import HttpReceiverServer

TOKEN = "glsa_0123456789abcdef"


class Grafana(HttpReceiverServer):
    """`annotations` by id, as GET returns them; without timeEnd an annotation's end is its time."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.annotations: dict[int, dict[str, Any]] = {}

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "Invalid API key"}, status=401)
        if request.path == "/api/annotations" and request.method == "GET":
            wanted = set(request.query.getall("tags", []))
            limit = int(request.query.get("limit", "100"))
            found = [one for one in self.annotations.values() if wanted <= set(one["tags"])]
            return web.json_response(found[::-1][:limit])  # the newest first
        if request.path == "/api/annotations" and request.method == "POST":
            return self._add(json.loads(body))
        if request.path.startswith("/api/annotations/") and request.method == "PATCH":
            return self._patch(int(request.path.rpartition("/")[2]), json.loads(body))
        return web.json_response({"message": "Not found"}, status=404)

    def _add(self, document: dict[str, Any]) -> web.Response:
        problems = list(_problems(document, {"text", "tags", "time", "timeEnd", "dashboardUID", "panelId"}))
        if problems or not document.get("text"):
            return self.refuse(400, *(problems or ["text is empty"]))
        number = len(self.annotations) + 1
        self.annotations[number] = {"id": number, "timeEnd": document["time"], **document}
        return web.json_response({"message": "Annotation added", "id": number})

    def _patch(self, number: int, document: dict[str, Any]) -> web.Response:
        if number not in self.annotations:
            return web.json_response({"message": "Could not find annotation to update"}, status=404)
        problems = list(_problems(document, {"text", "tags", "time", "timeEnd"}))
        if problems:
            return self.refuse(400, *problems)
        self.annotations[number] |= document
        return web.json_response({"message": "Annotation patched"})


def _problems(document: dict[str, Any], known: set[str]) -> Any:
    yield from (f"unknown field {name}" for name in sorted(document.keys() - known))
    yield from (f"{name} is not milliseconds" for name in ("time", "timeEnd") if not _is_millis(document.get(name, 0)))
    yield from (f"the tag {tag} is too long" for tag in document.get("tags", ()) if len(tag) > 100)


def _is_millis(value: Any) -> bool:
    return isinstance(value, int) and (value == 0 or 10**12 < value < 10**13)
