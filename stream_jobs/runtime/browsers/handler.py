"""The rule for servers made of http.server."""

import http
import logging
import reprlib
from http.server import BaseHTTPRequestHandler
from typing import ClassVar, Final

from stream_jobs.runtime.browsers.names import LOOPBACK_ONLY, SETTING, Names
from stream_jobs.runtime.browsers.rule import ANSWER_HEADERS, refusal

MAX_LOGGED_HOSTS: Final = 16
_readable = reprlib.Repr()
_readable.maxstring = 100

log = logging.getLogger("spendstream.http")


class GuardedHandler(BaseHTTPRequestHandler):
    """Answers a request only if the rule lets it pass. Subclasses have `do_GET` and the like, and may set `names`."""

    names: ClassVar[Names] = LOOPBACK_ONLY
    timeout = 30  # for a client that says nothing
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"
    _logged: ClassVar[set[str]] = set()

    def parse_request(self) -> bool:
        """Every method passes through here, also those that the subclass lacks."""
        if not super().parse_request():
            return False
        refused = refusal(self.command, self.headers.items(), self.names)
        if refused is None:
            return True
        if refused.unknown_host is not None and not self.names.loopback:
            self._tell_the_operator(refused.unknown_host)
        self.close_connection = True  # a body that was sent along is not read
        self.answer(http.HTTPStatus.FORBIDDEN, f"{refused.text}\n".encode())
        return False

    def answer(self, status: int, body: bytes = b"", content_type: str = "text/plain; charset=utf-8") -> None:
        """A whole answer; nobody is told that whoever asked has hung up meanwhile."""
        self.send_response(status)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        try:
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    def end_headers(self) -> None:
        """Errors that the base class answers end here too."""
        for name, value in ANSWER_HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def handle_expect_100(self) -> bool:
        """The interim answer needs no headers."""
        self.send_response_only(http.HTTPStatus.CONTINUE)
        super().end_headers()
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Requests every few seconds are not news."""

    def _tell_the_operator(self, host: str) -> None:
        """Prometheus does not show what a refusal says. Each name once, and not without end."""
        if host not in self._logged and len(self._logged) < MAX_LOGGED_HOSTS:
            self._logged.add(host)
            log.warning("refused a request for Host %s: %s can admit it", _readable.repr(host), SETTING)
