"""What a part answers is passed on, and a part that does not answer is said to, in the form of the routes."""

import json
import socket
import threading
from http import HTTPStatus

import pytest

from stream_jobs.embedded.probe import relayed
from stream_jobs.runtime.health import Answer, HealthServer


def test_an_answer_is_passed_on_as_it_is() -> None:
    """Refusals too."""
    for status in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE):
        said = Answer(status, b'{"a": 1}', "application/json")
        with HealthServer(0, lambda: None, routes={"/ask": lambda _, said=said: said}) as server:  # type: ignore[misc]
            assert relayed(f"{server.url}/ask?x=1") == said


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nhalf"])
def test_one_that_dies_in_its_answer_has_not_answered(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        found = relayed(f"http://127.0.0.1:{listening.getsockname()[1]}/ask")
        thread.join()
    assert found.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(found.body) == {"error": "the job does not answer"}
    assert found.content_type == "application/json"
