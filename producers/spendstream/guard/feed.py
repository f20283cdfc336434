"""The background thread that reads `budget.state.v1`: all partitions from the beginning, then whatever comes.

It is in no group and commits nothing. It begins anew, from the start of the topic, whenever it cannot be sure that the
log is still the one it was reading: all brokers were away (one that lives in memory comes back empty), the topic has
another id, another number of partitions or is not there, or ends before where we are. Reading twice is harmless.
"""

import contextlib
import time
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from spendstream.guard.config import GuardConfig
from spendstream.guard.intake import Intake
from spendstream.guard.records import Record, TakenBack, decode
from spendstream.kafka_client import connection_settings, in_words, keep_forever, user_of, warn_of_password
from spendstream.native import Flag, Thread, until
from spendstream.stats import Counters
from spendstream_schemas.unreadable import UnreadableBatches

_POLL_S: Final = 0.1
_ANSWER_STEP_S: Final = 0.01
_BATCH: Final = 500  # records that are parsed before anything else gets a turn
_ASK_TIMEOUT_S: Final = 5.0
_CLOSE_WAIT_S: Final = 5.0
_SETTLE_S: Final = 1.0
_TANSU: Final = "tansu_cluster"
_GONE: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._AUTO_OFFSET_RESET,
    }
)


Topic = tuple[str, int]
"""Its id and its number of partitions."""


class Feed:
    """See the module. Whatever fails is counted, logged and tried again."""

    def __init__(self, config: GuardConfig, intake: Intake, counters: Counters) -> None:
        self._thread = Thread(self.run, "spendstream-guard")
        self._config = config
        self._intake = intake
        self._counters = counters
        self._stopping = Flag()
        self._began_s = 0.0
        self._lost: str | None = None  # why the log may be another one
        self._clients: list[Any] = []
        self.connected = False
        self.reads = 0  # how often the topic was read from its start

    def start(self) -> None:
        """Once."""
        self._began_s = time.monotonic()
        self._thread.start()

    def run(self) -> None:
        warn_of_password(self._config, self._counters)
        admin: AdminClient | None = None
        while not self._stopping.is_set():
            try:
                if admin is None:
                    admin = AdminClient(connection_settings(self._config))
                    self._clients.append(admin)
                topic = self._described(self._ask(admin))
                if topic is not None:
                    self._read(admin, topic)
            except Exception as error:  # noqa: BLE001 - the service must not notice; the figures grow stale, and say so
                if not self._stopping.is_set():
                    self._counters.error("guard_feed", self._text(error))
            self.connected = False
            self._stopping.wait(self._config.retry_interval_s)
        self._clients.clear()

    def is_alive(self) -> bool:
        """It runs."""
        return self._thread.is_alive()

    def end(self) -> None:
        """The thread is to end."""
        self._stopping.set()

    def stop(self) -> None:
        """Ends the thread. That may take a moment where a broker does not answer; nobody waits long for it."""
        self.end()
        self._thread.join(_CLOSE_WAIT_S)

    def settle(self) -> None:
        """Before a fork (see `DeliveryThread.before_fork`): clients that are new get a moment to find their broker."""
        until(lambda: self.connected or time.monotonic() > self._began_s + _SETTLE_S, _SETTLE_S)

    def abandon(self) -> None:
        """In a forked child, where the thread is not: see `keep_forever`."""
        for client in self._clients:
            keep_forever(client)

    # -- reading

    def _read(self, admin: AdminClient, topic: Topic) -> None:
        self._lost = None
        consumer = Consumer(self._reader_settings(admin))
        self._clients.append(consumer)
        try:
            self._follow(admin, consumer, topic)
        finally:
            self._clients.remove(consumer)
            consumer.close()
        if self._lost is not None:
            self._counters.error("guard_topic", f"{self._config.topic} is read anew: {self._lost}")

    def _follow(self, admin: AdminClient, consumer: Consumer, topic: Topic) -> None:
        name = self._config.topic
        partitions = [TopicPartition(name, number, OFFSET_BEGINNING) for number in range(topic[1])]
        unread = _Unread(consumer, partitions)
        unreadable = UnreadableBatches(consumer, name, topic[1], self._on_unreadable)
        self._intake.load_begins()
        self.reads += 1
        consumer.assign(partitions)
        check_at_s, question = time.monotonic() + self._config.check_interval_s, None
        while self._lost is None and not self._stopping.is_set():
            first = consumer.poll(_POLL_S)
            if first is not None:
                messages = [first, *consumer.consume(_BATCH, 0)]
                for message in messages:
                    unreadable.pass_by(message)
                self._take(messages, unread)
                if unread.just_ended():
                    self._intake.load_ended()
                self.connected = True
            unreadable.look()
            if question is not None and question.done():
                if self._described(question) != topic:
                    self._lost = "it is another topic, or gone"
                elif beyond := _beyond_end(consumer, partitions):
                    self._lost = f"partition {beyond.partition} ends before offset {beyond.offset}"
                check_at_s, question = time.monotonic() + self._config.check_interval_s, None
            elif question is None and time.monotonic() >= check_at_s:
                question = self._ask(admin)

    def _on_unreadable(self, partition: int, low: int, high: int) -> None:
        self._counters.error(
            "unreadable_budget_batch", f"partition {partition}: offsets up to {low} are passed over, on from {high}"
        )

    def _take(self, messages: list[Message], unread: "_Unread") -> None:
        records: list[Record | TakenBack] = []
        for message in messages:
            error = message.error()
            unread.pass_by(message)
            if error is None:
                try:
                    record = decode(message.key(), message.value())
                except Exception as problem:  # noqa: BLE001 - nothing in the topic may keep the rest of it from us
                    place = f"partition {message.partition()}, offset {message.offset()}"
                    self._counters.error("malformed_budget_record", f"{place}: {problem}")
                    continue
                if record is not None:
                    records.append(record)
            elif error.code() in _GONE:
                self._lost = error.str()
            elif error.code() != KafkaError._PARTITION_EOF:
                self._counters.error("guard_feed", self._text(KafkaException(error)))
        # Also without records: what is due by the clock is done then.
        try:
            self._intake.take(records)
        except Exception:
            if not records:
                raise
            self._take_singly(records)

    def _take_singly(self, records: list[Record | TakenBack]) -> None:
        """Taking one twice changes nothing; the one that cannot be taken must not make us read the topic for ever."""
        for record in records:
            try:
                self._intake.take([record])
            except Exception as problem:  # noqa: BLE001 - counted, and told
                self._counters.error("malformed_budget_record", f"{type(record).__name__} is passed over: {problem!r}")

    # -- asking about the topic

    def _ask(self, admin: AdminClient) -> "Future[Any]":
        asked = admin.describe_topics(TopicCollection([self._config.topic]), request_timeout=_ASK_TIMEOUT_S)
        future: Future[Any] = asked[self._config.topic]
        return future

    def _described(self, answer: "Future[Any]") -> Topic | None:
        """None when the topic does not exist (yet). Raises KafkaException when nobody answers."""
        try:
            found = self._answer(answer)
        except KafkaException as error:
            if error.args[0].code() not in _GONE:
                raise
            self._counters.error("no_budget_topic", f"{self._config.topic} does not exist (yet)")
            return None
        return str(found.topic_id), len(found.partitions)

    def _answer(self, future: "Future[Any]") -> Any:
        """Waits for it, unless the thread is to end meanwhile; that is a TimeoutError."""
        deadline_s = time.monotonic() + 2 * _ASK_TIMEOUT_S
        while not future.done() and time.monotonic() < deadline_s and not self._stopping.is_set():
            self._stopping.wait(_ANSWER_STEP_S)  # not `result`: its condition may be the greenlets'
        return future.result(0)

    def _reader_settings(self, admin: AdminClient) -> dict[str, Any]:
        settings = connection_settings(self._config) | {
            "group.id": "spendstream-guard",  # the client demands one; it neither joins nor commits
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "socket.keepalive.enable": True,
            "queued.max.messages.kbytes": 16_384,
            "reconnect.backoff.ms": 250,  # long enough to hear of an outage, and to stop reading, before it is over
            "reconnect.backoff.max.ms": 1000,
            "error_cb": self._on_error,
        }
        if self._cluster_id(admin) == _TANSU:
            settings |= {
                # Tansu's answer to a fetch from a topic that was deleted meanwhile names a new leader for a topic
                # without a name; librdkafka (2.16) looks for the null pointer in its cache, and the whole process
                # dies. An empty cache is not searched.
                "metadata.max.age.ms": 1,
                "topic.metadata.refresh.interval.ms": -1,  # it is asked about by `_ask`
                "fetch.wait.max.ms": 50,  # Tansu lets new records wait for the end of it
            }
        return settings

    def _cluster_id(self, admin: AdminClient) -> str | None:
        # Not everybody may ask, and then it is a Kafka that has access rules.
        with contextlib.suppress(KafkaException, TimeoutError):
            return str(self._answer(admin.describe_cluster(request_timeout=_ASK_TIMEOUT_S)).cluster_id)
        return None

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._lost = "all brokers were away"
        elif error.code() != KafkaError._TRANSPORT:  # which comes with every attempt to reconnect
            self._counters.error("guard_broker", error.str())

    def _text(self, error: Exception) -> str:
        first = error.args[0] if error.args else error
        if not isinstance(first, KafkaError):
            return repr(error)
        if first.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return in_words(first, "Read", self._config.topic, user_of(self._config))
        return str(first.str())


class _Unread:
    """Which partitions have not been read to where they ended when reading began.

    That end comes with the first fetch; an empty fetch alone would not do, since a busy partition may never give one.
    """

    def __init__(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._places = {partition.partition: partition for partition in partitions}
        self._ends: dict[int, int] = {}
        self._ended = False

    def pass_by(self, message: Message) -> None:
        """This one, or the news that there is no more, has come."""
        number, offset = message.partition(), message.offset()
        if number not in self._places or number is None or offset is None:
            return
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                del self._places[number]
            return
        if number not in self._ends:
            _, end = self._consumer.get_watermark_offsets(self._places[number], cached=True) or (0, -1)
            if end < 0:
                return
            self._ends[number] = end
        if offset + 1 >= self._ends[number]:
            del self._places[number]

    def just_ended(self) -> bool:
        """True once: when all are read."""
        if self._places or self._ended:
            return False
        self._ended = True
        return True


def _beyond_end(consumer: Consumer, partitions: list[TopicPartition]) -> TopicPartition | None:
    """A partition of which more has been read than it has, by the ends that came with what was fetched."""
    for place in consumer.position(partitions):
        _, end = consumer.get_watermark_offsets(place, cached=True) or (0, -1)
        if 0 <= end < place.offset:
            return place
    return None
