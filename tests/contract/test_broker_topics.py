"""What the application expects of a broker's topics: Tansu and Apache Kafka alike."""

import time

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.runtime.kafka import LogEnds, TopicSpec, ensure_topics, topic_start
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import USAGE_EVENTS, topic_specs
from tests.brokers import RealKafka, RunningBroker
from tests.contract.broker_clients import PARTITIONS, TIMEOUT_S, make, produce, read, settings

TOPIC = "usage.contract"
EMPTY = dict.fromkeys(range(PARTITIONS), 0)


def delete(broker: RunningBroker, topic: str) -> None:
    """Returns when it is gone."""
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    admin.delete_topics([topic])[topic].result(TIMEOUT_S)
    deadline = time.monotonic() + TIMEOUT_S
    while topic in admin.list_topics(timeout=TIMEOUT_S).topics:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_new_topic_starts_and_ends_at_zero_and_its_end_follows_what_is_sent(any_broker: RunningBroker) -> None:
    """In every partition, and at once: nobody has to wait for a leader."""
    make(any_broker, TOPIC)
    kafka = settings(any_broker)
    start = topic_start(kafka, TOPIC)
    assert start.earliest == EMPTY
    ends = LogEnds(kafka)
    assert ends.of(TOPIC) == (start.topic_id, EMPTY)
    produce(any_broker, TOPIC, [b"x"] * 70, partition=1)
    produce(any_broker, TOPIC, [b"x"] * 3, partition=3)
    assert ends.of(TOPIC) == (start.topic_id, {0: 0, 1: 70, 2: 0, 3: 3})
    assert topic_start(kafka, TOPIC) == start


def test_an_existing_topic_is_left_as_it_is(any_broker: RunningBroker) -> None:
    """Topics are made once; another number of partitions changes nothing."""
    make(any_broker, TOPIC)
    start = topic_start(settings(any_broker), TOPIC)
    made = ensure_topics(
        settings(any_broker), [TopicSpec(TOPIC, PARTITIONS + 5, 1, {}), TopicSpec("usage.other", 1, 1, {})]
    )
    assert made == ["usage.other"]
    assert topic_start(settings(any_broker), TOPIC) == start


def test_a_topic_made_again_has_another_id_and_starts_anew(any_broker: RunningBroker) -> None:
    """Offsets mean something only together with the id: that is how blocks of the old topic are told apart."""
    make(any_broker, TOPIC)
    first = topic_start(settings(any_broker), TOPIC)
    produce(any_broker, TOPIC, [b"old"] * 10)
    delete(any_broker, TOPIC)
    with pytest.raises(BrokerUnavailableError, match=f"cannot describe topic {TOPIC}"):
        topic_start(settings(any_broker), TOPIC)
    make(any_broker, TOPIC)
    second = topic_start(settings(any_broker), TOPIC)
    assert second.topic_id != first.topic_id
    assert LogEnds(settings(any_broker)).of(TOPIC) == (second.topic_id, EMPTY)
    assert read(any_broker, TOPIC) == []


def test_two_topics_have_two_ids(any_broker: RunningBroker) -> None:
    """Also when they are made by one request."""
    make(any_broker, TOPIC, "usage.other")
    assert len({topic_start(settings(any_broker), topic).topic_id for topic in (TOPIC, "usage.other")}) == 2


@pytest.mark.xdist_group("kafka")
def test_the_start_follows_what_retention_deletes(kafka: RealKafka) -> None:
    """Kafka alone deletes records: the first offset that is left moves, the end stays."""
    make(kafka, TOPIC)
    produce(kafka, TOPIC, [b"x"] * 10, partition=2)
    admin = AdminClient({"bootstrap.servers": kafka.address, "log_level": 0})
    for future in admin.delete_records([TopicPartition(TOPIC, 2, 7)]).values():
        future.result(TIMEOUT_S)
    assert topic_start(settings(kafka), TOPIC).earliest == {**EMPTY, 2: 7}
    assert LogEnds(settings(kafka)).of(TOPIC)[1] == {**EMPTY, 2: 10}
    assert len(read(kafka, TOPIC, 7, partition=2)) == 3
    with pytest.raises(KafkaException, match="range"):
        read(kafka, TOPIC, 3, partition=2)


@pytest.mark.xdist_group("kafka")
def test_declared_settings_of_a_topic_are_kept(kafka: RealKafka) -> None:
    """The durable broker of one machine gets the retention and sizes of schemas/topics, with one replica."""
    specs = topic_specs(embedded=True, durable=True)
    ensure_topics(settings(kafka), specs)
    (spec,) = [spec for spec in specs if spec.name == USAGE_EVENTS]
    assert "retention.ms" in spec.config
    resource = ConfigResource(ResourceType.TOPIC, USAGE_EVENTS)
    admin = AdminClient({"bootstrap.servers": kafka.address, "log_level": 0})
    found = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
    assert {name: found[name].value for name in spec.config} == dict(spec.config)
    produce(kafka, USAGE_EVENTS, [b"accepted"], options={"acks": "all"})


def test_a_topic_that_is_missing_is_not_made_by_asking_for_it(any_broker: RunningBroker) -> None:
    """Made so, it would have as many partitions as the broker likes, and be neither compacted nor kept for long."""
    producer = RecordProducer(settings(any_broker), timeout_s=1)
    with pytest.raises(BrokerUnavailableError, match=f"did not reach {TOPIC}"):
        producer.send(TOPIC, [(b"key", b"value")])
    admin = AdminClient({"bootstrap.servers": any_broker.address, "log_level": 0})
    assert TOPIC not in admin.list_topics(timeout=TIMEOUT_S).topics
    make(any_broker, TOPIC)
    assert producer.send(TOPIC, [(b"key", b"value")]) == 1
    producer.close()
    assert sum(len(read(any_broker, TOPIC, partition=number)) for number in range(PARTITIONS)) == 1
