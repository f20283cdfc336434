"""One topic's way to the broker: what waits in memory, what is with the client, what is in the spool.

Order: the spool holds the oldest, then `pending`, then the producer's queue. While anything is in the spool, newer
messages go behind it. Topics do not share a lane, so one that is missing does not hold up the others.

A lane is `away` when nothing proves that its broker takes messages: then what is pending goes to the spool, and a few
of the oldest messages are offered again and again until one gets through.
"""

import errno
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from spendstream.errors import SpoolFullError
from spendstream.kafka_client import Failure, classify, in_words
from spendstream.signing import UNSIGNED, Signer, headers
from spendstream.spool import Position, Spool, SpooledRecord
from spendstream.stats import Counters

_PROBE_EVENTS: Final = 64  # how many are offered to a broker that has not proved itself
_SEND_BATCH: Final = 512
_SPILL_BATCH: Final = 256
_SPOOL_RETRY_S: Final = 0.5
_TOPIC_RETRY_S: Final = (1.0, 10.0)  # first and longest pause after the topic was refused


class Delivery(NamedTuple):
    """An event the broker has acknowledged."""

    event_id: str
    topic: str
    partition: int
    offset: int


class Record:
    """A serialised message on its way. Calling it is librdkafka's delivery report."""

    __slots__ = ("key", "lane", "number", "position", "sent_at", "signature", "spool", "value")

    def __init__(
        self,
        lane: "Lane",
        key: bytes,
        value: bytes,
        signature: bytes = UNSIGNED,
        origin: tuple[Spool, Position] | None = None,
    ) -> None:
        self.lane = lane
        self.key = key
        self.value = value
        self.signature = signature
        self.spool: Spool | None = origin[0] if origin else None
        self.position: Position | None = origin[1] if origin else None
        self.number = 0
        self.sent_at = 0.0

    @property
    def size(self) -> int:
        return len(self.key) + len(self.value) + len(self.signature)

    def again(self) -> "Record":
        """Another one, for the next client: what the last one says of this one is too late."""
        origin = None if self.spool is None or self.position is None else (self.spool, self.position)
        record = Record(self.lane, self.key, self.value, self.signature, origin)
        record.number = self.number
        return record

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        self.lane.report(self, error, message)


@dataclass(slots=True)
class InFlightLimit:
    """What all lanes together have handed to the client, and how much that may be."""

    max_events: int
    max_bytes: int
    events: int = 0
    bytes: int = 0

    def has_room(self) -> bool:
        return self.events < self.max_events and self.bytes < self.max_bytes


class Lane:
    """Used by the background thread only, except for `own.append` (durable mode) and the gauges."""

    def __init__(
        self,
        topic: str,
        own: Spool | None,
        in_flight_limit: InFlightLimit,
        counters: Counters,
        on_delivered: Callable[[Delivery], None] | None,
        durable: bool,
        user: str = "the user of this connection",
        signer: Signer | None = None,
    ) -> None:
        self.topic = topic
        self._user = user
        self._signer = signer
        self.own = own
        self.adopted: list[Spool] = []  # of processes that are gone, oldest first
        self.pending: deque[Record] = deque()
        self.away = False
        self.proven = False  # a delivery got through with the current client
        self.last_delivery = 0.0
        self.client_failure: str | None = None  # set by a report: the client has to go
        self.timed_out_since: float | None = None  # set by a report: a message sent then was never acknowledged
        self.stuck: str | None = None  # why what is pending cannot be spooled, while that is so
        self._in_flight_limit = in_flight_limit
        self._counters = counters
        self._on_delivered = on_delivered
        self._durable = durable
        self.pending_bytes = 0
        self.in_memory = 0
        """Messages that exist nowhere but in memory. Counted from when they are accepted until they are settled, not
        where they are just now: other threads read it while messages are on their way from one place to the next."""
        self._in_flight: dict[Record, None] = {}  # in the order they were handed over
        self._failed: list[Record] = []
        self._number = 0
        self._spool_retry_at = 0.0
        self._topic_retry_at = 0.0
        self._topic_pause_s = _TOPIC_RETRY_S[0]

    # --- gauges ------------------------------------------------------------------------------------------------

    @property
    def spools(self) -> list[Spool]:
        return [*self.adopted, *([self.own] if self.own else [])]

    @property
    def spool_records(self) -> int:
        return sum(spool.records for spool in self.spools)

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def unsettled(self) -> int:
        """Messages that are not acknowledged."""
        return self.in_memory + self.spool_records

    @property
    def crowded(self) -> bool:
        """More waits in memory than should."""
        return (
            len(self.pending) > self._in_flight_limit.max_events // 2
            or self.pending_bytes > self._in_flight_limit.max_bytes // 2
        )

    # --- moving on ---------------------------------------------------------------------------------------------

    def add(self, key: bytes, value: bytes, signature: bytes = UNSIGNED) -> None:
        """Accept one serialised message."""
        record = Record(self, key, value, signature)
        self.in_memory += 1
        self.pending.append(record)
        self.pending_bytes += record.size

    def pump(self, client: Producer | None, now: float) -> None:
        """Spool what should be spooled, send what may be sent."""
        if self._failed:
            if self._in_flight:
                return  # the rest of what was sent with them is about to fail or arrive; then all go back in order
            self._take_back(self._failed)
        try:
            self.spill(now)
            if client is not None and now >= self._topic_retry_at:
                self._send(client, now)
        except OSError as error:
            self._counters.error("spool_unreadable", str(error))
            self._topic_retry_at = now + _SPOOL_RETRY_S

    def spill(self, now: float, *, everything: bool = False) -> None:
        """Move pending messages to the spool where they belong there (or all of them). Sets `stuck` if it cannot."""
        if self.own is None or not self.pending:
            self.stuck = None
            return
        if now < self._spool_retry_at and not everything:
            return
        while self.pending and (everything or self._belongs_in_spool()):
            try:
                self._spill_oldest(self.own, _SPILL_BATCH)
            except SpoolFullError:
                if len(self.pending) > 1 and self._spill_one(self.own):
                    continue
                self._cannot_spool("spool_full", "it is at its bound", now)
                return
            except OSError as error:
                kind = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "spool_unwritable"
                self._cannot_spool(kind, str(error), now)
                return
        self.stuck = None

    def _spill_one(self, own: Spool) -> bool:
        """Near the bound: one at a time, so that the bound is used."""
        try:
            self._spill_oldest(own, 1)
        except (SpoolFullError, OSError):
            return False
        return True

    def _spill_oldest(self, own: Spool, most: int) -> None:
        batch = [self.pending[i] for i in range(min(most, len(self.pending)))]
        own.append([(record.key, record.value, record.signature) for record in batch])
        for _ in batch:
            self._pop_pending()
        self.in_memory -= len(batch)
        self._counters.spooled += len(batch)

    def _pop_pending(self) -> Record:
        record = self.pending.popleft()
        self.pending_bytes -= record.size
        return record

    def _cannot_spool(self, kind: str, detail: str, now: float) -> None:
        self.stuck = kind
        self._spool_retry_at = now + _SPOOL_RETRY_S
        self._counters.error(kind, f"{detail}; {len(self.pending)} message(s) of {self.topic} stay in memory")

    def _belongs_in_spool(self) -> bool:
        return self._durable or self.away or self.crowded or not all(spool.exhausted for spool in self.spools)

    def _send(self, client: Producer, now: float) -> None:
        wanted = _SEND_BATCH if self.proven else _PROBE_EVENTS - len(self._in_flight)
        wanted = min(wanted, self._in_flight_limit.max_events - self._in_flight_limit.events)
        if wanted <= 0 or not self._in_flight_limit.has_room():
            return
        batch = self._next_batch(wanted)
        for index, record in enumerate(batch):
            if not self._hand_over(client, record, now):
                self._put_back(batch[index:])
                return

    def _next_batch(self, wanted: int) -> list[Record]:
        for spool in self.spools:
            found = spool.read(wanted)
            if found:
                return [self._from_spool(spool, one) for one in found]
            if not spool.exhausted:
                return []
        return [self._pop_pending() for _ in range(min(wanted, len(self.pending)))]

    def _from_spool(self, spool: Spool, found: SpooledRecord) -> Record:
        key, value, signature, position = found
        if not signature and self._signer is not None:
            signature = self._signer.sign_left_over(self.topic, key, value)
        return Record(self, key, value, signature, (spool, position))

    def _hand_over(self, client: Producer, record: Record, now: float) -> bool:
        """False when the record (and what follows it) must wait."""
        try:
            if record.signature:
                signed = headers(record.signature)
                client.produce(self.topic, value=record.value, key=record.key, on_delivery=record, headers=signed)
            else:
                client.produce(self.topic, value=record.value, key=record.key, on_delivery=record)
        except BufferError:
            return False
        except KafkaException as exception:
            error = exception.args[0]
            if classify(error) is Failure.MESSAGE:
                self._give_up(record, error)
                return True
            self._failure(record, error)
            return False
        self._number += 1
        record.number = self._number
        record.sent_at = now
        self._in_flight[record] = None
        self._in_flight_limit.events += 1
        self._in_flight_limit.bytes += record.size
        return True

    def _put_back(self, records: list[Record]) -> None:
        """Records that were taken but not handed over."""
        for spool in {id(r.spool): r.spool for r in records if r.spool}.values():
            # Rewinding reads what is in flight again too: sent twice, dropped by event_id, never lost.
            spool.rewind()
        for record in reversed([r for r in records if r.spool is None]):
            self.pending.appendleft(record)
            self.pending_bytes += record.size

    # --- delivery reports --------------------------------------------------------------------------------------

    def report(self, record: Record, error: KafkaError | None, message: Message) -> None:
        """A delivery report. Those of a client that was given up are late and change nothing."""
        if record not in self._in_flight:
            return
        self._forget(record)
        if error is not None:
            if classify(error) is Failure.MESSAGE:
                self._give_up(record, error)
            else:
                self._failed.append(record)
                self._failure(record, error)
            return
        self.away = False
        self.proven = True
        self.last_delivery = time.monotonic()
        self._topic_pause_s = _TOPIC_RETRY_S[0]
        self._counters.delivered += 1
        if record.spool is not None:
            self._counters.replayed += 1
        if self._on_delivered is not None:
            self._tell(record, message)
        self._settle(record)  # last: who waits until nothing is unsettled has been told of everything

    def _tell(self, record: Record, message: Message) -> None:
        assert self._on_delivered is not None
        try:
            key = record.key.decode("utf-8", "replace")
            self._on_delivered(Delivery(key, self.topic, message.partition() or 0, message.offset() or 0))
        except Exception as problem:  # noqa: BLE001 - the service's own code must not stop the sending
            self._counters.error("on_delivered", repr(problem))

    def _forget(self, record: Record) -> None:
        del self._in_flight[record]
        self._in_flight_limit.events -= 1
        self._in_flight_limit.bytes -= record.size

    def _settle(self, record: Record) -> None:
        if record.spool is None:
            self.in_memory -= 1
        elif record.position is not None:
            try:
                record.spool.ack(record.position)
            except OSError as problem:
                self._counters.error("spool_unwritable", str(problem))

    def _give_up(self, record: Record, error: KafkaError) -> None:
        self._counters.drop("refused_by_broker", detail=f"{self.topic}: {error}")
        self._settle(record)

    def _failure(self, record: Record, error: KafkaError) -> None:
        kind = classify(error)
        if kind is Failure.CLIENT:
            self.client_failure = str(error)
        elif kind is Failure.TIMEOUT:
            self.timed_out_since = record.sent_at
        else:
            self.topic_refused(in_words(error, "Write", self.topic, self._user))

    def topic_refused(self, detail: str) -> None:
        """The topic, not the connection, is the trouble: pause, then offer a few messages again."""
        self.away = True
        self.proven = False
        self.timed_out_since = None
        now = time.monotonic()
        if now >= self._topic_retry_at:  # once for all messages that fail together
            self._counters.error("topic_refused", f"{self.topic}: {detail}; retrying in {self._topic_pause_s:g} s")
            self._topic_retry_at = now + self._topic_pause_s
            self._topic_pause_s = min(2 * self._topic_pause_s, _TOPIC_RETRY_S[1])

    def client_gone(self) -> None:
        """The client was given up: everything that was with it is ours again."""
        records = [*self._failed, *(record.again() for record in self._in_flight)]
        for record in list(self._in_flight):
            self._forget(record)
        self._take_back(records)
        self.away = True
        self.proven = False
        self.client_failure = self.timed_out_since = None

    def _take_back(self, records: list[Record]) -> None:
        ordered = sorted(records, key=lambda record: record.number)
        self._failed = []
        self._put_back(ordered)

    def oldest_sent_at(self) -> float | None:
        """When the oldest message in flight was handed to the client (monotonic seconds)."""
        return next(iter(self._in_flight)).sent_at if self._in_flight else None

    def ready(self) -> bool:
        """It may offer messages now."""
        return time.monotonic() >= self._topic_retry_at

    # --- the spool's upkeep ------------------------------------------------------------------------------------

    def upkeep(self) -> None:
        """Persist the cursors, and close the adopted spools that are used up."""
        try:
            for spool in self.spools:
                spool.save_cursor()
                self._note_damage(spool)
            for spool in [s for s in self.adopted if s.records <= 0 and s.exhausted]:
                spool.close()
                self.adopted.remove(spool)
        except OSError as error:
            self._counters.error("spool_unwritable", str(error))

    def _note_damage(self, spool: Spool) -> None:
        if spool.corrupt_records:
            count, spool.corrupt_records = spool.corrupt_records, 0
            self._counters.drop("corrupt_in_spool", count, f"{self.topic}: torn or damaged")

    def close(self) -> None:
        for spool in self.spools:
            try:
                spool.close()
            except OSError as error:
                self._counters.error("spool_unwritable", str(error))

    def abandon(self) -> None:
        """In a forked child: the files are the parent's."""
        for spool in self.spools:
            spool.close_files()
