"""Slack's incoming webhooks: the limits of Block Kit for the blocks that can be used there."""

import json
import re
from typing import Any

from aiohttp import web

from tests.receivers.http_server import HttpReceiverServer

TOKEN = "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
_ENTITY = re.compile("&(?!(amp|lt|gt);)")
_MARKUP = re.compile(r"<(?!https?://[^<>|]+(\|[^<>]*)?>)")


class Slack(HttpReceiverServer):
    """POST /services/TOKEN. `messages` has what was taken."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.webhook_url = f"{self.url}/services/{token}"
        self._path = f"/services/{token}"
        self.messages: list[dict[str, Any]] = []

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path != self._path:
            return web.Response(status=404, text="no_service")
        try:
            message = json.loads(body)
            problems = list(message_problems(message))
        except (ValueError, KeyError, TypeError) as error:
            problems = [f"invalid_payload: {error!r}"]
        if problems:
            self.problems += problems
            return web.Response(status=400, text="invalid_blocks")
        self.messages.append(message)
        return web.Response(text="ok")


def message_problems(message: dict[str, Any]) -> Any:
    """What Slack would answer invalid_blocks to; and what would show a mention or link that nobody wrote."""
    if not message["text"]:
        yield "no text"
    if _ENTITY.search(message["text"]) or _MARKUP.search(message["text"]):
        yield "text is not escaped"
    if not 1 <= len(message["blocks"]) <= 50:
        yield "not 1 to 50 blocks"
    for block in message["blocks"]:
        if block["type"] == "header":
            yield from _text_problems(block["text"], ("plain_text",), 150)
        elif block["type"] == "section":
            yield from _text_problems(block["text"], ("mrkdwn", "plain_text"), 3000)
        elif block["type"] == "context":
            if not 1 <= len(block["elements"]) <= 10:
                yield "not 1 to 10 elements"
            for element in block["elements"]:
                yield from _text_problems(element, ("mrkdwn", "plain_text"), 3000)
        elif block["type"] != "divider":
            yield f"block type {block['type']} is not for incoming webhooks"


def _text_problems(text: dict[str, Any], types: tuple[str, ...], limit: int) -> Any:
    if text["type"] not in types:
        yield f"text type {text['type']}"
    if not 1 <= len(text["text"].encode("utf-16-le")) // 2 <= limit:
        yield f"not 1 to {limit} characters"
    if "emoji" in text and text["type"] != "plain_text":
        yield "emoji belongs to plain_text"
    if text["type"] == "mrkdwn" and (_ENTITY.search(text["text"]) or _MARKUP.search(text["text"])):
        yield f"not escaped: {text['text']}"
