"""The brokers that tests run on: Tansu, and a real Kafka from wherever there is one."""

import contextlib
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.gate import Gate
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.embedded.kafka.broker import SHORT_LIVED, KafkaBroker
from stream_jobs.embedded.kafka.cluster import single_broker
from stream_jobs.embedded.kafka.jars import jar_folder
from stream_jobs.embedded.kafka.java import find_java
from stream_jobs.runtime.kafka import librdkafka_config
from stream_jobs.runtime.ports import LOOPBACK, free_port

ADDRESS_VARIABLE: Final = "SPENDSTREAM_TEST_KAFKA"
REQUIRED_VARIABLE: Final = "SPENDSTREAM_TEST_KAFKA_REQUIRED"
# Read once: `conftest.py` takes them out of the environment, in which the application would find them strange.
ADDRESS: Final = os.environ.get(ADDRESS_VARIABLE)
REQUIRED: Final = bool(os.environ.get(REQUIRED_VARIABLE))
DOCKER_IMAGE: Final = "apache/kafka:4.1.0"
TIMEOUT_S: Final = 60.0
TEST_HEAP_MB: Final = 192
INTERNAL: Final = "__"


class RunningBroker(Protocol):
    """A broker with no topics, for one test."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def durable(self) -> bool: ...

    @property
    def pid(self) -> int | None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class RealKafka:
    """One Kafka for many tests. Only `process`, one of our own, can be stopped and started."""

    name = "Kafka"
    durable = True

    def __init__(self, address: str, process: KafkaBroker | None = None) -> None:
        self.address = address
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._own().pid

    def start(self) -> None:
        self._own().start()

    def stop(self) -> None:
        self._own().stop()

    def _own(self) -> KafkaBroker:
        if self._process is None:
            pytest.skip(f"the Kafka at {self.address} is not this test's to stop")
        return self._process

    def _admin(self) -> AdminClient:
        return AdminClient(librdkafka_config(embedded_kafka(self.address)))

    def topics(self) -> set[str]:
        found = self._admin().list_topics(timeout=TIMEOUT_S).topics
        return {name for name in found if not name.startswith(INTERNAL)}

    @contextlib.contextmanager
    def emptied(self) -> Iterator["RealKafka"]:
        """Running and without the topics that the application makes; afterwards the test's topics are gone again."""
        if self._process is not None and not self._process.running():
            self._process.start()
        before = self.topics()
        taken = sorted(topic for topic in before if topic.startswith("usage."))
        assert not taken, f"the Kafka at {self.address} has {taken}: tests need one that nobody else uses"
        yield self
        if self._process is not None and not self._process.running():
            self._process.start()
        self._delete(self.topics() - before)

    def _delete(self, topics: set[str]) -> None:
        admin = self._admin()
        if not topics:
            return
        for future in admin.delete_topics(sorted(topics), request_timeout=TIMEOUT_S).values():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        deadline = time.monotonic() + TIMEOUT_S
        while topics & self.topics():
            assert time.monotonic() < deadline, f"{topics} are still there"
            time.sleep(0.02)


@contextlib.contextmanager
def real_kafka(folder: Path) -> Iterator[RealKafka]:
    """The Kafka of the environment, else in Docker, else of our own; else a skip that names what is missing."""
    if ADDRESS:
        yield RealKafka(ADDRESS)
        return
    no_docker = why_no_docker()
    if no_docker is None:
        with _in_docker() as address:
            yield RealKafka(address)
        return
    need_own_kafka(f"{ADDRESS_VARIABLE} is not set; {no_docker}; ")
    broker = single_broker(folder, heap_mb=TEST_HEAP_MB, jvm_options=SHORT_LIVED)
    broker.start()
    try:
        yield RealKafka(broker.address, broker)
    finally:
        broker.stop()


def need_own_kafka(others: str = "") -> None:
    """For tests that start Kafka themselves: a skip that names what is missing, or a failure where it is required."""
    try:
        find_java()
        jar_folder()
    except ConfigError as error:
        message = f"no Kafka here: {others}{error}"
        if REQUIRED:
            pytest.fail(message)
        pytest.skip(message)


def why_no_docker() -> str | None:
    """None when the engine answers and has the image already: nothing is ever pulled."""
    docker = shutil.which("docker")
    if docker is None:
        return "no docker on PATH"
    try:
        done = subprocess.run([docker, "image", "inspect", DOCKER_IMAGE], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "the Docker engine does not answer"
    return None if done.returncode == 0 else f"no Docker engine that has the image {DOCKER_IMAGE}"


@contextlib.contextmanager
def _in_docker() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library's own making
        from testcontainers.core.container import DockerContainer
    port = free_port()
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
        "KAFKA_LISTENERS": f"CLIENT://:{port},REPLICATION://:9093,CONTROLLER://:9094",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENT://127.0.0.1:{port},REPLICATION://localhost:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENT:PLAINTEXT,REPLICATION:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "REPLICATION",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    container = DockerContainer(DOCKER_IMAGE).with_bind_ports(port, port)
    for name, value in environment.items():
        container = container.with_env(name, value)
    with container:
        kafka = RealKafka(f"127.0.0.1:{port}")
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                kafka.topics()
            except KafkaException:
                assert time.monotonic() < deadline, container.get_logs()
                time.sleep(0.1)
            else:
                break
        yield kafka.address


class GatedTansu:
    """The embedded broker as services meet it: Tansu behind the gate."""

    name = "Tansu behind the gate"
    durable = False

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        self._tansu = TansuBroker(free_port(), folder, advertised_port=port)
        self._gate = Gate(port, self._tansu.port, "nobody")
        self._gate.start()

    @property
    def pid(self) -> int | None:
        return self._tansu.pid

    def start(self) -> None:
        self._tansu.start()
        self._gate.release()

    def stop(self) -> None:
        self._gate.hold()
        self._tansu.stop()

    def close(self) -> None:
        self._gate.stop()
        self._tansu.stop()
