"""A provider's API on this machine: answers every request with one body, or with the chunks of a stream."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class LocalApi:
    """`body`: a dict is the JSON of a response, a list the events of a stream (server-sent, ended by [DONE])."""

    def __init__(self, body: dict[str, Any] | list[dict[str, Any]]) -> None:

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if isinstance(body, list):
                    kind = "text/event-stream"
                    events = [f"event: {item.get('type', 'message')}\ndata: {json.dumps(item)}\n\n" for item in body]
                    data = "".join([*events, "data: [DONE]\n\n"]).encode()
                else:
                    kind, data = "application/json", json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
