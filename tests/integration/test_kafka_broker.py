"""Kafka as processes of our own: one broker and three, killed, suspended and left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from stream_jobs.base.errors import BrokerUnavailableError, ConfigError
from stream_jobs.embedded.brokers import KAFKA, TANSU, make_broker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.embedded.kafka.broker import SHORT_LIVED, KafkaBroker
from stream_jobs.embedded.kafka.cluster import KafkaCluster, cluster_id, single_broker
from stream_jobs.embedded.kafka.properties import new_node
from stream_jobs.runtime.kafka import LogEnds, TopicSpec, ensure_topics, topic_start
from stream_jobs.runtime.ports import LOOPBACK, free_port
from tests.brokers import TEST_HEAP_MB, need_own_kafka
from tests.integration.pipeline import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kafka")]
TOPIC = "usage.kept"


@pytest.fixture(autouse=True, scope="module")
def _programs() -> None:
    need_own_kafka()


def quick(folder: Path) -> KafkaBroker:
    return single_broker(folder, heap_mb=TEST_HEAP_MB, jvm_options=SHORT_LIVED)


def send(address: str, number: int) -> None:
    """Returns when all are acknowledged, as the SDK asks for it."""
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": address, "acks": "all", "enable.idempotence": True, "log_level": 0})
    for value in range(number):
        producer.produce(TOPIC, b"%d" % value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    assert errors == [None] * number


def kept(address: str) -> int:
    return sum(LogEnds(embedded_kafka(address)).of(TOPIC)[1].values())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_broker_keeps_what_it_acknowledged_through_whatever_is_done_to_it(tmp_path: Path) -> None:
    """In a folder with an awkward name, with the leftovers of a start that was killed; suspended, killed with -9, and
    opened on other ports: topic id and records are there, and it stops also when it is suspended."""
    folder = tmp_path / "a,b c=é" / "broker"
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "half").touch()
    broker = quick(folder)
    broker.start()
    try:
        kafka = embedded_kafka(broker.address)
        assert ensure_topics(kafka, [TopicSpec(TOPIC, 2, 1, {})]) == [TOPIC]
        start = topic_start(kafka, TOPIC)
        send(broker.address, 50)
        broker.suspend()
        assert broker.running()
        assert not broker.answers(timeout_s=0.3)
        broker.resume()
        until(broker.answers, 30, "it answers again")
        send(broker.address, 50)
        broker.kill()
        broker.kill()
        assert not broker.running()
        assert not broker.answers()
        again = quick(folder)
        assert again.address != broker.address
        again.start()
        try:
            assert topic_start(embedded_kafka(again.address), TOPIC) == start
            assert kept(again.address) == 100
            again.suspend()
        finally:
            pid = again.pid
            again.stop()
        assert pid is not None
        assert not alive(pid)
    finally:
        broker.kill()
    assert not (folder / "data.new").exists()


def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    """The message ends with what Kafka logged."""
    node = new_node(1)
    broker = KafkaBroker(node, tmp_path, cluster_id=cluster_id(tmp_path), heap_mb=TEST_HEAP_MB, jvm_options=SHORT_LIVED)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # free_port still reserves it
        other.bind((LOOPBACK, node.client_port))  # of another port it may answer a moment before it fails
        other.listen()
        with pytest.raises(BrokerUnavailableError, match=r"(?s)exited with code 1.*Address already in use"):
            broker.start()
    assert broker.pid is None


def test_a_data_folder_that_cannot_be_made_is_told_in_kafkas_words(tmp_path: Path) -> None:
    """Here because a setting is wrong; no half-made folder is left."""
    broker = single_broker(tmp_path, heap_mb=TEST_HEAP_MB, overrides={"num.io.threads": "many"})
    with pytest.raises(BrokerUnavailableError, match=r"(?s)cannot be formatted:.*num\.io\.threads"):
        broker.start()
    assert not (tmp_path / "data").exists()


PARENT = """
import sys, time
from pathlib import Path
from stream_jobs.embedded.kafka.cluster import single_broker
broker = single_broker(Path(sys.argv[1]))
broker.launch()
print(broker.pid, flush=True)
time.sleep(60)
"""


def test_a_broker_dies_with_its_parent(tmp_path: Path) -> None:
    """kill -9 of the supervisor leaves no Java behind."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    until(lambda: not alive(pid), 15, "the broker is gone")


def test_tansu_does_not_start_on_a_folder_that_holds_kafkas_records(tmp_path: Path) -> None:
    """They may not be booked yet: who forgets the option is told, instead of starting with an empty broker."""
    data = tmp_path / "data"
    data.mkdir()
    assert make_broker(TANSU, tmp_path, free_port(), free_port()).durable is False
    (data / "meta.properties").touch()
    with pytest.raises(ConfigError, match="start with --broker kafka"):
        make_broker(TANSU, tmp_path, free_port(), free_port())
    assert make_broker(KAFKA, tmp_path, free_port(), free_port()).durable is True


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path / "cluster", 3, heap_mb=TEST_HEAP_MB) as cluster:
        yield cluster


def test_a_cluster_of_three_goes_on_without_one_and_takes_it_back(cluster: KafkaCluster) -> None:
    """With all replicas acknowledged as in production: one broker is killed with -9, writes go on and nothing is
    missing; it comes back and another one goes; still nothing is missing."""
    kafka = embedded_kafka(cluster.address)
    ensure_topics(kafka, [TopicSpec(TOPIC, 6, 3, {"min.insync.replicas": "2"})])
    identity = topic_start(kafka, TOPIC).topic_id
    send(cluster.address, 100)
    first, second, _ = cluster.brokers
    first.kill()
    assert not cluster.answers()
    send(cluster.address, 100)
    assert kept(cluster.address) == 200
    first.start()
    until(cluster.answers, 30, "all three answer")
    _wait_in_sync(cluster, 3)
    second.kill()
    send(cluster.address, 100)
    assert kept(cluster.address) == 300
    assert topic_start(kafka, TOPIC).topic_id == identity


def _wait_in_sync(cluster: KafkaCluster, replicas: int) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.address, "log_level": 0})

    def in_sync() -> bool:
        partitions = admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions.values()
        return all(len(partition.isrs) == replicas for partition in partitions)

    until(in_sync, 60, "all replicas in sync")


def test_answers_is_about_the_broker_and_not_about_its_port(tmp_path: Path) -> None:
    """One that never started does not answer, whoever listens there; nothing is waited for."""
    broker = quick(tmp_path)
    began = time.monotonic()
    assert not broker.answers(timeout_s=20)
    assert time.monotonic() - began < 5
