"""Which partitions a broker has. Tansu acknowledges what is sent to others, and forgets it."""

import asyncio
import struct
import time
from collections.abc import Mapping
from typing import Final

from stream_jobs.embedded.one_question import NotToldError, ask

FRESH_S: Final = 1.0
"""A topic that is deleted may be believed in for as long; one that is new is looked for at once."""
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_METADATA: Final = 3
_VERSION: Final = 1
_CORRELATION_ID: Final = 1
_REQUEST: Final = struct.Struct(">ihhihi")  # size, api key, version, correlation id, no client id, all topics
_SIZE_BYTES: Final = 4
_WHAT: Final = "which partitions it has"
_PARTITION: Final = struct.Struct(">hii")  # error, number, leader


class TopicPartitions:
    """What the broker on this loopback port said when it was last asked."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._asking = asyncio.Lock()
        self._asked_at = -FRESH_S
        self._known: dict[bytes, frozenset[int]] = {}

    async def has(self, topic: bytes, partition: int) -> bool:
        """Raises NotToldError when the broker cannot be asked."""
        if self._asked_at > time.monotonic() - FRESH_S and partition in self._known.get(topic, ()):
            return True
        return partition in (await self.all()).get(topic, ())

    async def all(self) -> Mapping[bytes, frozenset[int]]:
        """By topic, as of now. Raises as `has`."""
        began = time.monotonic()
        async with self._asking:
            if self._asked_at < began:
                asked_at = time.monotonic()
                self._known = await _ask(self._port)
                self._asked_at = asked_at
        return self._known


async def _ask(port: int) -> dict[bytes, frozenset[int]]:
    request = _REQUEST.pack(_REQUEST.size - _SIZE_BYTES, _METADATA, _VERSION, _CORRELATION_ID, -1, -1)
    answer = await ask(port, request, _WHAT, max_bytes=MAX_ANSWER_BYTES)
    try:
        return _topics(answer)
    except (struct.error, IndexError) as error:
        raise NotToldError(f"the broker did not say {_WHAT}: {error!r}") from None


def _topics(answer: bytes) -> dict[bytes, frozenset[int]]:
    """From the answer to version 1 of Metadata."""
    at = 4  # the correlation id

    def number(form: str) -> int:
        nonlocal at
        (found,) = struct.unpack_from(form, answer, at)
        at += struct.calcsize(form)
        return int(found)

    def text() -> bytes:
        nonlocal at
        length = max(0, number(">h"))
        at += length
        return answer[at - length : at]

    for _ in range(number(">i")):  # brokers: number, host, port, rack
        number(">i"), text(), number(">i"), text()
    number(">i")  # the controller
    topics: dict[bytes, frozenset[int]] = {}
    for _ in range(number(">i")):
        error, name, _ = number(">h"), text(), number(">b")
        partitions = set()
        for _ in range(number(">i")):
            _, partition, _ = _PARTITION.unpack_from(answer, at)
            at += _PARTITION.size
            for _ in range(2):  # replicas, and those in sync
                replicas = number(">i")
                at += 4 * replicas
            partitions.add(partition)
        if not error:
            topics[name] = frozenset(partitions)
    return topics
