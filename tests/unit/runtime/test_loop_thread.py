"""A server in a thread ends with everything that came to it."""

import asyncio
import contextlib
import gc
import socket
import threading
import time

import pytest

from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK, free_port


@pytest.mark.parametrize("pause_s", [0, 0.0005, 0.001, 0.005, 0.02])
def test_connections_end_with_the_thread_whatever_has_become_of_them(pause_s: float) -> None:
    """Those that the system has accepted and nobody has seen, those whose handler has just begun, and those that wait.
    What is left open would be a warning when it is collected, and warnings are errors here."""
    for _ in range(10):
        port = free_port()
        began: list[int] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, began: list[int] = began) -> None:
            began.append(1)
            try:
                await reader.read()
            finally:
                writer.transport.abort()

        thread = LoopThread("served")
        thread.start()
        server = thread.run(asyncio.start_server(serve, LOOPBACK, port))
        clients = [socket.create_connection((LOOPBACK, port)) for _ in range(10)]
        time.sleep(pause_s)
        thread.stop(server)
        for client in clients:
            client.settimeout(10)
            with contextlib.suppress(ConnectionResetError), client:
                assert client.recv(1) == b""
        thread.stop()
        assert "served" not in [other.name for other in threading.enumerate()]
        assert pause_s < 0.02 or len(began) == 10
    gc.collect()


def test_results_and_errors_come_to_who_waits() -> None:
    """`run` waits no longer than it may."""

    async def fails() -> None:
        raise ValueError("as asked")

    thread = LoopThread("asked")
    thread.stop()  # before its start there is nothing to stop
    thread.start()
    assert thread.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="as asked"):
        thread.run(fails())
    with pytest.raises(TimeoutError):
        thread.run(asyncio.sleep(60), 0.01)
    thread.stop()
