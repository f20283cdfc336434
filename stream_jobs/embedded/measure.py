"""How much the broker in memory holds: records by its offsets, bytes by what the system says of its process."""

from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.runtime.processes import resident_bytes
from stream_jobs.runtime.topics import EVENT_TOPICS, topic_specs

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class BrokerSize:
    """`records` lacks up to one batch per partition: Tansu tells where the last one begins."""

    records: int
    memory_bytes: int


def broker_size(admin: AdminClient, pid: int) -> BrokerSize:
    """Of a broker whose event topics have never lost a record. Raises BrokerUnavailableError."""
    wanted = {
        TopicPartition(topic.name, partition): OffsetSpec.latest()
        for topic in topic_specs(embedded=True)
        if topic.name in EVENT_TOPICS
        for partition in range(topic.partitions)
    }
    try:
        found = admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
        return BrokerSize(sum(max(0, future.result().offset) for future in found.values()), resident_bytes(pid))
    except KafkaException as error:
        raise BrokerUnavailableError(f"cannot ask the embedded broker for its size: {error}") from error
