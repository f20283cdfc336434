"""What Kafka's refusals mean to an operator: which right is missing for whom, and why a login or TLS does not work.

librdkafka says the latter only to `error_cb`; a call that waits in vain for the connection fails with "timed out".
"""

import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from stream_jobs.runtime.kafka_acls import load_acls
from stream_jobs.runtime.kafka_settings import KafkaSettings

TOOLS_GROUP: Final = "spendstream-tools"
"""Named by consumers that are in no group: librdkafka demands a name, and asks for its coordinator."""
_REFUSED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "group",
}
_NO_ANSWER: Final = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
_HEARD_S: Final = 60.0
_heard: dict[tuple[str, str | None], tuple[float, KafkaError]] = {}
"""By servers and user: when and how a connection last failed for good."""


def listener(kafka: KafkaSettings) -> Callable[[KafkaError], None]:
    """An `error_cb` that remembers logins and TLS connections that were refused."""

    def hear(error: KafkaError) -> None:
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
            _heard[_who(kafka)] = (time.monotonic(), error)

    return hear


def connection_refused(kafka: KafkaSettings) -> str | None:
    """Why the login or TLS failed, if it did lately: what an operator should look at."""
    at, error = _heard.get(_who(kafka), (0.0, None))
    if error is None or time.monotonic() - at > _HEARD_S:
        return None
    prefix = "SPENDSTREAM_KAFKA_"
    look = (
        f"{prefix}SASL_USERNAME, {prefix}SASL_PASSWORD and {prefix}SASL_MECHANISM"
        if error.code() == KafkaError._AUTHENTICATION
        else f"{prefix}SSL_CA_LOCATION, {prefix}SSL_CERTIFICATE_LOCATION, and the broker's name in its certificate"
    )
    return f"{error.str()}. Look at {look}"


def reason(
    error: KafkaException | KafkaError,
    kafka: KafkaSettings,
    *,
    operation: str,
    name: str,
    kind: str = "topic",
    client: Any = None,
) -> str:
    """What failed in words, and what to do about it. `operation` on the topic or group `name` is what was tried;
    `client`: an AdminClient, which hears of its connection only when it is asked to."""
    if client is not None:
        client.poll(0)
    if isinstance(error, KafkaException):
        if not error.args or not isinstance(error.args[0], KafkaError):
            return str(error)
        error = error.args[0]
    text = str(error.str())
    if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED and kind == "topic":
        operation, kind, name = "Describe", "group", TOOLS_GROUP  # whoever reads a topic without a group names this one
    if _REFUSED.get(error.code()) == kind:
        return f"{text}. {missing(kafka, operation, kind, name)}"
    if error.code() in _NO_ANSWER and (why := connection_refused(kafka)) is not None:
        return f"{text}: {why}"
    return text


def missing(kafka: KafkaSettings, operation: str, kind: str, name: str) -> str:
    """The sentence about one right that Kafka does not grant us."""
    who = user(kafka)
    roles = load_acls().roles_that_may(operation, kind, name)
    if not roles:
        return f"{who} lacks the right to {operation} {kind} {name}, which no role has (infra/kafka/acls.yaml)"
    have = f"the role {roles[0]} has" if len(roles) == 1 else f"the roles {', '.join(roles)} have"
    users = f"{roles[0].upper()}_USERS={who} " if who.startswith("User:") else ""
    return (
        f"{who} lacks the right to {operation} {kind} {name}, which {have} (infra/kafka/acls.yaml). "
        f"{users}sh infra/kafka/acls.sh grants it"
    )


def user(kafka: KafkaSettings) -> str:
    """As whom we come."""
    if kafka.sasl_username:
        return f"User:{kafka.sasl_username}"
    if kafka.ssl_certificate_location:
        return f"the user of the certificate {kafka.ssl_certificate_location}"
    return "User:ANONYMOUS"


def _who(kafka: KafkaSettings) -> tuple[str, str | None]:
    return kafka.bootstrap_servers, kafka.sasl_username
