"""An event loop in a thread of its own, for a server beside code that waits."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

T = TypeVar("T")

_TURNS: Final = 5
"""Of the loop, until a connection that the system has accepted is its handler's, and a closed one is gone."""


class LoopThread:
    """What runs in it is given by `run` and `begin` after `start`, and ended by `stop`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Its result. Raises what it raises, and TimeoutError."""
        return self.begin(coroutine).result(timeout_s)

    def stop(self, server: asyncio.Server | None = None) -> None:
        """Closes the server that runs in it, cancels all else, and waits until connections have ended, too. Safe to
        call twice."""
        if not self._thread.is_alive():
            return
        self.run(_end(server))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end(server: asyncio.Server | None) -> None:
    if server is not None:
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        # A connection that was accepted is lost with its socket open where its server is closed before it is made.
        await _turns()
        server.close()
    # A task that is cancelled before its first step closes nothing of what it was given: all begin first.
    await _turns()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await _turns()


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
