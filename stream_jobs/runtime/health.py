"""/healthz, /readyz and /metrics of one process, on loopback unless told otherwise."""

import http
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import quote

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime.browsers import names_for
from stream_jobs.runtime.browsers.handler import GuardedHandler
from stream_jobs.runtime.ports import LOOPBACK

log = logging.getLogger(__name__)

NotReady = str | None
"""Why a process cannot do its work yet; None when it can."""
TEXT: Final = "text/plain; charset=utf-8"
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a route."""

    status: http.HTTPStatus
    body: bytes
    content_type: str = TEXT


Route = Callable[[str], Answer]
"""What answers a GET of one path. It is given what stands behind the '?', and is called from several threads."""


class HealthServer:
    """Answers from a thread of its own, so that a busy event loop does not look dead.

    /healthz: 200 while the process lives. /readyz: 200 when `not_ready()` is None, else 503 and the reason.
    /metrics: Prometheus text format; what `metrics` returns, by default those of this process.
    `routes`, by path: what jobs of this process answer beside these. One that fails gets 500, and a line in the log.
    Web pages get nothing, and requests must ask for the server by a name of its own (see browsers/): on loopback
    localhost, elsewhere its address, names that public DNS does not hold, and `allowed_hosts`.
    Raises ConfigError when it cannot listen there.
    """

    def __init__(
        self,
        port: int,
        not_ready: Callable[[], NotReady],
        *,
        host: str = LOOPBACK,
        allowed_hosts: Iterable[str] = (),
        metrics: Callable[[], bytes] = generate_latest,
        routes: Mapping[str, Route] | None = None,
    ) -> None:
        handler = _handler(not_ready, metrics, routes or {})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except (OSError, OverflowError, TypeError, UnicodeError) as error:
            raise ConfigError(
                f"cannot listen on {host}, port {port}, for /healthz, /readyz and /metrics: {error}; set "
                "SPENDSTREAM_HTTP_HOST and SPENDSTREAM_HTTP_PORT"
            ) from None
        self._server.daemon_threads = True
        address, port = self._server.server_address[:2]
        handler.names = names_for(str(address), allowed_hosts)
        self.port: int = port
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(
    not_ready: Callable[[], NotReady], metrics: Callable[[], bytes], routes: Mapping[str, Route]
) -> type[GuardedHandler]:
    *others, last = ("/healthz", "/readyz", "/metrics", *routes)
    hint = f"try {', '.join(others)} or {last}\n".encode()

    class Handler(GuardedHandler):
        def do_GET(self) -> None:  # noqa: N802 - http.server looks for this name
            path, _, query = self.path.partition("?")
            if path == "/healthz":
                self.answer(http.HTTPStatus.OK, b"ok\n")
            elif path == "/readyz":
                reason = not_ready()
                status = http.HTTPStatus.OK if reason is None else http.HTTPStatus.SERVICE_UNAVAILABLE
                self.answer(status, f"{reason or 'ready'}\n".encode())
            elif path == "/metrics":
                self.answer(http.HTTPStatus.OK, metrics(), CONTENT_TYPE_LATEST)
            elif path in routes:
                answer = _asked(routes[path], _quoted(query), path)
                self.answer(answer.status, answer.body, answer.content_type)
            else:
                self.answer(http.HTTPStatus.NOT_FOUND, hint)

    return Handler


def _quoted(query: str) -> str:
    """Bytes that a URL has only as %XX, as curl sends what is typed: written so. http.server reads them as Latin-1."""
    return quote(query.encode("latin-1"), safe=_ASCII)


def _asked(route: Route, query: str, path: str) -> Answer:
    try:
        return route(query)
    except Exception:
        log.exception("cannot answer %s", path)
        return Answer(http.HTTPStatus.INTERNAL_SERVER_ERROR, b"our own code fails on it, see the log\n")
