"""Asks Kafka at start whether it lets a worker do its work, since its clients wait silently for what they may not have.

Only where somebody logs in: a broker that asks nobody who they are refuses nobody.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from stream_jobs.base.errors import BrokerUnavailableError, ConfigError
from stream_jobs.runtime.jobs import (
    ALERTS,
    ANOMALIES,
    BUDGETS,
    DATA_QUALITY,
    FORECASTS,
    METERING,
    OUTCOMES,
    RECONCILIATION,
)
from stream_jobs.runtime.kafka import ADMIN_TIMEOUT_S, librdkafka_config
from stream_jobs.runtime.kafka_refusals import TOOLS_GROUP, connection_refused, missing, reason
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.topics import ALERTS as ALERTS_TOPIC
from stream_jobs.runtime.topics import BUDGET_CONTROL, BUDGET_STATE, COST_DELTAS, USAGE_EVENTS, USAGE_OUTCOMES

log = logging.getLogger(__name__)

Need = tuple[str, str, str]
"""Operation, kind (topic or group), name."""


def _group(job: str) -> Need:
    return "Read", "group", f"spendstream-{job}"


_LOOKS_AT_THE_LOG: Final[tuple[Need, ...]] = (
    ("Read", "topic", USAGE_EVENTS),
    ("Read", "topic", USAGE_OUTCOMES),
    ("Describe", "group", f"spendstream-{METERING}"),
    ("Describe", "group", f"spendstream-{OUTCOMES}"),
    ("Describe", "group", TOOLS_GROUP),
)
NEEDS: Final[dict[str, tuple[Need, ...]]] = {
    METERING: (("Read", "topic", USAGE_EVENTS), ("Write", "topic", COST_DELTAS), _group(METERING)),
    OUTCOMES: (("Read", "topic", USAGE_OUTCOMES), _group(OUTCOMES)),
    RECONCILIATION: _LOOKS_AT_THE_LOG,
    BUDGETS: (
        ("Read", "topic", COST_DELTAS),
        ("Read", "topic", BUDGET_CONTROL),
        ("Write", "topic", BUDGET_STATE),
        ("Write", "topic", ALERTS_TOPIC),
        _group(BUDGETS),
        ("Describe", "group", TOOLS_GROUP),
    ),
    ALERTS: (("Read", "topic", ALERTS_TOPIC), _group(ALERTS)),
    ANOMALIES: (
        ("Read", "topic", COST_DELTAS),
        ("Read", "topic", USAGE_EVENTS),
        ("Write", "topic", ALERTS_TOPIC),
        _group(ANOMALIES),
        ("Describe", "group", TOOLS_GROUP),
    ),
    FORECASTS: (
        ("Read", "topic", COST_DELTAS),
        ("Read", "topic", USAGE_EVENTS),
        _group(FORECASTS),
        ("Describe", "group", TOOLS_GROUP),
    ),
    DATA_QUALITY: (("Write", "topic", ALERTS_TOPIC), *_LOOKS_AT_THE_LOG),
}
"""What each job does in Kafka. infra/kafka/acls.yaml grants it to roles; a test compares them."""
_OPERATIONS: Final = {"Describe": AclOperation.DESCRIBE, "Read": AclOperation.READ, "Write": AclOperation.WRITE}
_REFUSED: Final = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
_UNKNOWN: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND)
"""Not there yet: that is not a question of rights."""


def check_access(kafka: KafkaSettings, jobs: Iterable[str]) -> None:
    """Raises ConfigError with every right that the jobs lack, or with why the login or TLS does not work, and
    BrokerUnavailableError when there is no answer."""
    if kafka.security_protocol == "PLAINTEXT":
        return
    needs = sorted({need for job in jobs for need in NEEDS[job]}, key=lambda need: need[::-1])
    admin = AdminClient(librdkafka_config(kafka))
    granted: dict[tuple[str, str], set[AclOperation] | None] = {}
    for operation, kind, name in needs:
        if (kind, name) not in granted:
            try:
                granted[kind, name] = _granted(admin, kind, name)
            except KafkaException as error:
                text = reason(error, kafka, operation=operation, kind=kind, name=name, client=admin)
                if connection_refused(kafka) is not None:
                    raise ConfigError(f"Kafka does not let us in: {text}") from error
                raise BrokerUnavailableError(f"cannot ask Kafka for the rights on {kind} {name}: {text}") from error
    lacking = [
        f"Kafka: {missing(kafka, operation, kind, name)}"
        for operation, kind, name in needs
        if (have := granted[kind, name]) is not None and _OPERATIONS[operation] not in have
    ]
    if lacking:
        raise ConfigError(lacking)


def check_access_at_start(kafka: KafkaSettings, jobs: Iterable[str]) -> None:
    """The same, but a broker that is away stops nobody: the jobs wait for it. Raises ConfigError."""
    try:
        check_access(kafka, jobs)
    except BrokerUnavailableError as error:
        log.warning("%s", error)


def _granted(admin: AdminClient, kind: str, name: str) -> set[AclOperation] | None:
    """What we may do; None when the broker does not say. Raises KafkaException for everything but a refusal."""
    options: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": ADMIN_TIMEOUT_S}
    try:
        if kind == "topic":
            found = admin.describe_topics(TopicCollection([name]), **options)[name].result()
        else:
            found = admin.describe_consumer_groups([name], **options)[name].result()
    except KafkaException as error:
        code = error.args[0].code()
        if code in _REFUSED:
            return set()
        if code in _UNKNOWN:
            return None
        raise
    operations = found.authorized_operations
    return set(operations) if operations is not None else None
