"""`UsageProducer`: what a service calls. Its promises:

- `emit` never blocks and never raises into the service. It does a few dictionary look-ups and one queue put.
- What `emit` accepted (it returned True) is delivered at least once, across outages of the broker and restarts of the
  service. Bounds are enforced at the door: a full memory or spool makes `emit` return False, with the reason counted
  and logged. So the newest events are refused, not the oldest forced out: an answer once given stays true, and the
  service learns of each loss at the moment it could still act on it.
- A crash may send an event twice; the pipeline drops the copy by its event_id.

What can be lost: `kill -9` (or a power cut) loses what was accepted and is neither acknowledged nor spooled,
`stats().in_memory`. While the broker is well that is a few milliseconds of events. When it goes away, it is what was
emitted until that was noticed: at once if connections break, `delivery_timeout_s` if they just go silent. With
`durable=True` every event is written to the spool before `emit` returns, and a `kill -9` loses nothing; a power cut
may lose what the operating system had not written to disk yet.
"""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Final, Self

from spendstream.config import ProducerConfig
from spendstream.delivery_thread import DeliveryThread, RawMessage, serialise
from spendstream.errors import SpoolFullError
from spendstream.kafka_client import OUTCOME_TOPIC, USAGE_TOPIC, keep_forever
from spendstream.lane import Delivery
from spendstream.lifetime import expect_the_end, look_after
from spendstream.native import Flag, new_rlock, pause
from spendstream.stats import Counters, ProducerStats
from spendstream.stock import valid_topic
from spendstream.tracked_call import prepare
from spendstream.tracking import Tracker, TrackingMixin, end_open_calls
from spendstream_schemas import MAX_MESSAGE_BYTES, OutcomeEvent, UsageEvent

__all__ = ["Delivery", "Tracker", "UsageProducer"]

_WAIT_STEP_S: Final = 0.002
_MAX_RAW_KEY_BYTES: Final = 512

_Item = UsageEvent | OutcomeEvent | RawMessage


class UsageProducer(TrackingMixin):
    """Publishes usage and outcome events. Thread-safe; safe to make before a fork.

    `on_delivered` is called in the background thread for every acknowledged event, those an earlier process left in
    the spool included. It must be quick; what it raises is counted and logged. In a process that gevent or eventlet
    have patched it runs outside of the hub.
    """

    def __init__(self, config: ProducerConfig, *, on_delivered: Callable[[Delivery], None] | None = None) -> None:
        self._config = config
        self._on_delivered = on_delivered
        prepare()
        self._begin()
        _PRODUCERS.add(self)

    def _begin(self) -> None:
        self._lock = new_rlock()  # a collector of garbage may end a call, which emits, anywhere
        self._counters = Counters()
        self._durable_accepted = 0
        self._closed = False
        self._thread: DeliveryThread | None = None
        self._held: DeliveryThread | None = None  # while the process forks
        if not _in_forked_child():
            self._start()  # now, not at the first event: what an earlier process left in the spool goes out

    def _start(self) -> DeliveryThread:
        thread = DeliveryThread(self._config, self._counters, self._on_delivered)
        with self._lock:
            if self._thread is None:
                thread.start()
                self._thread = thread
        expect_the_end()
        return self._thread

    @property
    def source(self) -> str:
        """The service's name, as configured."""
        return self._config.source

    # --- emitting ----------------------------------------------------------------------------------------------

    def emit(self, event: UsageEvent | OutcomeEvent) -> bool:
        """Accept an event for delivery. Never blocks, never raises; False means refused, counted and logged.

        With `durable=True` it writes to the spool first, which takes as long as the file system does.
        """
        try:
            if isinstance(event, UsageEvent):
                return self._offer(event, USAGE_TOPIC)
            if isinstance(event, OutcomeEvent):
                return self._offer(event, OUTCOME_TOPIC)
            return self._reject("wrong_type", f"{type(event).__name__} is neither a UsageEvent nor an OutcomeEvent")
        except Exception as error:  # noqa: BLE001 - the promise of this method
            return self._reject("internal", repr(error))

    def emit_raw(self, topic: str, key: bytes, value: bytes) -> bool:
        """`emit` for a message that is serialised already (tools, replays). Same bounds, same promises."""
        try:
            reason = _raw_problem(topic, key, value)
            if reason:
                return self._reject(reason)
            return self._offer(RawMessage(topic, bytes(key), bytes(value)), topic)
        except Exception as error:  # noqa: BLE001 - the promise of this method
            return self._reject("internal", repr(error))

    def emit_wait(self, event: UsageEvent | OutcomeEvent | RawMessage, timeout_s: float = 60.0) -> bool:
        """`emit` for bulk work: waits while the broker is away or behind, instead of filling the spool.

        False when that took longer than `timeout_s`, or for the reasons of `emit`. (What was accepted before an
        outage still goes to the spool.)
        """
        try:
            deadline = time.monotonic() + timeout_s
            thread = self._thread or self._start()
            while not thread.calm() and not self._closed:
                if time.monotonic() >= deadline:
                    return self._reject("wait_timeout", f"the broker took no event for {timeout_s:g} s")
                pause(_WAIT_STEP_S)
        except Exception as error:  # noqa: BLE001 - the promise of this method
            return self._reject("internal", repr(error))
        return self.emit_raw(*event) if isinstance(event, RawMessage) else self.emit(event)

    def _offer(self, item: _Item, topic: str) -> bool:
        thread = self._thread
        if self._closed:
            return self._reject("closed", "emit() was called after close()")
        if thread is None:
            thread = self._start()  # the first event in a forked child
        if self._counters.unsaid:
            self._counters.say()
        if topic in thread.blocked:
            return self._reject(thread.blocked.get(topic, "memory_full"))
        if thread.queue.qsize() >= thread.queue_max:
            return self._reject("memory_full", f"{thread.queue_max} events wait for the background thread")
        if self._config.durable:
            written = self._write_ahead(thread, item)
            if written is not None:
                return written
        thread.queue.put(item)
        # The thread's last look at the queue may have been just before this put; it said so before it looked.
        return self._was_taken(thread, item) if thread.finished else True

    def _write_ahead(self, thread: DeliveryThread, item: _Item) -> bool | None:
        """Write to the spool. None: it cannot be written; memory is better than nothing."""
        message = serialise(item)
        if len(message.value) > MAX_MESSAGE_BYTES:
            return self._reject("too_large", f"{len(message.value)} bytes")
        spool = thread.lane(message.topic).own
        try:
            if spool is None:
                raise OSError("there is no spool")
            spool.append([(message.key, message.value, thread.signer.sign(*message))])
        except SpoolFullError:
            return self._reject("spool_full")
        except OSError as error:
            self._counters.error("not_durable", str(error))
            return None
        with self._lock:
            self._durable_accepted += 1
        if thread.queue.empty():
            thread.queue.put(Flag())  # wakes the thread
        return True

    def _was_taken(self, thread: DeliveryThread, item: _Item) -> bool:
        taken = True
        with contextlib.suppress(Exception):
            while True:
                left = thread.queue.get_nowait()
                if isinstance(left, Flag):
                    left.set()
                    continue
                self._reject("closed", "emit() ran while close() did")
                taken = taken and left is not item
        return taken

    def _reject(self, reason: str, detail: str = "") -> bool:
        self._counters.reject(reason, detail)
        return False

    # --- flushing and closing ----------------------------------------------------------------------------------

    def flush(self, timeout_s: float = 10.0) -> int:
        """Wait until everything emitted so far, and all of the spool, is acknowledged. Returns how many are not."""
        thread = self._thread
        if thread is None:
            return 0
        deadline = time.monotonic() + timeout_s
        reached = Flag()
        thread.queue.put(reached)
        while not reached.wait(_WAIT_STEP_S) or thread.unsettled():
            if time.monotonic() >= deadline or thread.finished:
                break
            if reached.is_set():
                pause(_WAIT_STEP_S)
        waiting = 0 if reached.is_set() else thread.queue.qsize()
        self._counters.say()
        return waiting + thread.unsettled()

    def close(self, timeout_s: float | None = None) -> None:
        """Stop taking events, deliver within `timeout_s` (default: close_timeout_s), spool the rest. Safe to repeat.

        It does not wait for a broker that is known to be away when the spool can hold everything.
        """
        self._closed = True
        thread = self._thread
        if thread is not None:  # closing already, perhaps in the frame that a signal interrupted: then wait for it
            thread.close(self._config.close_timeout_s if timeout_s is None else timeout_s)
        _PRODUCERS.discard(self)
        self._counters.say()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def client_restarts(self) -> int:
        """As in `stats`, cheap enough to be asked with every delivery: all deliveries between two restarts come from
        one broker that has not lost its memory in between."""
        return self._counters.client_restarts

    def stats(self) -> ProducerStats:
        """Counters and gauges of this moment. A gauge may be off by what moves while it is read."""
        thread = self._thread
        rejected, dropped, errors = self._counters.keyed()
        lanes = tuple(thread.lanes.values()) if thread else ()
        queued = thread.queue.qsize() if thread else 0
        return ProducerStats(
            accepted=(thread.taken if thread else 0) + queued + self._durable_accepted,
            delivered=self._counters.delivered,
            spooled=self._counters.spooled + self._durable_accepted,
            replayed=self._counters.replayed,
            rejected=rejected,
            dropped=dropped,
            errors=errors,
            in_memory=queued + sum(lane.in_memory for lane in lanes),
            spool_records=sum(lane.spool_records for lane in lanes),
            spool_bytes=sum(spool.bytes for lane in lanes for spool in lane.spools),
            client_restarts=self._counters.client_restarts,
            connected=thread.client_proven if thread else False,
        )

    # --- fork --------------------------------------------------------------------------------------------------

    def _before_fork(self) -> None:
        self._held = self._thread
        if self._held is not None:
            self._held.before_fork()

    def _settle_before_fork(self) -> None:
        if self._held is not None:
            self._held.settle_before_fork()

    def _after_fork_in_parent(self) -> None:
        if self._held is not None:
            self._held.after_fork()

    def _after_fork_in_child(self) -> None:
        """Start afresh: the parent keeps, and sends, everything it holds."""
        thread, self._thread = self._thread, None
        if thread is not None:
            client = thread.abandon()
            if client is not None:
                keep_forever(client)
        closed = self._closed
        self._begin()
        self._closed = closed


# Strong references: a producer that its owner forgot to close still holds events. close() lets go of it.
_PRODUCERS: Final[set["UsageProducer"]] = set()
_MAIN_PID: Final = os.getpid()


def _in_forked_child() -> bool:
    return os.getpid() != _MAIN_PID


def _raw_problem(topic: object, key: object, value: object) -> str | None:
    if not isinstance(topic, str) or not isinstance(key, bytes | bytearray) or not isinstance(value, bytes | bytearray):
        return "wrong_type"
    if not valid_topic(topic):
        return "invalid_topic"
    return "too_large" if len(value) > MAX_MESSAGE_BYTES or len(key) > _MAX_RAW_KEY_BYTES else None


look_after(_PRODUCERS, before=end_open_calls)
