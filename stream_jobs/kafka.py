"""One description of the broker for both clients: librdkafka (admin, tools) and Faust's aiokafka."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic
from faust import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from stream_jobs.errors import BrokerUnavailableError, ConfigError
from stream_jobs.settings import KafkaSettings

ADMIN_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What is declared of a topic in schemas/topics/<name>.yaml."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def librdkafka_config(kafka: KafkaSettings) -> dict[str, Any]:
    """Connection options of confluent_kafka clients."""
    config: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_username,
        "sasl.password": kafka.sasl_password.get_secret_value() if kafka.sasl_password else None,
        "ssl.ca.location": _text(kafka.ssl_ca_location),
        "ssl.certificate.location": _text(kafka.ssl_certificate_location),
        "ssl.key.location": _text(kafka.ssl_key_location),
    }
    return {key: value for key, value in config.items() if value is not None}


def faust_credentials(kafka: KafkaSettings) -> CredentialsT | None:
    """The same for Faust. None for a plain connection."""
    protocol = kafka.security_protocol.upper()
    context = _ssl_context(kafka) if "SSL" in protocol else None
    if "SASL" in protocol:
        return SASLCredentials(
            mechanism=kafka.sasl_mechanism,
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value() if kafka.sasl_password else None,
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None


def broker_urls(kafka: KafkaSettings) -> list[str]:
    """Faust's form of the bootstrap servers."""
    return [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]


def topic_id(kafka: KafkaSettings, topic: str) -> str:
    """The id of this incarnation of the topic: a topic deleted and made again has another, and starts at offset 0.

    Raises BrokerUnavailableError when the broker does not answer or the topic does not exist (yet).
    """
    admin = AdminClient(librdkafka_config(kafka))
    try:
        description = admin.describe_topics(TopicCollection([topic]), request_timeout=ADMIN_TIMEOUT_S)[topic].result()
    except KafkaException as error:
        raise BrokerUnavailableError(f"cannot describe topic {topic}: {_reason(error)}") from error
    return str(description.topic_id)


def ensure_topics(kafka: KafkaSettings, topics: list[TopicSpec]) -> list[str]:
    """Create the topics that do not exist; returns their names. Existing ones are left as they are."""
    admin = AdminClient(librdkafka_config(kafka))
    new = [NewTopic(topic.name, topic.partitions, topic.replication, config=dict(topic.config)) for topic in topics]
    created = []
    for name, future in admin.create_topics(new, request_timeout=ADMIN_TIMEOUT_S).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerUnavailableError(f"cannot create topic {name}: {_reason(error)}") from error
    return created


def end_offsets(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """The offset after the last record, by partition. Raises BrokerUnavailableError."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({**librdkafka_config(kafka), "group.id": "spendstream-tools"})
    try:
        metadata = consumer.list_topics(topic, timeout=ADMIN_TIMEOUT_S).topics[topic]
        return {
            partition: consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=ADMIN_TIMEOUT_S, cached=False
            )[1]
            for partition in metadata.partitions
        }
    except KafkaException as error:
        raise BrokerUnavailableError(f"cannot read the end of {topic}: {_reason(error)}") from error
    finally:
        consumer.close()


def _ssl_context(kafka: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=_text(kafka.ssl_ca_location))
        if kafka.ssl_certificate_location:
            context.load_cert_chain(kafka.ssl_certificate_location, kafka.ssl_key_location)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the TLS files of Kafka cannot be used: {error}") from None
    return context


def _reason(error: KafkaException) -> str:
    return str(error.args[0].str()) if error.args and isinstance(error.args[0], KafkaError) else str(error)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
