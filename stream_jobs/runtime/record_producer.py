"""Sends records and waits until the broker has them: for the feeds between our own jobs."""

import threading
import time
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.runtime.kafka import librdkafka_config
from stream_jobs.runtime.kafka_refusals import reason
from stream_jobs.runtime.kafka_settings import KafkaSettings

DELIVERY_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.1
_CLOSE_TIMEOUT_S: Final = 1.0
_MARGIN_S: Final = 1.0
"""librdkafka looks for messages that have timed out once a second."""
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024  # ours; a topic's own bound is smaller
Record = tuple[bytes, bytes | None]
"""Key and value; no value takes back what the key said."""


class RecordProducer:
    """Threads may share it. What was not delivered in time is given up, and never arrives behind something newer of
    the same producer: whoever sends says again what holds then."""

    def __init__(self, kafka: KafkaSettings, *, linger_ms: int = 0, timeout_s: float = DELIVERY_TIMEOUT_S) -> None:
        self._kafka = kafka
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # who polls is told of everybody's deliveries
        self._settings = {
            **librdkafka_config(kafka),
            "acks": "all",
            # A repetition is harmless to whoever reads these topics, and a producer that numbers its messages is of no
            # use any more to a broker that came back without its memory. One request at a time keeps the order.
            "enable.idempotence": False,
            "max.in.flight.requests.per.connection": 1,
            "linger.ms": linger_ms,
            "message.timeout.ms": int(timeout_s * 1000),
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "topic.metadata.propagation.max.ms": 3000,  # a topic that is not known for longer is missing
        }
        self._producer: Producer | None = None

    def send(self, topic: str, records: Iterable[Record]) -> int:
        """Returns how many there were, when the broker has all of them.

        Raises BrokerUnavailableError when it does not have them in time; some may have arrived. May be repeated.
        """
        with self._lock:
            try:
                return self._send(topic, records)
            except BaseException:
                self._drop()  # what waits in it must not arrive behind what is said next
                raise

    def _send(self, topic: str, records: Iterable[Record]) -> int:
        failed: list[KafkaError] = []
        sent = settled = 0

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            nonlocal settled
            settled += 1
            if error is not None:
                failed.append(error)

        producer = self._producer = self._producer or Producer(self._settings)
        try:
            for key, value in records:
                self._produce(producer, topic, key, value, on_delivery)
                sent += 1
            deadline = time.monotonic() + self._timeout_s + _MARGIN_S
            while settled < sent and not failed and time.monotonic() < deadline:
                producer.poll(_POLL_S)
        except (KafkaException, BufferError) as error:
            raise BrokerUnavailableError(f"records cannot be sent to {topic}: {error}") from error
        if failed or settled < sent:
            said = f"no answer within {self._timeout_s:g} s"
            if failed:
                said = reason(failed[0], self._kafka, operation="Write", name=topic)
            missing = len(failed) + sent - settled
            raise BrokerUnavailableError(f"{missing} of {sent} records did not reach {topic}: {said}")
        return sent

    def _produce(self, producer: Producer, topic: str, key: bytes, value: bytes | None, on_delivery: Any) -> None:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=on_delivery)
            except BufferError:  # the client's own queue is full
                if time.monotonic() > deadline:
                    raise
                producer.poll(_POLL_S)
            else:
                producer.poll(0)
                return

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(_CLOSE_TIMEOUT_S)

    def close(self) -> None:
        """What is under way is given up."""
        with self._lock:
            self._drop()
