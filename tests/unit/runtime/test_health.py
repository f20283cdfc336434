"""/healthz, /readyz and /metrics."""

import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from stream_jobs.runtime.health import Answer, HealthServer, NotReady

REASON: list[NotReady] = []


@pytest.fixture
def server() -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    Counter("things", "Things", registry=registry).inc(3)
    with HealthServer(0, lambda: REASON[-1], metrics=lambda: generate_latest(registry)) as server:
        yield server


def get(url: str | urllib.request.Request) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode(), response.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers["Content-Type"]


def test_healthz_says_that_the_process_lives(server: HealthServer) -> None:
    """Also while it is not ready: a restart would not help."""
    REASON.append("no broker")
    assert get(f"{server.url}/healthz")[:2] == (200, "ok\n")


def test_readyz_says_why_not(server: HealthServer) -> None:
    """503 with the reason, 200 once there is none; a query string changes nothing."""
    REASON.append("not in the group")
    assert get(f"{server.url}/readyz")[:2] == (503, "not in the group\n")
    REASON.append(None)
    assert get(f"{server.url}/readyz?verbose=1")[:2] == (200, "ready\n")


def test_metrics_are_prometheus_text(server: HealthServer) -> None:
    """What the function that it was given returns."""
    status, body, content_type = get(f"{server.url}/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    assert "things_total 3.0\n" in body


def test_everything_else_is_404_with_a_hint(server: HealthServer) -> None:
    """Somebody typed the bare address."""
    assert get(server.url)[:2] == (404, "try /healthz, /readyz or /metrics\n")


def test_what_jobs_answer_beside_these(caplog: pytest.LogCaptureFixture) -> None:
    """Each is given its query; one that fails takes nothing else with it."""

    def fails(query: str) -> Answer:
        raise ZeroDivisionError(query)

    routes = {"/twice": lambda query: Answer(HTTPStatus.ACCEPTED, (query * 2).encode(), "text/x"), "/fails": fails}
    with HealthServer(0, lambda: None, routes=routes) as server:
        assert get(f"{server.url}/twice?a=1") == (202, "a=1a=1", "text/x")
        assert get(f"{server.url}/fails")[0] == 500
        assert "cannot answer /fails" in caplog.text
        assert get(server.url)[1] == "try /healthz, /readyz, /metrics, /twice or /fails\n"


def test_a_question_in_bytes_is_the_one_that_is_written_with_percent_signs() -> None:
    """curl sends what is typed; who passes the question on may not."""
    with HealthServer(0, lambda: None, routes={"/ask": lambda query: Answer(HTTPStatus.OK, query.encode())}) as server:
        asked = f"GET /ask?a=\u65e5%ff&b=+\x01 HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(asked.encode())
            with connection.makefile("rb") as answer:
                assert answer.read().endswith(b"\r\n\r\na=%E6%97%A5%ff&b=+%01")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.nip.io"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_web_pages_get_nothing(server: HealthServer, path: str, headers: dict[str, str]) -> None:
    """A page whose name turns into our address (DNS rebinding), and one that embeds ours."""
    REASON.append(None)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{server.url}{path}", headers=headers), timeout=5)
    with caught.value as refused:
        assert (refused.code, refused.headers["X-Content-Type-Options"]) == (403, "nosniff")
        assert b"things" not in refused.read()


def test_outside_of_loopback_prometheus_asks_by_address_and_by_the_names_that_a_setting_admits() -> None:
    """Names of services without a dot need no setting; a name that anybody could register does."""
    with HealthServer(0, lambda: None, host="0.0.0.0", allowed_hosts=["*.prod.example.com"]) as server:
        for host, status in (
            (f"127.0.0.1:{server.port}", 200),
            ("10.0.0.5:8321", 200),
            ("worker-1:8321", 200),
            ("worker-1.prod.example.com:8321", 200),
            ("worker-1.example.com:8321", 403),
        ):
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", headers={"Host": host})
            found, body, _ = get(request)
            assert found == status, host
            assert ("SPENDSTREAM_HTTP_ALLOWED_HOSTS" in body) == (status == 403)


def test_it_listens_on_loopback_only(server: HealthServer) -> None:
    """Nothing is exposed unless told so."""
    assert server.url.startswith("http://127.0.0.1:")


def test_whoever_hangs_up_before_the_answer_is_nobodys_trouble(capfd: pytest.CaptureFixture[str]) -> None:
    """No traceback, and the next one is answered."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(_: str) -> Answer:
        asked.set()
        go_on.wait(10)
        return Answer(HTTPStatus.OK, b"x" * 10_000_000)

    with HealthServer(0, lambda: None, routes={"/slow": slow}) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert asked.wait(10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        go_on.set()
        assert get(f"{server.url}/slow")[0] == HTTPStatus.OK
    assert "Traceback" not in capfd.readouterr().err
