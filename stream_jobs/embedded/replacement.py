"""Keeps the broker in memory under its bound: an empty one takes the place of a full one, for as long as we run.

The embedded broker frees nothing and cannot delete records. At the bound a second broker starts and the gate leads all
strangers to it: they meet a connection that closed and opens again. Our own jobs go on with the full one until
everything it acknowledged is booked; then they are led to the second one too, and the first one stops. So events of the
second are booked after those of the first, and every topic begins again at offset 0 under a new topic id: offsets
count only together with it. A job that still believes in the first one's offsets has its commits refused, because the
second knows neither the group's generation nor its member.

When the second is full before the first is booked (ClickHouse is away or too slow), the gate holds strangers out: their
SDKs keep what they have. Nothing is dropped, and memory stays below twice the bound.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient

from stream_jobs.base.errors import BrokerUnavailableError, RetryError
from stream_jobs.blocks.progress import booked_to
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.brokers import Broker
from stream_jobs.embedded.gate import Gate
from stream_jobs.embedded.measure import BrokerSize, broker_size
from stream_jobs.embedded.producer_ids import ProducerIds
from stream_jobs.embedded.settings import MIB, EmbeddedSettings
from stream_jobs.runtime.kafka import LogEnds, ensure_topics, librdkafka_config
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.metrics import BROKER_BYTES, BROKER_RECORDS, BROKER_TURNS, GATE_HELD
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.retry import wait_until
from stream_jobs.runtime.topics import EVENT_TOPICS, topic_specs
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

PATIENCE_S: Final = 2.0  # how long one look waits for the rest to be booked, which normally takes less
POLL_INTERVAL_S: Final = 0.05
SETTLE_S: Final = 0.2  # until a broker has worked off what was forwarded to it
REPORT_EVERY_S: Final = 30.0

Ends = dict[str, tuple[str, dict[int, int]]]


class BrokerReplacement:
    """`check` is called every second or so, with the broker that our jobs read from; it answers with the one they read
    from then. Not safe for use by several threads, except for `trouble`."""

    def __init__(
        self,
        gate: Gate,
        kafka: KafkaSettings,
        settings: EmbeddedSettings,
        work_dir: Path,
        open_store: Callable[[], StoreClient],
    ) -> None:
        """`kafka` is the gate's address with the client id that the gate lets through to the jobs' broker."""
        self._gate = gate
        self._kafka = kafka
        self._settings = settings
        self._work_dir = work_dir
        self._open_store = open_store
        self._ids = ProducerIds(work_dir / "next-producer-id")
        self._admin: AdminClient | None = None
        self._next: TansuBroker | None = None
        self._next_kafka = kafka.model_copy(update={"client_id": f"{kafka.client_id}-next"})
        self._began_at = 0.0
        self._report_at = 0.0
        self._ends: Ends | None = None
        self._fewest_left: int | None = None
        self._moved_at = 0.0
        self.replaced = 0
        self.trouble: str | None = None

    def _make_broker(self) -> TansuBroker:
        return TansuBroker(free_port(), self._work_dir, advertised_port=self._gate.port)

    def started(self, broker: Broker) -> None:
        """To be called once for every broker that has just started, before strangers come to it."""
        self._ids.skip_used(broker.port)
        if broker is not self._next:
            self._gate.lead_strangers(broker.port, self._settings.broker_max_bytes)

    @property
    def pending(self) -> bool:
        """Whether two brokers run: a full one that is booked to its end, and the one that fills."""
        return self._next is not None

    @property
    def stalled_s(self) -> float:
        """For how long nothing more of a full broker has been booked; 0 when there is none."""
        return time.monotonic() - self._moved_at if self.pending else 0.0

    def worker_restarted(self) -> None:
        """Gives a new worker its time before it counts as stalled."""
        self._moved_at = time.monotonic()

    def check(self, current: Broker) -> Broker:
        """Begin, go on with or finish a replacement. Raises SpendstreamError when a broker or the store does not
        answer."""
        if self._next is None:
            size = self._measure(current, self._kafka)
            why = self._over(size)
            if why is None:
                return current
            self._begin(current, why)
        assert self._next is not None
        if not self._next.running():
            log.error("the broker that took over stopped; what it held is gone unless its senders hold it")
            self._next.start()
            self._prepare_next()
        if not current.running():
            log.error("the full broker stopped; what it held and was not booked is gone unless its senders hold it")
            return self.finish(current)
        if self._booked():
            return self.finish(current)
        self._hold_when_full()
        return current

    def _begin(self, current: Broker, why: str) -> None:
        self._began_at = self._moved_at = time.monotonic()
        self._ends = self._fewest_left = None
        self._report_at = self._began_at + REPORT_EVERY_S
        self._ids.note_used(current.port)
        self._next = self._make_broker()
        try:
            self._next.start()
            self._prepare_next()
        except BaseException:
            self._next.stop()
            self._next = None
            raise
        log.info("the broker in memory holds %s: an empty one takes over", why)

    def _prepare_next(self) -> None:
        assert self._next is not None
        self._gate.lead_own(self._next_kafka.client_id, self._next.port)
        self.started(self._next)
        ensure_topics(self._next_kafka, topic_specs(embedded=True))
        self._admin = None
        self._gate.lead_strangers(self._next.port, self._settings.broker_max_bytes)

    def _booked(self) -> bool:
        """Whether everything that the full broker acknowledged is in the store; waits for it a little."""
        try:
            if self._ends is None:
                time.sleep(SETTLE_S)
                log_ends = LogEnds(self._kafka)
                # Nobody adds to it any more: what it has not acknowledged is sent again, to the next one.
                self._ends = {topic: log_ends.of(topic) for topic in EVENT_TOPICS}
            with self._open_store() as store:
                unbooked = partial(_unbooked, store, self._ends)
                wait_until(lambda: not unbooked(), PATIENCE_S, POLL_INTERVAL_S)
                left = unbooked()
        except RetryError as error:
            log.warning("cannot tell what of the full broker is booked: %s", error)
            return False
        if self._fewest_left is None or left < self._fewest_left:
            self._fewest_left, self._moved_at = left, time.monotonic()
        if left and time.monotonic() > self._report_at:
            self._report_at = time.monotonic() + REPORT_EVERY_S
            waited_s = time.monotonic() - self._began_at
            log.warning("%d records of the full broker are not booked yet, after %.0f s", left, waited_s)
        return not left

    def _hold_when_full(self) -> None:
        assert self._next is not None
        why = self._over(self._measure(self._next, self._next_kafka))
        if why is None:
            return
        if self.trouble is None:
            self.trouble = (
                f"the broker in memory is full ({why}) and the one before it is not booked yet: producers are held "
                "out and keep what they have; see the worker's log"
            )
            log.error("%s", self.trouble)
            GATE_HELD.set(1)
        self._gate.hold()

    def finish(self, current: Broker) -> Broker:
        """Lead our own jobs to the next broker and stop this one."""
        assert self._next is not None
        self._admin = None  # before its broker goes, or librdkafka complains
        self._gate.lead_own(self._kafka.client_id, self._next.port)
        current.stop()
        successor, self._next = self._next, None
        if self.trouble is not None:
            log.info("the full broker is booked to its end: producers may come again")
            self.trouble = None
            GATE_HELD.set(0)
        self.replaced += 1
        BROKER_TURNS.inc()
        log.info("the jobs go on with the empty broker, %.1f s after it started", time.monotonic() - self._began_at)
        return successor

    def stop(self, current: Broker | None) -> None:
        """Before the jobs' broker stops: stop the other one, if there is one. Safe to call twice."""
        self._admin = None
        if current is not None and current.running():
            self._ids.note_used(current.port)
        if self._next is not None:
            self._next.stop()
            self._next = None

    def _measure(self, broker: Broker, kafka: KafkaSettings) -> BrokerSize:
        if broker.pid is None:
            raise BrokerUnavailableError("the embedded broker does not run")
        if self._admin is None:
            self._admin = AdminClient(librdkafka_config(kafka))
        size = broker_size(self._admin, broker.pid)
        BROKER_RECORDS.set(size.records)
        BROKER_BYTES.set(size.memory_bytes)
        return size

    def _over(self, size: BrokerSize) -> str | None:
        if size.records >= self._settings.broker_max_records:
            return f"{size.records:,} records"
        if size.memory_bytes >= self._settings.broker_max_bytes or self._gate.full:
            return f"{size.records:,} records in {size.memory_bytes // MIB} MiB"
        return None


def _unbooked(store: StoreClient, ends: Ends) -> int:
    missing = 0
    for topic, (topic_id, partitions) in ends.items():
        done = booked_to(store, topic, topic_id)
        missing += sum(max(0, end - done.get(partition, 0)) for partition, end in partitions.items())
    return missing
