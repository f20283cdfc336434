"""What a part answers is passed on, and a part that does not answer is said to, in the form of the routes."""

import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import pytest

from stream_jobs.embedded.probe import fetch, nobody_answers, relayed, trouble
from stream_jobs.runtime.health import Answer, HealthServer


def test_an_answer_is_passed_on_as_it_is() -> None:
    """Refusals too."""
    for status in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE):
        said = Answer(status, b'{"a": 1}', "application/json")
        with HealthServer(0, lambda: None, routes={"/ask": lambda _, said=said: said}) as server:  # type: ignore[misc]
            assert relayed(f"{server.url}/ask?x=1") == said


def test_a_long_refusal_is_passed_on_whole() -> None:
    """Half of it would be no JSON."""
    said = Answer(HTTPStatus.SERVICE_UNAVAILABLE, json.dumps({"error": "m" * 4096}).encode(), "application/json")
    with HealthServer(0, lambda: None, routes={"/ask": lambda _: said}) as server:
        assert relayed(f"{server.url}/ask") == said


def test_where_there_is_no_part_yet_it_is_said_in_the_same_form() -> None:
    found = nobody_answers("starting")
    assert (found.status, found.content_type) == (HTTPStatus.SERVICE_UNAVAILABLE, "application/json")
    assert json.loads(found.body) == {"error": "starting"}


Asked = TypeVar("Asked")
DYING = (
    *(b"", b"nonsense\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nhalf"),
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 99\r\n\r\nhalf",
)


def asked_of_one_that_dies(ask: Callable[[str], Asked], said: bytes) -> Asked:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        found = ask(f"http://127.0.0.1:{listening.getsockname()[1]}/ask")
        thread.join()
    return found


@pytest.mark.parametrize("said", DYING)
def test_one_that_dies_in_its_answer_has_not_answered(said: bytes) -> None:
    found = asked_of_one_that_dies(relayed, said)
    assert found.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(found.body) == {"error": "the job does not answer"}
    assert found.content_type == "application/json"


@pytest.mark.parametrize("said", DYING)
def test_one_that_dies_in_its_answer_ends_nobody_else(said: bytes) -> None:
    """Metrics of the others, and what is ready, are still told."""
    assert asked_of_one_that_dies(fetch, said) is None
    if said != DYING[2]:  # the status alone says that it is ready
        assert asked_of_one_that_dies(trouble, said)
