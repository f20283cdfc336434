"""What conservation asks a broker: Tansu and Apache Kafka alike."""

from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.conservation.accounts import PartitionLog
from stream_jobs.conservation.log import first_record, held, topic_log
from stream_jobs.runtime.kafka import LogEnds, topic_start
from stream_jobs.runtime.topics import USAGE_EVENTS
from tests.brokers import RealKafka, RunningBroker
from tests.contract.broker_clients import TIMEOUT_S, make, produce, settings


def test_where_partitions_begin_and_end_and_what_was_committed(any_broker: RunningBroker) -> None:
    """A partition without records, one with some, and the offset that the metering group has committed."""
    make(any_broker, USAGE_EVENTS)
    produce(any_broker, USAGE_EVENTS, [b"x"] * 7, partition=2)
    kafka = settings(any_broker)
    consumer = Consumer({"bootstrap.servers": any_broker.address, "group.id": "spendstream-metering", "log_level": 0})
    consumer.commit(offsets=[TopicPartition(USAGE_EVENTS, 2, 5)], asynchronous=False)
    consumer.close()
    log = topic_log(kafka, LogEnds(kafka), USAGE_EVENTS)
    assert log.topic_id == topic_start(kafka, USAGE_EVENTS).topic_id
    assert log.partitions == {
        0: PartitionLog(0, 0),
        1: PartitionLog(0, 0),
        2: PartitionLog(0, 7, committed=5),
        3: PartitionLog(0, 0),
    }


def test_which_offsets_hold_a_record(any_broker: RunningBroker) -> None:
    """Those up to the end do, the end does not."""
    make(any_broker, USAGE_EVENTS)
    produce(any_broker, USAGE_EVENTS, [b"x"] * 10, partition=1)
    assert held(settings(any_broker), USAGE_EVENTS, 1, {0, 4, 9, 10, 11}) == {0, 4, 9}
    assert held(settings(any_broker), USAGE_EVENTS, 1, set()) == set()


def test_the_first_record_from_an_offset_on(any_broker: RunningBroker) -> None:
    """With the instant at which it was made; none at the end."""
    make(any_broker, USAGE_EVENTS)
    before = datetime.now(UTC) - timedelta(seconds=1)
    produce(any_broker, USAGE_EVENTS, [b"x"] * 10, partition=1)
    found = first_record(settings(any_broker), USAGE_EVENTS, 1, 4)
    assert found is not None
    assert found[0] == 4
    assert found[1] is not None
    assert before < found[1] < datetime.now(UTC) + timedelta(seconds=1)
    assert first_record(settings(any_broker), USAGE_EVENTS, 1, 10) is None
    assert first_record(settings(any_broker), USAGE_EVENTS, 0, 0) is None


@pytest.mark.xdist_group("kafka")
def test_a_transaction_marker_is_no_record(kafka: RealKafka) -> None:
    """It takes an offset: the log ends behind it, and nothing is found at it."""
    make(kafka, USAGE_EVENTS)
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": "t", "log_level": 0})
    producer.init_transactions(TIMEOUT_S)
    for _ in range(2):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(USAGE_EVENTS, value=b"x", partition=0)
        producer.commit_transaction(TIMEOUT_S)
    log = topic_log(settings(kafka), LogEnds(settings(kafka)), USAGE_EVENTS)
    assert log.partitions[0].end == 8
    assert held(settings(kafka), USAGE_EVENTS, 0, range(8)) == {0, 1, 2, 4, 5, 6}


def test_a_broker_that_is_away_is_an_error_to_retry(any_broker: RunningBroker) -> None:
    """A topic that does not exist, too."""
    kafka = settings(any_broker)
    with pytest.raises(BrokerUnavailableError):
        topic_log(kafka, LogEnds(kafka), USAGE_EVENTS)
