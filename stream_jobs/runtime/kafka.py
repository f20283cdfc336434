"""One description of the broker for both clients: librdkafka (admin, tools) and Faust's aiokafka."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from pydantic import SecretStr

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.runtime.kafka_refusals import TOOLS_GROUP, listener, reason
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.kafka_tls import ssl_context
from stream_jobs.runtime.logs import warn_once
from stream_jobs.runtime.retry import Backoff, retry_blocking, wait_until

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

_Answer = TypeVar("_Answer")
ADMIN_TIMEOUT_S = 10.0
RETRY_INTERVAL_S = 0.05
TANSU_CLUSTER = "tansu_cluster"
_PATIENCE_S = {
    KafkaError.NOT_LEADER_FOR_PARTITION: ADMIN_TIMEOUT_S,
    KafkaError.LEADER_NOT_AVAILABLE: ADMIN_TIMEOUT_S,
    KafkaError.OFFSET_NOT_AVAILABLE: ADMIN_TIMEOUT_S,  # a new leader does not know yet what its followers have
    KafkaError.UNKNOWN_LEADER_EPOCH: ADMIN_TIMEOUT_S,  # the leader itself has not heard of its election yet
    KafkaError.UNKNOWN_TOPIC_OR_PART: 2.0,  # not every broker of a cluster has heard of a new topic yet
}
"""How long to ask again after answers that hold only just after a topic was made, or after a broker has gone."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What is declared of a topic in schemas/topics/<name>.yaml."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def librdkafka_config(kafka: KafkaSettings) -> dict[str, Any]:
    """Connection options of confluent_kafka clients. Raises ConfigError when the TLS files cannot be used.

    A password that would leave this machine without TLS is warned of.
    """
    if "SSL" in kafka.security_protocol:
        ssl_context(kafka)  # librdkafka would say less, and some of it only when it connects
    warn_once(kafka.password_in_the_clear)
    config: dict[str, Any] = {
        "log_level": 0,  # what fails is raised; librdkafka would also print it
        "error_cb": listener(kafka),
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": kafka.client_id,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_username,
        "sasl.password": _secret(kafka.sasl_password),
        "ssl.ca.location": _text(kafka.ssl_ca_location),
        "ssl.certificate.location": _text(kafka.ssl_certificate_location),
        "ssl.key.location": _text(kafka.ssl_key_location),
        "ssl.key.password": _secret(kafka.ssl_key_password),
        # A producer that asks for a topic would make it, with as many partitions as the broker thinks fit: topics are
        # made as schemas/topics/ declares them, and one that is missing is an error.
        "allow.auto.create.topics": False,
    }
    return {key: value for key, value in config.items() if value is not None}


def lasting_consumer_config(kafka: KafkaSettings) -> dict[str, Any]:
    """Of a confluent_kafka consumer that neither joins a group nor commits, and goes on for as long as we run.

    Raises BrokerUnavailableError.
    """
    config = librdkafka_config(kafka) | {
        "group.id": TOOLS_GROUP,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",  # a topic that was made anew begins again
        "fetch.wait.max.ms": 100,
    }
    admin = AdminClient(librdkafka_config(kafka))  # has to live until it has answered
    try:
        cluster = admin.describe_cluster(request_timeout=ADMIN_TIMEOUT_S).result()
    except KafkaException as error:
        said = reason(error, kafka, operation="Describe", kind="cluster", name="", client=admin)
        raise BrokerUnavailableError(f"cannot describe the cluster: {said}") from error
    if cluster.cluster_id == TANSU_CLUSTER:
        # Tansu's answer to a fetch from a topic that is gone names a new leader for a topic without a name; librdkafka
        # (2.16) looks for the null pointer in its cache, and the whole process dies. An empty cache is not searched.
        config |= {"metadata.max.age.ms": 1, "topic.metadata.refresh.interval.ms": -1}
    return config


def faust_credentials(kafka: KafkaSettings) -> "CredentialsT | None":
    """The same for Faust. None for a plain connection."""
    from faust import SASLCredentials, SSLCredentials  # a third of a second of CPU, which commands need not spend

    protocol = kafka.security_protocol.upper()
    context = ssl_context(kafka) if "SSL" in protocol else None
    if "SASL" in protocol:
        return SASLCredentials(
            mechanism=kafka.sasl_mechanism,
            username=kafka.sasl_username,
            password=_secret(kafka.sasl_password),
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None


def broker_urls(kafka: KafkaSettings) -> list[str]:
    """Faust's form of the bootstrap servers."""
    return [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]


@dataclass(frozen=True, slots=True)
class TopicStart:
    """One incarnation of a topic (deleted and made again it has another id and starts at offset 0), and the first
    offset that each partition still holds."""

    topic_id: str
    earliest: Mapping[int, int]


def topic_start(kafka: KafkaSettings, topic: str) -> TopicStart:
    """Raises BrokerUnavailableError when the broker does not answer or the topic does not exist (yet)."""
    admin = AdminClient(librdkafka_config(kafka))
    try:
        topic_id, partitions = _described(admin, topic)
        return TopicStart(topic_id, _offsets(admin, topic, partitions, OffsetSpec.earliest()))
    except KafkaException as error:
        said = reason(error, kafka, operation="Describe", name=topic, client=admin)
        raise BrokerUnavailableError(f"cannot describe topic {topic}: {said}") from error


def _described(admin: AdminClient, topic: str) -> tuple[str, list[int]]:
    """The topic's id and partitions."""

    def ask() -> tuple[str, list[int]]:
        description = admin.describe_topics(TopicCollection([topic]), request_timeout=ADMIN_TIMEOUT_S)[topic].result()
        return str(description.topic_id), [partition.id for partition in description.partitions]

    return _asked(ask)


def _offsets(admin: AdminClient, topic: str, partitions: list[int], spec: OffsetSpec) -> dict[int, int]:
    wanted = {TopicPartition(topic, partition): spec for partition in partitions}

    def ask() -> dict[int, int]:
        found = admin.list_offsets(wanted, request_timeout=ADMIN_TIMEOUT_S)
        return {source.partition: future.result().offset for source, future in found.items()}

    return _asked(ask)


def _asked(ask: Callable[[], _Answer]) -> _Answer:
    """Asks again what fails only for the moment."""
    pauses = Backoff(RETRY_INTERVAL_S, RETRY_INTERVAL_S)
    return retry_blocking(ask, None, KafkaException, pauses, lambda error: _PATIENCE_S.get(error.args[0].code(), -1.0))


class LogEnds:
    """Where the partitions of a topic end.

    The end is read, not asked for: Tansu's answer to ListOffsets is the start of the last batch, not its end.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._config = librdkafka_config(kafka)
        self._admin = AdminClient(self._config)

    def of(self, topic: str) -> tuple[str, dict[int, int]]:
        """The topic's id, and the offset after the last record by partition. Raises BrokerUnavailableError."""
        try:
            topic_id, partitions = _described(self._admin, topic)
            return topic_id, self._read_to_end(topic, _offsets(self._admin, topic, partitions, OffsetSpec.latest()))
        except KafkaException as error:
            said = reason(error, self._kafka, operation="Read", name=topic, client=self._admin)
            raise BrokerUnavailableError(f"cannot read the end of {topic}: {said}") from error

    def _read_to_end(self, topic: str, starts: Mapping[int, int]) -> dict[int, int]:
        consumer = Consumer(
            {
                **self._config,
                "group.id": TOOLS_GROUP,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_uncommitted",  # else no answer comes while a transaction is open
                "fetch.wait.max.ms": 10,  # Tansu would say that there is no more only after the default half second
            }
        )
        ends: dict[int, int] = {}
        deadline = time.monotonic() + ADMIN_TIMEOUT_S
        try:
            consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in starts.items()])
            while len(ends) < len(starts):
                message = consumer.poll(0.1)
                if message is None:
                    if time.monotonic() > deadline:
                        raise BrokerUnavailableError(f"cannot read the end of {topic}: no answer")
                elif (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    ends[_known(message.partition())] = _known(message.offset())
            return ends
        finally:
            consumer.close()


def _known(value: int | None) -> int:
    assert value is not None  # a message of the broker has both
    return value


def ensure_topics(kafka: KafkaSettings, topics: list[TopicSpec]) -> list[str]:
    """Create the topics that do not exist; returns their names when they can be used. Existing ones are left as they
    are. Raises BrokerUnavailableError."""
    admin = AdminClient(librdkafka_config(kafka))
    new = [NewTopic(topic.name, topic.partitions, topic.replication, config=dict(topic.config)) for topic in topics]
    created = []
    for name, future in admin.create_topics(new, request_timeout=ADMIN_TIMEOUT_S).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                said = reason(error, kafka, operation="Create", name=name, client=admin)
                raise BrokerUnavailableError(f"cannot create topic {name}: {said}") from error
    if created:
        _wait_for_leaders(admin, set(created))
    return created


def _wait_for_leaders(admin: AdminClient, topics: set[str]) -> None:
    """A broker says that a topic is made before all brokers know it and its partitions have leaders."""

    def led() -> bool:
        try:
            known = admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics
        except KafkaException as error:
            raise BrokerUnavailableError(f"cannot list the topics: {error.args[0].str()}") from error
        return all(
            name in known
            and known[name].partitions
            and all(partition.leader >= 0 for partition in known[name].partitions.values())
            for name in topics
        )

    if not wait_until(led, ADMIN_TIMEOUT_S, RETRY_INTERVAL_S):
        raise BrokerUnavailableError(f"no leader for every partition of {', '.join(sorted(topics))} in time")


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
