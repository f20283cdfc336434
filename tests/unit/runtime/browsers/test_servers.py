"""The rule in front of both kinds of servers, over real sockets: every path, every method, every answer."""

import http.client
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

import pytest
from aiohttp import web

from stream_jobs.runtime.browsers import ANSWER_HEADERS, Names, names_for
from stream_jobs.runtime.browsers.handler import GuardedHandler
from stream_jobs.runtime.browsers.middleware import guard
from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK

SECRET = b"the answer"
FOREIGN = [
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Referer": "http://127.0.0.1:3000/page"},
    {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0"},
]


@contextmanager
def handler_server(names: Names) -> Iterator[int]:
    class Handler(GuardedHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802
            self.answer(200, SECRET)

        def do_POST(self) -> None:  # noqa: N802
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, SECRET)

    Handler.names = names
    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@contextmanager
def aiohttp_server(names: Names) -> Iterator[int]:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        if request.path == "/stream":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(SECRET)
            await response.write_eof()
            return response
        if request.path == "/broken":
            raise RuntimeError("broken")
        return web.Response(body=SECRET)

    app = web.Application()
    guard(app, names)
    for path in ("/", "/stream", "/broken"):
        app.router.add_route("*", path, answer)
    thread = LoopThread("server")
    thread.start()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    thread.run(runner.setup())
    thread.run(web.TCPSite(runner, LOOPBACK, 0).start())
    yield runner.addresses[0][1]
    thread.run(runner.cleanup())
    thread.stop()


@pytest.fixture(params=[handler_server, aiohttp_server])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with request.param(names_for(LOOPBACK)) as port:
        yield port


def ask(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    answer = response.status, dict(response.headers), response.read()
    connection.close()
    return answer


@pytest.mark.parametrize("headers", FOREIGN)
def test_pages_get_403_and_a_line_that_says_what_to_do(port: int, headers: dict[str, str]) -> None:
    """On paths that exist and others, by methods that exist and others, with and without a body."""
    for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS", "PATCH"):
        for path in ("/", "/nothing", "/%", "//evil.example/", "/?query=SELECT+1&user=spendstream"):
            body = b"x" * 1000 if method in ("POST", "PUT") else None
            status, answered, text = ask(port, method, path, headers, body)
            assert status == 403, (method, path)
            assert SECRET not in text
            assert answered.items() >= ANSWER_HEADERS.items()
            assert answered["Content-Type"].startswith("text/plain")
            if method != "HEAD":
                assert text.count(b"\n") == 1


def test_programs_and_typed_addresses_are_answered(port: int) -> None:
    """So the test above can fail."""
    typed = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for headers in ({}, typed | {"User-Agent": "Mozilla/5.0"}, {"Host": f"localhost:{port}"}):
        status, answered, text = ask(port, "GET", "/", headers)
        assert (status, text) == (200, SECRET)
        assert answered.items() >= ANSWER_HEADERS.items()
    assert ask(port, "POST", "/", {}, b"x")[2] == SECRET


def test_every_answer_has_the_headers(port: int) -> None:
    """Errors that the library answers, and streams."""
    for method, path in (("GET", "/nothing"), ("GET", "/stream"), ("DELETE", "/nothing")):
        _, answered, _ = ask(port, method, path, {})
        assert answered.items() >= ANSWER_HEADERS.items()
        assert "text/html" not in answered.get("Content-Type", "")


def test_what_follows_a_refused_body_is_no_request(port: int) -> None:
    """A page that can write a body must not get a second request out of it."""
    hidden = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    request = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        connection.sendall(request + hidden)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass  # the rest of the body was not read
    assert answer.startswith(b"HTTP/1.1 403")
    assert SECRET not in answer


def test_two_hosts_in_one_request_are_refused(port: int) -> None:
    """As they came over the wire."""
    for first, second in (("127.0.0.1", "evil.example"), ("evil.example", "127.0.0.1")):
        with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {first}\r\nHost: {second}\r\n\r\n".encode())
            answer = connection.recv(65536)
        assert answer.split(b"\r\n")[0].split()[1] in (b"403", b"400")


def test_the_operator_is_told_of_a_name_that_is_not_admitted(caplog: pytest.LogCaptureFixture) -> None:
    """Prometheus only says 403. Once for each name, without its control characters, and not without end."""
    with caplog.at_level(logging.WARNING, "spendstream.http"), handler_server(names_for("0.0.0.0")) as port:
        for host in [
            "metrics.example.com",
            "metrics.example.com",
            "a\x1b[31m.example",
            *map("h{}.example".format, range(99)),
        ]:
            assert ask(port, "GET", "/", {"Host": host})[0] == 403
    lines = [record.getMessage() for record in caplog.records]
    assert sum("'metrics.example.com'" in line for line in lines) == 1
    assert all("SPENDSTREAM_HTTP_ALLOWED_HOSTS" in line and "\x1b" not in line for line in lines)
    assert len(lines) <= 16
