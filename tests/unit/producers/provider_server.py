"""A local HTTP server that answers as OpenAI and Anthropic do: whole, streamed, failing, and cut in the middle."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = ["The bill ", "for tea ", "is small."]
CUT = "cut"  # asked for as the model: the connection breaks before the last events
BARE = "bare"  # a stream without usage
FAILING = "failing"  # `response.failed`
BATCH = ["msg_b1", "msg_b2", None]  # the results of a batch; the last one failed

CHAT_USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
RESPONSE_USAGE = {
    "input_tokens": 100,
    "output_tokens": 20,
    "total_tokens": 120,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}


def chat(**more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(TEXT)}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": CHAT_USAGE,
    } | more


def chat_events(model: str) -> list[tuple[str | None, Any]]:
    def chunk(**fields: Any) -> tuple[None, Any]:
        return None, chat(object="chat.completion.chunk", usage=None) | fields

    def choice(text: str | None, reason: str | None = None) -> list[Any]:
        delta = {"role": "assistant", "content": text} if text else {}
        return [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}]

    events = [chunk(choices=choice(text)) for text in TEXT] + [chunk(choices=choice(None, "stop"))]
    return events + ([] if model == BARE else [chunk(choices=[], usage=CHAT_USAGE)])


def response(status: str = "completed") -> dict[str, Any]:
    content = [{"type": "output_text", "text": "".join(TEXT), "annotations": []}]
    output = [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}]
    done = status == "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-4o-2024-08-06",
        "status": status,
        "output": output if done else [],
        "usage": RESPONSE_USAGE if done else None,
        "error": {"code": "server_error", "message": "no"} if status == "failed" else None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def response_events(model: str) -> list[tuple[str, Any]]:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response("in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **at, "part": part},
        *({"type": "response.output_text.delta", **at, "delta": text, "logprobs": []} for text in TEXT),
        {"type": "response.failed", "response": response("failed")}
        if model == FAILING
        else {"type": "response.completed", "response": response()},
    ]
    return [(event["type"], event | {"sequence_number": number}) for number, event in enumerate(events)]


def message(**usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 1} | usage,
    }


def _has_result(asked: dict[str, Any]) -> bool:
    """Whether the service sends what a tool gave: the SDK says the rest with it, or the thread that it goes on with."""
    return "messages" in asked and not isinstance(asked["messages"][-1]["content"], str)


def turn(asked: dict[str, Any]) -> dict[str, Any]:
    """An agent's turns: the first one wants the tool that there is, the second one, which has its result, answers."""
    second = _has_result(asked)
    uses = asked.get("tools") and not second
    content = [{"type": "tool_use", "id": "toolu_1", "name": asked["tools"][0]["name"], "input": {}}] if uses else []
    return message(output_tokens=20) | {
        "id": "msg_2" if second else "msg_1",
        "content": content,
        "stop_reason": "tool_use" if uses else "end_turn",
    }


def turn_events(asked: dict[str, Any]) -> list[tuple[str, Any]]:
    whole = turn(asked)
    block = whole["content"][0] if whole["content"] else {"type": "text", "text": ""}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message() | {"id": whole["id"]}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": {"input_tokens": 100, "output_tokens": 20},
        },
        {"type": "message_stop"},
    ]
    return [(event["type"], event) for event in events]


def batch_lines() -> list[dict[str, Any]]:
    def result(found: str | None) -> dict[str, Any]:
        if found is None:
            return {"type": "errored", "error": {"type": "error", "error": {"type": "api_error", "message": "no"}}}
        return {"type": "succeeded", "message": message(output_tokens=20) | {"id": found, "stop_reason": "end_turn"}}

    return [{"custom_id": f"line{number}", "result": result(found)} for number, found in enumerate(BATCH)]


def message_events(_model: str) -> list[tuple[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message()},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in TEXT),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"input_tokens": 100, "output_tokens": 20},
        },
        {"type": "message_stop"},
    ]
    return [(event["type"], event) for event in events]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = asked["model"]
        if not asked.get("stream"):
            whole = {"/v1/chat/completions": chat(), "/v1/responses": response()}.get(self.path)
            self._whole("application/json", json.dumps(whole or turn(asked)).encode())
            return
        events: Any = {"/v1/chat/completions": chat_events, "/v1/responses": response_events}.get(
            self.path, message_events
        )(model)
        if asked.get("tools") or _has_result(asked):
            events = turn_events(asked)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for name, data in events[:-3] if model == CUT else events:
            self._chunk((f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n")
        if model == CUT:
            self.close_connection = True
            return
        if self.path == "/v1/chat/completions":
            self._chunk("data: [DONE]\n\n")
        self._chunk("")

    def do_GET(self) -> None:
        if self.path.startswith("/v1/messages/batches/") and self.path.endswith("/results"):
            self._whole("application/x-jsonl", "".join(f"{json.dumps(line)}\n" for line in batch_lines()).encode())
            return
        batch: dict[str, Any] = {"id": "b1", "type": "message_batch", "processing_status": "ended"}
        host = self.headers["host"]
        batch["results_url"] = f"http://{host}/v1/messages/batches/b1/results"
        self._whole("application/json", json.dumps(batch).encode())

    def _whole(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _chunk(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a client that left
            self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the tests' output is for tests."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left in the middle is what some of the tests are about."""


@contextlib.contextmanager
def serve() -> Iterator[str]:
    """The server's address while the block lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
