"""Sending in bulk: through the SDK's producer, waiting where a service would not."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from spendstream.config import ProducerConfig
from spendstream.delivery_thread import RawMessage
from spendstream.errors import ProducerConfigError
from spendstream.lane import Delivery
from spendstream.producer import UsageProducer
from spendstream_schemas import OutcomeEvent, UsageEvent
from spendstream_traffic.replay.ranges import ERA, OffsetLog, SentRanges
from stream_jobs.base.errors import BrokerUnavailableError, ConfigError, SpendstreamError
from stream_jobs.runtime.kafka import librdkafka_config
from stream_jobs.runtime.kafka_refusals import reason
from stream_jobs.runtime.kafka_settings import KafkaSettings

Sendable = UsageEvent | OutcomeEvent | RawMessage
_FLUSH_STEP_S: Final = 0.2
_TOPIC_ID_TRIES: Final = 3
UNKNOWN_TOPIC: Final = ""
_RAW_MAX_BYTES: Final = 128 * 1024 * 1024


class NotSentError(SpendstreamError):
    """A message was refused for good, by the producer or by the broker."""


class Outbox(Protocol):
    """Takes messages of one topic. Whatever it raises, what was delivered before stays delivered."""

    def send(self, message: Sendable) -> None:
        """Raises BrokerUnavailableError when no message got through for too long, NotSentError when refused."""

    def finish(self, timeout_s: float, on_progress: Callable[[int], None]) -> SentRanges:
        """Wait for the acknowledgements. Raises BrokerUnavailableError when they stop coming, NotSentError."""

    def close(self) -> None:
        """Give up what is not delivered. Safe to repeat."""

    @property
    def topic_ids(self) -> Sequence[str]:
        """The topic's id in each era, see ranges.ERA; UNKNOWN_TOPIC where the broker did not say."""

    @property
    def accepted(self) -> int: ...

    @property
    def delivered(self) -> int: ...


def flush_all(
    flush: Callable[[float], int], delivered: Callable[[], int], timeout_s: float, on_progress: Callable[[int], None]
) -> bool:
    """Flush until nothing is pending (True) or until nothing was delivered for `timeout_s` (False)."""
    before, deadline = -1, time.monotonic() + timeout_s
    while flush(_FLUSH_STEP_S):
        if delivered() > before:
            before, deadline = delivered(), time.monotonic() + timeout_s
            on_progress(before)
        elif time.monotonic() >= deadline:
            return False
    return True


class ProducerOutbox:
    """Through `UsageProducer`, with nothing kept on disk: what is not delivered is told, and sent again by a rerun."""

    def __init__(
        self, bootstrap: str, topic: str, source: str, timeout_s: float, topic_id: Callable[[], str], hint: str = ""
    ) -> None:
        """`topic_id` asks the broker for the topic's present id."""
        self._topic = topic
        self._ask_topic_id = topic_id
        self.topic_ids: list[str] = []
        self._restarts = -1
        self._naming = threading.Lock()
        self._hint = hint  # for people: what to do when not everything was delivered
        self._timeout_s = timeout_s
        self._log = OffsetLog()
        self.accepted = 0
        try:
            config = ProducerConfig.from_env(bootstrap_servers=bootstrap, source=source, spool_dir=None, durable=False)
        except ProducerConfigError as error:
            raise ConfigError(list(error.problems)) from None
        self._producer = UsageProducer(config, on_delivered=self._delivered)

    def _delivered(self, delivery: Delivery) -> None:
        # The embedded broker is replaced by an empty one now and then; the SDK starts a new client when that happens.
        if self._producer.client_restarts == self._restarts:
            self._add(delivery)
            return
        self._restarts = self._producer.client_restarts
        with self._naming:
            self.topic_ids.append(UNKNOWN_TOPIC)
            self._add(delivery)
            # Asked at once: a turn needs many more records than the few that were delivered since.
            self.topic_ids[-1] = self._present_topic_id()

    def _add(self, delivery: Delivery) -> None:
        self._log.add((len(self.topic_ids) - 1) * ERA + delivery.partition, delivery.offset)

    def _present_topic_id(self) -> str:
        for _ in range(_TOPIC_ID_TRIES):
            with suppress(BrokerUnavailableError):
                return self._ask_topic_id()
        return UNKNOWN_TOPIC

    @property
    def delivered(self) -> int:
        return self._log.added

    def send(self, message: Sendable) -> None:
        if not self._producer.emit_wait(message, timeout_s=self._timeout_s):
            rejected = dict(self._producer.stats().rejected)
            if set(rejected) == {"wait_timeout"}:
                raise BrokerUnavailableError(f"Kafka took nothing for {self._timeout_s:g} s; {self._state()}")
            raise NotSentError(f"the producer refused a message ({', '.join(rejected)}); {self._state()}")
        self.accepted += 1

    def finish(self, timeout_s: float, on_progress: Callable[[int], None]) -> SentRanges:
        if not flush_all(self._producer.flush, lambda: self.delivered, timeout_s, on_progress):
            raise BrokerUnavailableError(f"Kafka acknowledged nothing for {timeout_s:g} s; {self._state()}")
        on_progress(self.delivered)
        with self._naming:
            pass  # the last era has its name
        dropped = dict(self._producer.stats().dropped)
        if dropped or self.delivered < self.accepted:
            raise NotSentError(f"messages were lost on the way ({dropped}); {self._state()}")
        return self._log.sent(self._topic)

    def _state(self) -> str:
        return f"{self.delivered} of {self.accepted} messages are delivered. {self._hint}".rstrip()

    def close(self) -> None:
        self._producer.close(timeout_s=1.0)


class RawOutbox:
    """Past the SDK and its checks, for messages that are meant to be wrong: any bytes, any size the broker takes."""

    def __init__(self, kafka: KafkaSettings, topic: str, timeout_s: float, topic_id: Callable[[], str]) -> None:
        self._kafka = kafka
        self._topic = topic
        self._ask_topic_id = topic_id
        self.topic_ids = [topic_id()]
        self._timeout_s = timeout_s
        self._log = OffsetLog()
        self._refused: KafkaError | None = None
        self.accepted = 0
        self._producer = Producer(
            {
                **librdkafka_config(kafka),
                "acks": "all",
                "enable.idempotence": True,
                "message.max.bytes": _RAW_MAX_BYTES,
                "queue.buffering.max.kbytes": 2 * _RAW_MAX_BYTES // 1024,
                "delivery.timeout.ms": round(timeout_s * 1000),
                "log_level": 0,
            }
        )

    @property
    def delivered(self) -> int:
        return self._log.added

    def send(self, message: Sendable) -> None:
        assert isinstance(message, RawMessage)
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                self._producer.produce(self._topic, message.value, message.key or None, on_delivery=self._report)
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise NotSentError(f"the Kafka client refused message {self.accepted + 1}: {error}") from None
            if time.monotonic() >= deadline:
                raise BrokerUnavailableError(f"Kafka took nothing for {self._timeout_s:g} s")
        self.accepted += 1
        self._producer.poll(0)
        self._raise_refusal()

    def finish(self, timeout_s: float, on_progress: Callable[[int], None]) -> SentRanges:
        if not flush_all(self._producer.flush, lambda: self.delivered, timeout_s, on_progress):
            raise BrokerUnavailableError(f"Kafka acknowledged nothing for {timeout_s:g} s")
        self._raise_refusal()
        if self._ask_topic_id() != self.topic_ids[0]:
            self.topic_ids = [UNKNOWN_TOPIC]  # its offsets belong to the one or the other
        on_progress(self.delivered)
        return self._log.sent(self._topic)

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._refused = error
        else:
            self._log.add(message.partition() or 0, message.offset() or 0)

    def _raise_refusal(self) -> None:
        if self._refused is not None:
            said = reason(self._refused, self._kafka, operation="Write", name=self._topic)
            raise NotSentError(f"the broker refused a message ({said}); {self.delivered} of {self.accepted} arrived")

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(1.0)
