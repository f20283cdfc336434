"""What goes up to a broker behind the gate, request by request, and what does not."""

import asyncio
import contextlib
import logging
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stream_jobs.embedded import new_topics, produced
from stream_jobs.embedded.answers import CHUNK_BYTES, SIZE, with_size
from stream_jobs.embedded.one_question import NotToldError
from stream_jobs.embedded.producer_id_versions import INIT_PRODUCER_ID
from stream_jobs.embedded.questions import MAX_QUESTION_BYTES, Questions
from stream_jobs.embedded.raised_epochs import RaisedEpochs
from stream_jobs.embedded.room import LARGE_ROOM_BYTES, SMALL_BYTES, SMALL_ROOM_BYTES, Place, Room
from stream_jobs.embedded.topic_partitions import TopicPartitions

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES: Final = 100 * 1024 * 1024  # as Kafka's socket.request.max.bytes
PRODUCE_TIMEOUT_S: Final = 30.0
SAID_EVERY_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_NAME: Final = 100
_SIZE_BYTES: Final = SIZE.size
_SIZE_AND_API: Final = struct.Struct(">ih")
_OF_TRANSACTIONS: Final = frozenset({24, 25, 26, 28})
"""AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit: nobody has a transaction here."""


@dataclass(frozen=True, slots=True)
class Upward:
    """One client's way to a broker."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int  # the broker's
    client: str  # for people
    questions: Questions
    may_go_on: Callable[[], bool]
    count: Callable[[int], None]  # of bytes, before they are sent
    give_up: Callable[[], object]  # ends both ways at once

    async def send(self, data: bytes | bytearray) -> None:
        self.count(len(data))
        self.writer.write(data)
        await self.writer.drain()  # back-pressure: no more than the socket takes is held here


class Forwarding:
    """What all connections of a gate share. `checking`: the broker needs what produced.py and others do for it."""

    def __init__(self, *, checking: bool) -> None:
        self._checking = checking
        self._small = Room(SMALL_ROOM_BYTES, small=True)
        self._large = Room(LARGE_ROOM_BYTES, small=False)
        self._topics: dict[int, TopicPartitions] = {}  # by the broker's port
        self._epochs: dict[int, RaisedEpochs] = {}
        self._said: dict[str, float] = {}

    async def forward(self, head: bytes, up: Upward) -> None:
        """Request by request; `head` is the beginning of the first. Ends, and with it the connection, when the broker
        may not be given more, or at a request that it must not be given."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while up.may_go_on():
                try:
                    if not await self._request(head, up):
                        break
                except NotToldError as error:
                    self._say("not told", f"closed the connection of {up.client}: {error}")
                    break
                if up.questions.full:
                    await up.questions.room()
                head = await up.reader.readexactly(_SIZE_AND_API.size)
        with contextlib.suppress(TimeoutError):
            await up.questions.taken()

    async def _request(self, head: bytes, up: Upward) -> bool:
        """Whether the connection goes on."""
        size, api = _SIZE_AND_API.unpack_from(head)
        missing = _SIZE_BYTES + size - len(head)
        if not 0 < size <= MAX_REQUEST_BYTES or missing < 0:
            return False
        if self._checking and api == produced.PRODUCE:
            return await self._produce(head, missing, up)
        if self._checking and api in _OF_TRANSACTIONS:
            self._say("transactions", f"closed the connection of {up.client}: the embedded broker has none")
            return False
        if self._checking and api == INIT_PRODUCER_ID and size <= MAX_QUESTION_BYTES:
            request = head[_SIZE_BYTES:] + await up.reader.readexactly(missing)
            await up.send(with_size(up.questions.asked(request)))
            return True
        if self._checking and api == new_topics.CREATE_TOPICS:
            return await self._create_topics(head, missing, up)
        return await self._as_it_is(head, missing, up)

    async def _create_topics(self, head: bytes, missing: int, up: Upward) -> bool:
        if len(head) + missing > _SIZE_BYTES + MAX_QUESTION_BYTES:
            self._say("topics", f"closed the connection of {up.client}: a request for topics of {missing} bytes")
            return False
        request = head[_SIZE_BYTES:] + await up.reader.readexactly(missing)
        try:
            asked = new_topics.look_at(request)
        except ValueError as error:
            self._say("topics", f"closed the connection of {up.client}: {error}")
            return False
        known = await self._topics_of(up.port).all()
        judged = asked.judged(known, sum(map(len, known.values())))
        for verdict in judged:
            if verdict.code:
                why = f"error {verdict.code}: {verdict.reason}"
                self._say(
                    f"topic {verdict.code}", f"refused to make a topic {_shown(verdict.name)} for {up.client}, {why}"
                )
        if asked.fits(judged):
            up.questions.as_it_is()
        elif {verdict.name for verdict in judged} == {topic.name for topic in asked.topics}:
            request = up.questions.refused(asked.correlation_id, asked.answer(judged))
        else:
            up.questions.changed(asked.correlation_id, asked.completed(judged))
            request = asked.without(judged)
        await up.send(with_size(request))
        return True

    async def _as_it_is(self, data: bytes, missing: int, up: Upward) -> bool:
        up.questions.as_it_is()
        while data or missing:
            if missing:  # goes together with what follows: most requests are one write
                if not up.may_go_on() or not (chunk := await up.reader.read(min(missing, CHUNK_BYTES))):
                    return False
                missing -= len(chunk)
                data += chunk
            await up.send(data)
            data = b""
        return True

    async def _produce(self, head: bytes, missing: int, up: Upward) -> bool:
        size = len(head) + missing
        room = self._small if size <= SMALL_BYTES else self._large
        try:
            async with room.place(size, lambda: self._gave_up(up, size)) as place:
                async with asyncio.timeout(PRODUCE_TIMEOUT_S):
                    request = await _whole(head, missing, up.reader, place)
                place.arrived()
                found = await self._looked_at(request, up.port)
                if (refused := found.refused()) is None:
                    if found.acks:
                        up.questions.as_it_is()
                    else:
                        up.questions.unanswered(found.correlation_id)
                    await up.send(request)
                    return True
        except produced.UnacceptableError as error:
            self._say(error.kind, f"closed the connection of {up.client}: no broker takes its produce request: {error}")
            return False
        except TimeoutError:
            self._gave_up(up, size)
            return False
        self._say(
            f"refused {refused.code}",
            f"refused a produce request of {up.client}, error {refused.code}, to {_shown(refused.topic)}"
            f"[{refused.number}]: {refused.reason}",
        )
        answer = found.answer()
        if not found.acks or len(answer) > MAX_ANSWER_BYTES:  # nobody waits for an answer
            return False
        await up.send(with_size(up.questions.refused(found.correlation_id, answer)))
        return True

    async def _looked_at(self, request: bytearray, port: int) -> produced.Produced:
        view = memoryview(request)[_SIZE_BYTES:]
        if len(request) <= SMALL_BYTES:
            found = produced.look_at(view)
        else:  # seconds, of millions of small records: others go on
            found = await asyncio.to_thread(produced.look_at, view)
        topics, epochs = self._topics_of(port), self._epochs_of(port)
        placed = found.placed
        for partition in placed:
            if not await topics.has(partition.topic, partition.number):
                partition.refuse(produced.UNKNOWN_TOPIC_OR_PARTITION, "the broker has no such partition")
            elif not partition.code and epochs.outdated(partition):
                partition.refuse(produced.INVALID_PRODUCER_EPOCH, f"epoch {partition.epoch}, after a later one")
        if found.refused() is None:
            for partition in placed:
                if partition.epoch > 0 and (producer_id := await epochs.stand_in(partition)) is not None:
                    produced.as_of(producer_id, partition, view)
        return found

    def _epochs_of(self, port: int) -> RaisedEpochs:
        if port not in self._epochs:
            self._epochs[port] = RaisedEpochs(port)
        return self._epochs[port]

    def _topics_of(self, port: int) -> TopicPartitions:
        if port not in self._topics:
            self._topics[port] = TopicPartitions(port)
        return self._topics[port]

    def _gave_up(self, up: Upward, size: int) -> None:
        self._say("slow", f"closed the connection of {up.client}: its produce request of {size} bytes did not arrive")
        up.give_up()

    def _say(self, kind: str, message: str) -> None:
        """One line of a kind within SAID_EVERY_S: a client that is refused tries again for as long as it lives."""
        now = time.monotonic()
        if now >= self._said.get(kind, now):
            self._said[kind] = now + SAID_EVERY_S
            log.error("%s", message)


async def _whole(head: bytes, missing: int, reader: asyncio.StreamReader, place: Place) -> bytearray:
    await place.take(len(head))
    request = bytearray(head)
    while missing:
        chunk = await reader.read(min(missing, CHUNK_BYTES))
        if not chunk:
            raise ConnectionAbortedError("the client went away within its request")
        await place.take(len(chunk))
        missing -= len(chunk)
        request += chunk
    return request


def _shown(name: bytes) -> str:
    return ascii(name.decode("utf-8", "replace")[:MAX_NAME])


def client_name(client_id: bytes, peer: object) -> str:
    """For people, whatever the client calls itself."""
    address = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "an unknown address"
    return f"{_shown(client_id)} at {address}"
