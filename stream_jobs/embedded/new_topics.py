"""Requests for new topics (CreateTopics), looked at before the broker gets them.

Tansu makes what it is asked for: under any name, and with any number of partitions. It asks for memory for all of them
at once; a number that slipped ended it, and with it what was not booked. Kafka refuses such topics one by one, with
these error codes (seen with Kafka 4.1), and makes the others of the request; so does this.
"""

import re
import struct
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from stream_jobs.embedded.fields import Reader, count, text

CREATE_TOPICS: Final = 19
MAX_PARTITIONS: Final = 10_000
"""Of a request, as with Kafka, and of the broker in all: it lists them to the gate once a second, and to clients."""
_VERSIONS: Final = range(8)
_FIRST_WITH_MESSAGE, _FIRST_WITH_THROTTLE, _FIRST_FLEXIBLE, _FIRST_WITH_IDS = 1, 2, 5, 7
_REQUEST: Final = struct.Struct(">hhi")  # api key, version, correlation id
_NUMBERS: Final = struct.Struct(">ih")  # partitions, replicas
_TIMEOUT_BYTES: Final = 4
_DEFAULT: Final = -1
_NAME: Final = re.compile(rb"(?!\.{1,2}\Z)[a-zA-Z0-9._-]{1,249}")

INVALID_TOPIC: Final = 17
TOPIC_ALREADY_EXISTS: Final = 36
INVALID_PARTITIONS: Final = 37
INVALID_REPLICATION_FACTOR: Final = 38
INVALID_REPLICA_ASSIGNMENT: Final = 39
INVALID_REQUEST: Final = 42
POLICY_VIOLATION: Final = 44


@dataclass(frozen=True, slots=True)
class Topic:
    """One that is asked for. `assigned`: to which brokers each partition, by number, if a client says so itself."""

    name: bytes
    partitions: int
    replicas: int
    assigned: list[tuple[int, int]]  # number of the partition, how many brokers
    rest: bytes  # its settings, as they came

    @property
    def size(self) -> int:
        """How many partitions it would have, or one where the broker chooses."""
        return len(self.assigned) or max(1, self.partitions)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one is answered with, where that is not the broker's affair. `code` 0: it would have so many partitions."""

    name: bytes
    code: int
    reason: str = ""
    partitions: int = -1


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole request."""

    version: int
    correlation_id: int
    topics: list[Topic]
    _head: bytes  # up to the number of topics
    _tail: bytes  # behind the last one
    _only_checked: bool

    def judged(self, known: Collection[bytes], partitions: int) -> list[Verdict]:
        """Those that Kafka would not make, and all of them where that is all that is asked: Tansu would make them.
        `known`: the topics that there are, with so many `partitions`."""
        found = self._refused(known, partitions)
        if self._only_checked:
            refused = {verdict.name for verdict in found}
            for topic in self.topics:
                if topic.name in known and topic.name not in refused:
                    found.append(Verdict(topic.name, TOPIC_ALREADY_EXISTS, "there is one of this name"))
                elif topic.name not in refused:
                    found.append(Verdict(topic.name, 0, partitions=topic.size))
        return found

    def _refused(self, known: Collection[bytes], partitions: int) -> list[Verdict]:
        named = Counter(topic.name for topic in self.topics)
        found = [Verdict(name, INVALID_REQUEST, "named twice in one request") for name in named if named[name] > 1]
        topics = [topic for topic in self.topics if named[topic.name] == 1]
        new = [topic for topic in topics if topic.name not in known]
        size = sum(topic.size for topic in topics)
        if len(topics) + size > MAX_PARTITIONS or sum(topic.size for topic in new) + partitions > MAX_PARTITIONS:
            reason = (
                f"{size} partitions in one request, where the broker has {partitions} and may have {MAX_PARTITIONS}"
            )
            return found + [Verdict(topic.name, POLICY_VIOLATION, reason) for topic in topics]
        return found + [verdict for topic in new if (verdict := _refused(topic)) is not None]

    def fits(self, judged: Collection[Verdict]) -> bool:
        """Whether the broker may have the request as it is."""
        return not judged and not any(topic.assigned for topic in self.topics)

    def without(self, judged: Collection[Verdict]) -> bytes:
        """The request, without its size, for the others. Who assigns partitions to the only broker gets as many."""
        flexible = self.version >= _FIRST_FLEXIBLE
        names = {verdict.name for verdict in judged}
        made = []
        for topic in self.topics:
            if topic.name not in names:
                numbers = (len(topic.assigned), 1) if topic.assigned else (topic.partitions, topic.replicas)
                asked = text(topic.name, flexible=flexible) + _NUMBERS.pack(*numbers) + count(0, flexible=flexible)
                made.append(asked + topic.rest)
        return self._head + count(len(made), flexible=flexible) + b"".join(made) + self._tail

    def answer(self, judged: Collection[Verdict]) -> bytes:
        """The broker's, without its size, where all topics are judged."""
        flexible = self.version >= _FIRST_FLEXIBLE
        made = struct.pack(">i", self.correlation_id) + (b"\0" if flexible else b"")
        made += struct.pack(">i", 0) if self.version >= _FIRST_WITH_THROTTLE else b""
        return self.completed(judged)(made + count(0, flexible=flexible) + (b"\0" if flexible else b""))

    def completed(self, judged: Collection[Verdict]) -> Callable[[bytes], bytes]:
        """Puts these into the broker's answer for the others. Raises ValueError where it is none."""
        flexible = self.version >= _FIRST_FLEXIBLE
        before = 4 + flexible + 4 * (self.version >= _FIRST_WITH_THROTTLE)
        told = b"".join(self._told(verdict, flexible=flexible) for verdict in judged)

        def complete(answer: bytes) -> bytes:
            reader = Reader(answer, before, flexible=flexible)
            try:
                others = reader.count()
            except (struct.error, IndexError) as error:
                raise ValueError(f"no answer to CreateTopics: {error}") from None
            return answer[:before] + count(others + len(judged), flexible=flexible) + told + answer[reader.at :]

        return complete

    def _told(self, verdict: Verdict, *, flexible: bool) -> bytes:
        made = text(verdict.name, flexible=flexible) + (bytes(16) if self.version >= _FIRST_WITH_IDS else b"")
        made += struct.pack(">h", verdict.code)
        if self.version >= _FIRST_WITH_MESSAGE:
            null = b"\0" if flexible else b"\xff\xff"
            made += text(verdict.reason.encode(), flexible=flexible) if verdict.code else null
        return made + (
            _NUMBERS.pack(verdict.partitions, -1 if verdict.code else 1) + count(0, flexible=True) + b"\0"
            if flexible
            else b""
        )


def _refused(topic: Topic) -> Verdict | None:
    if not _NAME.fullmatch(topic.name):
        return Verdict(topic.name, INVALID_TOPIC, "a name has 1 to 249 of the letters a-z, A-Z, 0-9, '.', '_' and '-'")
    found = _counted(topic.partitions, topic.replicas) if not topic.assigned else _assigned(topic)
    return None if found is None else Verdict(topic.name, *found)


def _counted(partitions: int, replicas: int) -> tuple[int, str] | None:
    if replicas < 1 and replicas != _DEFAULT:
        return INVALID_REPLICATION_FACTOR, f"{replicas} replicas"
    if partitions < 1 and partitions != _DEFAULT:
        return INVALID_PARTITIONS, f"{partitions} partitions"
    if replicas > 1:
        return INVALID_REPLICATION_FACTOR, f"{replicas} replicas, where there is one broker"
    return None


def _assigned(topic: Topic) -> tuple[int, str] | None:
    if (topic.partitions, topic.replicas) != (_DEFAULT, _DEFAULT):
        return INVALID_REQUEST, "partitions are assigned, and counted"
    if sorted(topic.assigned) != [(number, 1) for number in range(len(topic.assigned))]:
        return INVALID_REPLICA_ASSIGNMENT, "partitions count from 0, and there is one broker"
    return None


def look_at(request: bytes) -> Asked:
    """A whole request, without its size. Raises ValueError where it is none."""
    try:
        return _look_at(request)
    except (struct.error, IndexError) as error:
        raise ValueError(f"not a request for topics: {error}") from None


def _look_at(request: bytes) -> Asked:
    _, version, correlation_id = _REQUEST.unpack_from(request)
    if version not in _VERSIONS:
        raise ValueError(f"version {version} of CreateTopics")
    reader = Reader(request, _REQUEST.size, flexible=version >= _FIRST_FLEXIBLE)
    reader.skip(reader.short_length())  # the client's id, in this form in all versions
    reader.tags()
    head = request[: reader.at]
    topics = []
    for _ in range(reader.count()):
        length = reader.length()
        name = request[reader.at : reader.skip(length)]
        partitions, replicas = reader.number(">i", 4), reader.number(">h", 2)
        assigned = []
        for _ in range(reader.count()):
            number, brokers = reader.number(">i", 4), reader.count()
            reader.skip(4 * brokers)
            reader.tags()
            assigned.append((number, brokers))
        start = reader.at
        for _ in range(reader.count()):
            for _ in range(2):  # name and value
                length = reader.length()
                reader.skip(length)
            reader.tags()
        reader.tags()
        topics.append(Topic(name, partitions, replicas, assigned, request[start : reader.at]))
    tail = request[reader.at :]
    only_checked = version >= _FIRST_WITH_MESSAGE and bool(tail[_TIMEOUT_BYTES])
    return Asked(version, correlation_id, topics, head, tail, only_checked)
