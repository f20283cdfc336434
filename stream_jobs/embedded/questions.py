"""Requests of one connection that the broker is not asked as they came, and what their answers become.

A broker answers in turn. So a request that it must not be given has another one go in its place, and when the answer to
that comes, the client is given its own. Tansu answers also a request to produce that wants no answer (acks=0); Kafka
does not, and clients close a connection on which an answer comes that they don't wait for.
"""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stream_jobs.embedded import producer_id_versions
from stream_jobs.embedded.api_versions import API_VERSIONS

MAX_QUESTION_BYTES: Final = 64 * 1024
MAX_ANSWER_BYTES: Final = 1024 * 1024
MAX_AWAITED: Final = 1_000
"""Of one connection. Then its next request waits: who wants no answers may send without end."""
TAKEN_WITHIN_S: Final = 30.0
_IN_PLACE: Final = struct.Struct(">hhih")  # api key, version, correlation id, no client id


@dataclass(frozen=True, slots=True)
class Awaited:
    """An answer of the broker that is not the client's. `become`: what the client is told instead; None: nothing."""

    correlation_id: int
    become: Callable[[bytes], bytes] | None


class Questions:
    """Those of one connection, on their way to the broker and back. All without their sizes.

    Each request that goes to the broker is counted by one call of `as_it_is`, `unanswered`, `asked`, `changed` or
    `refused`, and each answer by one of `comes`: which answer is whose does not depend on the correlation ids that a
    client chooses.
    """

    def __init__(self) -> None:
        self._sent = 0
        self._answered = 0
        self._awaited: dict[int, Awaited] = {}  # by the request's number
        self._last_unanswered = -1
        self._came = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether `room` would wait."""
        return len(self._awaited) >= MAX_AWAITED

    async def room(self) -> None:
        """Until another request may be read."""
        while self.full:
            await self._next()

    async def taken(self) -> None:
        """Until the broker has taken what nobody waits for an answer to. A client that goes away does not take that
        back; one that waits sends it again."""
        async with asyncio.timeout(TAKEN_WITHIN_S):
            while self._answered <= self._last_unanswered:
                await self._next()

    def as_it_is(self) -> None:
        """The request goes to the broker, and its answer to the client."""
        self._sent += 1

    def unanswered(self, correlation_id: int) -> None:
        """The request goes to the broker, and its answer to nobody."""
        self._last_unanswered = self._sent
        self._await(correlation_id, None)

    def asked(self, request: bytes) -> bytes:
        """What the broker is to be asked in place of this request for an id."""
        refused = producer_id_versions.refused(request)
        if refused is not None:
            return self.refused(producer_id_versions.correlation_id(request), refused)
        made = producer_id_versions.newer(request)
        if made is not None and producer_id_versions.is_classic(request):
            self.changed(producer_id_versions.correlation_id(request), producer_id_versions.older)
        else:
            self.as_it_is()
        return request if made is None else made

    def refused(self, correlation_id: int, answer: bytes) -> bytes:
        """What the broker is to be asked in place of a request that is answered with `answer`."""
        self.changed(correlation_id, lambda _: answer)
        return _IN_PLACE.pack(API_VERSIONS, 0, correlation_id, -1)

    def changed(self, correlation_id: int, become: Callable[[bytes], bytes]) -> None:
        """The request goes to the broker otherwise than it came; what `become` makes of its answer, to the client.
        `become` may raise ValueError."""
        self._await(correlation_id, become)

    def comes(self, correlation_id: int) -> Awaited | None:
        """The next answer of the broker; None: it goes to the client as it is. Raises ValueError out of turn."""
        awaited = self._awaited.pop(self._answered, None)
        self._answered += 1
        if awaited is not None:
            self._came.set()
            if awaited.correlation_id != correlation_id:
                raise ValueError(f"an answer to {correlation_id} when it was {awaited.correlation_id}'s turn")
        return awaited

    def _await(self, correlation_id: int, become: Callable[[bytes], bytes] | None) -> None:
        self._awaited[self._sent] = Awaited(correlation_id, become)
        self._sent += 1

    async def _next(self) -> None:
        self._came.clear()
        await self._came.wait()
