"""The background thread: takes events from the queue, serialises them, and drives every topic's lane.

It owns the Kafka client. Any trouble that is not one message's or one topic's own ends the same way: the client is
thrown away, what it had not acknowledged is taken back and (with a spool) written to disk, and a new client, with a
new producer id, offers the oldest messages until one arrives. So a broker that restarts without its memory, a fatal
idempotence error and a cut network are one case, not three.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from spendstream.config import ProducerConfig
from spendstream.kafka_client import (
    OUTCOME_TOPIC,
    USAGE_TOPIC,
    client_settings,
    discard,
    user_of,
    warn_of_password,
)
from spendstream.lane import Delivery, InFlightLimit, Lane
from spendstream.native import Empty, Flag, SimpleQueue, Thread, new_lock, pause, until
from spendstream.signing import Signer
from spendstream.stats import Counters
from spendstream.stock import SpoolStock
from spendstream_schemas import MAX_MESSAGE_BYTES, OutcomeEvent, UsageEvent

_TAKE_BATCH: Final = 512
_BUSY_WAIT_S: Final = 0.005  # for delivery reports
_STUCK_WAIT_S: Final = 0.05  # between attempts while the broker is away
_PARKED_WAIT_S: Final = 0.5
_UPKEEP_S: Final = 1.0
_ADOPT_S: Final = 5.0  # between two looks for what others have left, and for a folder that can be used
_PATIENCE_S: Final = (1.0, 8.0)  # how long a new client may try before it is replaced: first, longest
_CLIENT_PAUSE_S: Final = (0.1, 2.0)  # between two clients: first, longest
_SETTLE_S: Final = 1.0  # what a fork grants the first messages of a client: librdkafka takes half a second for them
_FORK_STEP_S: Final = 0.001
_BETWEEN_GRANTS_S: Final = 8.0
_BETWEEN_FORKS_S: Final = 0.05  # one fork seldom comes alone
_REST_S: Final = 2.0  # how long a fork waits for this thread, whatever it does
_HANGING_CLIENTS: Final = 3


class RawMessage(NamedTuple):
    """A message that is serialised already."""

    topic: str
    key: bytes
    value: bytes


Item = UsageEvent | OutcomeEvent | RawMessage | Flag


def serialise(item: UsageEvent | OutcomeEvent | RawMessage) -> RawMessage:
    """Topic, key and bytes of an event. Absent fields stay absent: absent is not zero."""
    if isinstance(item, RawMessage):
        return item
    topic = USAGE_TOPIC if isinstance(item, UsageEvent) else OUTCOME_TOPIC
    value = item.model_dump_json(exclude_none=True, warnings=False).encode()
    return RawMessage(topic, item.event_id.encode(), value)


class DeliveryThread:
    """One background thread and all it owns. `queue`, `blocked` and `finished` are shared with the callers."""

    def __init__(
        self,
        config: ProducerConfig,
        counters: Counters,
        on_delivered: Callable[[Delivery], None] | None,
    ) -> None:
        self.queue: SimpleQueue[Item] = SimpleQueue()
        self.queue_max = config.memory_max_events // 2
        self.blocked: dict[str, str] = {}  # topics that can take no more, and why
        self.finished = False  # set before the last look at the queue
        self.closing = False
        self.taken = 0  # events taken from the queue
        self.lanes: dict[str, Lane] = {}
        self.client_proven = False
        self.stock = SpoolStock(config, counters)
        self.signer = Signer.of(config)
        self._config = config
        self._counters = counters
        self._on_delivered = on_delivered
        # A quarter of the memory for what waits, a quarter for what is with the client, half for the queue.
        self._in_flight_limit = InFlightLimit(config.memory_max_events // 4, config.memory_max_bytes // 2)
        self._close_at = 0.0
        self._fork_lock = new_lock()
        self._forks = 0  # that other threads are about to do
        self._settle_by = 0.0
        self._resting = False  # for them: there is no client, and none is made
        self._untried = False  # the last client was given up for one of them, and says nothing of the broker
        self._discards: list[Thread] = []
        self._client: Producer | None = None
        self._client_failure: str | None = None
        self._brokers_down = False
        self._client_started_at = 0.0
        self._client_not_before = 0.0
        self._client_pause_s = _CLIENT_PAUSE_S[0]
        self._patience_s = _PATIENCE_S[0]
        self._delivered_before = 0
        self._next_upkeep = self._next_adopt = 0.0
        self._thread: Thread | None = None

    def start(self) -> None:
        self._thread = Thread(self._run, "spendstream-producer")
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Stop: deliver what can be delivered in time, spool the rest. Blocks a little longer than `timeout_s`."""
        if not self.closing:
            self._close_at = time.monotonic() + timeout_s
            self.closing = True
            self.queue.put(Flag())  # wakes it
        if self._thread is not None and not self._thread.is_current():
            self._thread.join(timeout_s + 30.0)

    def lane(self, topic: str) -> Lane:
        """The topic's lane; made when first needed."""
        lane = self.lanes.get(topic)
        if lane is None:
            new = Lane(
                *(topic, self.stock.own(topic), self._in_flight_limit, self._counters, self._on_delivered),
                durable=self._config.durable,
                user=user_of(self._config),
                signer=self.signer,
            )
            lane = self.lanes.setdefault(topic, new)  # another thread may have been faster
        return lane

    def unsettled(self) -> int:
        """What the lanes hold (the queue not included)."""
        return sum(lane.unsettled for lane in tuple(self.lanes.values()))

    def calm(self) -> bool:
        """Everything flows straight to the broker, and most of the memory is free.

        A lane that has nothing to send proves nothing: after a new client it would stay `away` for ever.
        """
        lanes = tuple(self.lanes.values())
        return (
            self.queue.qsize() < self.queue_max // 2
            and self._in_flight_limit.bytes < self._in_flight_limit.max_bytes // 2
            and not any((lane.away and lane.unsettled) or lane.crowded for lane in lanes)
        )

    # --- forks -------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """No client of ours must be looking up a name while the process forks: glibc holds a lock meanwhile
        (`check_pf.c`), which nobody releases in the child, and no client could connect there, ever.

        A client that has delivered something has found its broker. Another one gets a moment for that, now and then, if
        there is something to deliver; then it is given up, and its successor is made after the fork.
        """
        now = time.monotonic()
        with self._fork_lock:
            self._forks += 1
            if now > self._settle_by + _BETWEEN_GRANTS_S:  # a process that forks all the time must not starve
                self._settle_by = now + _SETTLE_S
        if self._thread is None or self._thread.is_current():
            return
        self.queue.put(Flag())  # wakes it

    def settle_before_fork(self) -> None:
        """Wait for that."""
        if self._thread is not None and not self._thread.is_current():
            until(lambda: self._resting or self._settled() or self.finished, _REST_S)

    def after_fork(self) -> None:
        """In the parent, also where the fork failed."""
        with self._fork_lock:
            self._forks = max(0, self._forks - 1)

    def _settled(self) -> bool:
        return self.client_proven and not self._brokers_down

    def _rest(self) -> None:
        """Until the forks are over."""
        now = time.monotonic()
        if self._client is not None:
            waits = now < self._settle_by and (self.queue.qsize() > 0 or self.unsettled() > 0)
            if self._settled() or waits:
                return
            self._empty_client()
            self._untried = True
            self._client_not_before = now + _BETWEEN_FORKS_S
        self._resting = True
        while self._forks and time.monotonic() < now + 2 * _REST_S:
            pause(_FORK_STEP_S)
        self._resting = False

    # --- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        warn_of_password(self._config, self._counters)
        while not self._may_end():
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001 - the thread is the only one that sends: it must go on
                self._counters.error("internal", repr(error))
                pause(_STUCK_WAIT_S)
        try:
            self._end()
        except Exception as error:  # noqa: BLE001 - the last word: nobody is there to catch it
            self._counters.error("internal", repr(error))

    def _tick(self) -> None:
        if self._forks:
            self._rest()
        now = time.monotonic()
        if now >= self._next_adopt:
            self._next_adopt = now + _ADOPT_S
            self._adopt()
        took = self._take(self._wait_s())
        now = time.monotonic()
        self._serve_client(0.0 if took else self._poll_s())
        self._judge_client(now)
        for lane in tuple(self.lanes.values()):
            lane.pump(self._client, now)
        self._block_topics()
        if now >= self._next_upkeep:
            self._next_upkeep = now + _UPKEEP_S
            for lane in tuple(self.lanes.values()):
                lane.upkeep()
            self.stock.release_used_up(tuple(self.lanes.values()))

    def _wait_s(self) -> float:
        """How long to wait for an event when there is none."""
        lanes = tuple(self.lanes.values())
        if any(lane.in_flight for lane in lanes):
            return 0.0  # the wait is for delivery reports
        waiting = self.closing or any(lane.pending or lane.spool_records for lane in lanes)
        return _STUCK_WAIT_S if waiting and not self._can_send() else 0.0 if waiting else _PARKED_WAIT_S

    def _can_send(self) -> bool:
        return self._client is not None and any(lane.ready() for lane in tuple(self.lanes.values()))

    def _poll_s(self) -> float:
        return _BUSY_WAIT_S if any(lane.in_flight for lane in tuple(self.lanes.values())) else 0.0

    def _take(self, wait_s: float) -> int:
        """Move events from the queue to their lanes while those have room."""
        lanes = self.lanes.values()
        # Half the room is enough while the broker keeps up. Beyond it lanes count as crowded and use the spool.
        share = 1 if self.queue.qsize() > self.queue_max * 3 // 4 else 2
        room = self._in_flight_limit.max_events // share - sum(len(lane.pending) for lane in lanes)
        spare = self._in_flight_limit.max_bytes // share // 2 - sum(lane.pending_bytes for lane in lanes)
        took = 0
        with contextlib.suppress(Empty):
            while took < min(_TAKE_BATCH, room) and spare > 0:
                item = self.queue.get(timeout=wait_s) if wait_s and not took else self.queue.get_nowait()
                if isinstance(item, Flag):
                    item.set()
                    break
                took += 1
                spare -= self._accept(item)
        if room <= 0 or spare <= 0:
            pause(_BUSY_WAIT_S)
        return took

    def _accept(self, item: UsageEvent | OutcomeEvent | RawMessage) -> int:
        self.taken += 1
        try:
            topic, key, value = serialise(item)
        except Exception as error:  # noqa: BLE001 - an object made without validation can raise anything
            self._counters.drop("unserialisable", detail=repr(error)[:500])
            return 0
        if len(value) > MAX_MESSAGE_BYTES:
            self._counters.drop("too_large", detail=f"{len(value)} bytes, at most {MAX_MESSAGE_BYTES}")
            return 0
        self.lane(topic).add(key, value, self.signer.sign(topic, key, value))
        return len(value)

    def _block_topics(self) -> None:
        """Refuse a topic at the door while what waits for it can go nowhere."""
        for lane in tuple(self.lanes.values()):
            reason = lane.stuck or ("memory_full" if lane.own is None and lane.away else None)
            if reason and lane.crowded:
                self.blocked[lane.topic] = reason
            else:
                self.blocked.pop(lane.topic, None)

    def _adopt(self) -> None:
        for lane in tuple(self.lanes.values()):
            if lane.own is None:  # the folder could not be used: perhaps now
                lane.own = self.stock.own(lane.topic)
        for topic, spool in self.stock.adopt():
            self.lane(topic).adopted.append(spool)

    # --- the client --------------------------------------------------------------------------------------------

    def _serve_client(self, wait_s: float) -> None:
        now = time.monotonic()
        if self._client is None and now >= self._client_not_before:
            self._start_client() if self._all_gone() else self._pause_clients()
        if self._client is not None:
            self._client.poll(wait_s)

    def _all_gone(self) -> bool:
        """False while several clients that were given up cannot end: no thread is to pile up on the other."""
        self._discards = [one for one in self._discards if one.is_alive()]
        hanging = len(self._discards) >= _HANGING_CLIENTS
        if hanging:
            self._counters.error("clients_hang", "Kafka clients do not end: does the resolver answer? None is started")
        return not hanging

    def _start_client(self) -> None:
        self._client_failure = None
        self._client_started_at = time.monotonic()
        self._brokers_down = False
        self.client_proven = False
        self._delivered_before = self._counters.delivered
        settings = client_settings(self._config, queue_events=self._in_flight_limit.max_events)
        try:
            self._client = Producer({**settings, "error_cb": self._on_client_error})
        except (KafkaException, ValueError, TypeError) as error:
            self._counters.error("client_settings", str(error))
            self._pause_clients()

    def _on_client_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._client_failure = str(error)
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._brokers_down = True
        self._counters.error("kafka", str(error))

    def _judge_client(self, now: float) -> None:
        """Decide whether the client can stay."""
        if self._client is None:
            return
        lanes = tuple(self.lanes.values())
        if self._counters.delivered > self._delivered_before and not self.client_proven:
            self.client_proven = True
            self._untried = False
            self._brokers_down = False  # said while it was still trying its brokers' addresses
            self._client_pause_s, self._patience_s = _CLIENT_PAUSE_S[0], _PATIENCE_S[0]
        failure = self._client_failure or next((lane.client_failure for lane in lanes if lane.client_failure), None)
        for lane in lanes:
            if lane.timed_out_since is None:
                continue
            if any(other is not lane and other.last_delivery > lane.timed_out_since for other in lanes):
                lane.topic_refused("no acknowledgement in time, while other topics get through")
            else:
                failure = failure or "no acknowledgement in time"
        if failure is None and self._brokers_down:
            # Nothing in flight, but something to send: a client that lost its brokers before its first message.
            idle_since = self._client_started_at if self.unsettled() else now
            oldest = min((at for lane in lanes if (at := lane.oldest_sent_at()) is not None), default=idle_since)
            if self.client_proven:
                failure = "all brokers are down"
            elif now - oldest > self._patience_s:
                failure = "no broker can be reached"
                self._patience_s = min(2 * self._patience_s, _PATIENCE_S[1])
        if failure:
            self._drop_client(failure)

    def _drop_client(self, why: str) -> None:
        """Throw the client away; everything it has not acknowledged is ours again."""
        self._untried = False
        self._counters.client_restarts += 1
        self._counters.log(logging.WARNING, "client", f"starting a new Kafka client: {why}")
        self._empty_client()
        self.client_proven = False
        self._pause_clients()

    def _empty_client(self) -> None:
        holder: list[Producer] = []
        if self._client is not None:
            with contextlib.suppress(KafkaException):
                self._client.poll(0)  # acknowledgements that have arrived count
            holder, self._client = [self._client], None
        for lane in tuple(self.lanes.values()):
            lane.client_gone()
        if holder:
            self._discards.append(discard(holder))

    def _pause_clients(self) -> None:
        self._client_not_before = time.monotonic() + self._client_pause_s
        self._client_pause_s = min(2 * self._client_pause_s, _CLIENT_PAUSE_S[1])

    # --- the end -----------------------------------------------------------------------------------------------

    def _may_end(self) -> bool:
        if not self.closing:
            return False
        if time.monotonic() >= self._close_at:
            return True
        if self.queue.qsize():
            return False
        # Nobody waits for a broker that is away, if the disk holds everything until the next start.
        return all(
            lane.unsettled == 0 or (lane.away and not self._untried and lane.in_memory == 0 and lane.own is not None)
            for lane in tuple(self.lanes.values())
        )

    def _end(self) -> None:
        self.finished = True
        with contextlib.suppress(Empty):
            while True:
                item = self.queue.get_nowait()
                if isinstance(item, Flag):
                    item.set()
                else:
                    self._accept(item)
        self._empty_client()
        for lane in tuple(self.lanes.values()):
            lane.spill(time.monotonic(), everything=True)
            if lane.pending:
                self._counters.drop("closed_undelivered", len(lane.pending), lane.stuck or "there is no spool")
            lane.close()
        self.stock.release()

    def abandon(self) -> Producer | None:
        """In a forked child: let go of everything without touching what the parent owns.

        Returns the parent's client, which the child must never destroy: its threads do not exist here.
        """
        for lane in self.lanes.values():
            lane.abandon()
        self.stock.abandon()
        client, self._client = self._client, None
        return client
