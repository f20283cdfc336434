"""The Kafka client underneath: its settings, and what its errors mean for us."""

import contextlib
import ctypes
import logging
from enum import Enum, auto
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from spendstream.config import KafkaConfig, ProducerConfig
from spendstream.native import Thread
from spendstream.stats import Counters
from spendstream_schemas.hosts import password_in_the_clear

USAGE_TOPIC: Final = "usage.events.v1"
OUTCOME_TOPIC: Final = "usage.outcomes.v1"


_DISCARD_WAIT_S: Final = 1.0


class Failure(Enum):
    """What a failed delivery says."""

    CLIENT = auto()  # the connection, the brokers or the client's state: take everything back, start a new client
    TOPIC = auto()  # this topic only: it does not exist (yet), or we may not write to it (yet)
    MESSAGE = auto()  # the broker will never take this message
    TIMEOUT = auto()  # CLIENT or TOPIC; whether other topics get through decides


_TOPIC_CODES: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.POLICY_VIOLATION,
    }
)
_MESSAGE_CODES: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
    }
)


def classify(error: KafkaError) -> Failure:
    """What to do about a failed delivery. Whatever is not known is the client's: nothing is given up for it."""
    code = error.code()
    if error.fatal():
        return Failure.CLIENT
    if code in _TOPIC_CODES:
        return Failure.TOPIC
    if code in _MESSAGE_CODES:
        return Failure.MESSAGE
    return Failure.TIMEOUT if code == KafkaError._MSG_TIMED_OUT else Failure.CLIENT


def discard(holder: list[Producer]) -> Thread:
    """Destroy the client in `holder`, which has the only reference to it. Gives the thread that does it.

    What it still had is purged, whose reports come too late; its threads are joined. That takes milliseconds, unless
    one hangs (in name resolution, or in a process that was forked while its parent resolved a name). Nobody waits for
    those.
    """

    def end() -> None:
        with contextlib.suppress(KafkaException):
            holder[0].purge()
            holder[0].poll(0)
        holder.clear()

    thread = Thread(end, "spendstream-discard")
    try:
        thread.start()
    except RuntimeError:  # no thread can be had any more
        keep_forever(holder[0])
        return thread
    thread.join(_DISCARD_WAIT_S)
    return thread


def keep_forever(client: Any) -> None:
    """Destroying librdkafka's handle in a forked child waits for threads that are not there."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))


def warn_of_password(config: KafkaConfig, counters: Counters) -> None:
    """Log it when the login goes to another machine without TLS."""
    text = password_in_the_clear(
        config.bootstrap_servers, config.security_protocol, config.sasl_username, config.sasl_mechanism
    )
    if text is not None:
        counters.log(logging.WARNING, "password", text)


def in_words(error: KafkaError, operation: str, topic: str, user: str) -> str:
    """An error; of a refusal, which right is missing for whom."""
    if error.code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return str(error)
    return f"{error.str()}: {user} lacks the Kafka ACL that allows {operation} on topic {topic}"


def user_of(config: KafkaConfig) -> str:
    """As whom Kafka knows us, for people."""
    return f"User:{config.sasl_username}" if config.sasl_username else "the user of this connection"


def client_settings(config: ProducerConfig, *, queue_events: int) -> dict[str, Any]:
    """librdkafka's settings. `queue_events`: how many messages we ever hand it at a time."""
    return connection_settings(config) | {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": config.linger_ms,
        "message.timeout.ms": int(config.delivery_timeout_s * 1000),
        # Our own bounds come first; these only must never be the tighter ones.
        "queue.buffering.max.messages": queue_events + 1000,
        "queue.buffering.max.kbytes": 2 * config.memory_max_bytes // 1024 + 1024,
        "socket.timeout.ms": max(1000, int(config.delivery_timeout_s * 1000)),
        "socket.keepalive.enable": True,
        # Long enough for us to notice that all brokers are gone before it reconnects: a broker that came back
        # without its memory must not see this client's producer id again.
        "reconnect.backoff.ms": 250,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.propagation.max.ms": 5000,
    }


def connection_settings(config: KafkaConfig) -> dict[str, Any]:
    """librdkafka's settings of any client of ours: where to connect, and as whom."""
    settings: dict[str, Any] = {
        "bootstrap.servers": config.bootstrap_servers,
        "client.id": config.source,
        "security.protocol": config.security_protocol,
        "log_level": 0,  # what it has to say comes through error_cb, into our rate-limited log
        "allow.auto.create.topics": False,  # made by asking, a topic would have as many partitions as the broker likes
    }
    secrets = {
        "sasl.password": config.sasl_password,
        "ssl.key.password": config.ssl_key_password,
    }
    texts = {
        "sasl.mechanism": config.sasl_mechanism,
        "sasl.username": config.sasl_username,
        "ssl.ca.location": config.ssl_ca_location,
        "ssl.certificate.location": config.ssl_certificate_location,
        "ssl.key.location": config.ssl_key_location,
    }
    settings |= {name: str(value) for name, value in texts.items() if value is not None}
    settings |= {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
    return settings
