"""Threads for statements. Inserts have their own, so that slow questions never hold up the ledger."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stream_jobs.store.embedded.errors import refusal

R = TypeVar("R")


class StatementPool:
    """At most `threads` statements run, at most `queue` more wait; beyond that a request is refused at once."""

    def __init__(self, name: str, threads: int, queue: int) -> None:
        self.name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(threads)
        self._threads = threads
        self._queue = queue
        self.inside = 0

    async def __aenter__(self) -> "StatementPool":
        if self.inside >= self._threads + self._queue:
            raise refusal(
                202, "TOO_MANY_SIMULTANEOUS_QUERIES", f"{self.inside} statements run or wait already; try again later"
            )
        self.inside += 1
        try:
            await self._slots.acquire()
        except BaseException:
            self.inside -= 1
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()
        self.inside -= 1

    async def call(self, function: Callable[[], R]) -> R:
        """Run a blocking function in one of the pool's threads. If we are cancelled, it still runs to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
