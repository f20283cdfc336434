"""How many bytes of request bodies may be in memory: counted before they are read, so that no sender can fill it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from stream_jobs.store.embedded.errors import EngineError, refusal

WAIT_S: Final = 30.0  # a body that finds no room for so long is refused; its sender may come again


class BodyBudget:
    """Room for `total` bytes at once, `largest` of them for one request."""

    def __init__(self, total: int, largest: int, *, wait_s: float = WAIT_S) -> None:
        self.largest = largest
        self._free = total
        self._wait_s = wait_s
        self._returned = asyncio.Condition()

    @property
    def free(self) -> int:
        return self._free

    @asynccontextmanager
    async def room(self, declared: int | None) -> AsyncIterator["Room"]:
        """Room for one request, given back at the end. `declared` is its Content-Length, if it has one.

        Raises EngineError: 307 when it is larger than one request may be, 202 when there is no room for too long.
        """
        size = declared or 0
        if size > self.largest:
            raise too_large(self.largest)
        try:
            async with asyncio.timeout(self._wait_s), self._returned:
                await self._returned.wait_for(lambda: self._free >= size)
                self._free -= size
        except TimeoutError:
            raise _no_room() from None
        room = Room(self, size)
        try:
            yield room
        finally:
            async with self._returned:
                self._free += room.size
                self._returned.notify_all()

    def grow(self, by: int) -> None:
        """Take more without waiting: a request that holds some and waits for more could wait for another such one."""
        if by > self._free:
            raise _no_room()
        self._free -= by


class Room:
    """What one request has taken."""

    def __init__(self, budget: BodyBudget, size: int) -> None:
        self._budget = budget
        self.size = size

    @property
    def largest(self) -> int:
        return self._budget.largest

    def need(self, size: int) -> None:
        """Make sure that there is room for `size` bytes in all. Raises EngineError (307, 202)."""
        if size > self._budget.largest:
            raise too_large(self._budget.largest)
        if size > self.size:
            self._budget.grow(size - self.size)
            self.size = size


def too_large(max_bytes: int) -> EngineError:
    """The refusal of a body above the bound."""
    return refusal(307, "TOO_MANY_BYTES", f"The request is larger than {max_bytes} bytes; send it in parts")


def _no_room() -> EngineError:
    return refusal(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many large requests at once; try again later")
