"""Room for requests that are looked at as a whole: bounded, and nobody keeps others out by standing in it.

A request takes room as its bytes arrive: what is only announced takes none. Where there is no more, the request that is
farthest behind makes room: its connection is closed, and its client sends again. Behind is who has had the time in
which a client of this machine sends a request of that size, or in which a broker takes one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

SMALL_BYTES: Final = 1024 * 1024
"""Clients close a batch at a megabyte by default. On this machine they send it in milliseconds."""
SMALL_ROOM_BYTES: Final = 64 * 1024 * 1024
LARGE_ROOM_BYTES: Final = 192 * 1024 * 1024
LARGE_START_S: Final = 0.5
LARGE_BYTES_PER_S: Final = 50_000_000
TAKEN_WITHIN_S: Final = 2.0
"""By the broker. One that stands still for as long holds up everybody in any case."""


class Place:
    """What one request has of a room."""

    def __init__(self, room: "Room", allowed_s: float, give_up: Callable[[], object]) -> None:
        self._room = room
        self.began = asyncio.get_running_loop().time()
        self.due = self.began + allowed_s  # without the time that it waits for others
        self.held_bytes = 0
        self.waiting = False
        self.give_up = give_up

    async def take(self, size: int) -> None:
        """For bytes that have arrived. May wait, for as long as nobody is behind."""
        await self._room._take(self, size)

    def arrived(self) -> None:
        """The request is whole, and is the broker's to take from here on."""
        self.due = asyncio.get_running_loop().time() + TAKEN_WITHIN_S + self.held_bytes / LARGE_BYTES_PER_S


class Room:
    """`limit_bytes` for all requests that are `small` or that are not."""

    def __init__(self, limit_bytes: int, *, small: bool) -> None:
        self._limit_bytes = limit_bytes
        self._small = small
        self._held_bytes = 0
        self._places: set[Place] = set()
        self._freed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def place(self, size: int, give_up: Callable[[], object]) -> AsyncIterator[Place]:
        """For a request that says it has `size` bytes; `give_up` ends its connection, from this thread."""
        allowed_s = 0.0 if self._small else LARGE_START_S + size / LARGE_BYTES_PER_S
        place = Place(self, allowed_s, give_up)
        self._places.add(place)
        try:
            yield place
        finally:
            if place in self._places:
                self._leave(place)
            async with self._freed:
                self._freed.notify_all()

    def _leave(self, place: Place) -> None:
        self._places.discard(place)
        self._held_bytes -= place.held_bytes

    async def _take(self, place: Place, size: int) -> None:
        """Raises TimeoutError for a place that is itself the farthest behind, or has had to make room."""
        loop = asyncio.get_running_loop()
        while self._held_bytes + size > self._limit_bytes and place in self._places:
            behind = self._farthest_behind(place)
            began = loop.time()
            if not behind.waiting and behind.due > began:
                place.waiting = True
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(behind.due - began), self._freed:
                        await self._freed.wait()
                place.waiting = False
                place.due += loop.time() - began
            elif place.held_bytes and place.due < min(behind.due, began):
                break
            else:
                self._leave(behind)
                behind.give_up()
        if place not in self._places or self._held_bytes + size > self._limit_bytes:
            raise TimeoutError
        place.held_bytes += size
        self._held_bytes += size

    def _farthest_behind(self, place: Place) -> Place:
        """Of the others that hold something: who is due first, or who came first where all of them wait for room."""
        others = [other for other in self._places if other is not place and other.held_bytes]
        moving = [other for other in others if not other.waiting]
        return min(moving, key=lambda other: other.due) if moving else min(others, key=lambda other: other.began)
