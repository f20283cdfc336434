"""The two brokers of a run behind one face, each behind a proxy that clients are told to use."""

import os
import signal
import time
from pathlib import Path
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.embedded.kafka.broker import SHORT_LIVED, KafkaBroker
from stream_jobs.embedded.kafka.cluster import single_broker
from stream_jobs.runtime.kafka import LogEnds, TopicSpec, ensure_topics
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.topics import ALERTS, COST_DELTAS
from tests.chaos.proxy import FaultProxy

TOPIC: Final = "usage.events.v1"
READ_TIMEOUT_S: Final = 30.0


class Process(Protocol):
    """What both brokers are: one process on loopback."""

    port: int

    @property
    def pid(self) -> int | None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def running(self) -> bool: ...


class ChaosBroker:
    """A broker with the topic. `durable`: what it acknowledged survives its death."""

    def __init__(self, kind: str, folder: Path, partitions: int = 4) -> None:
        self.kind = kind
        self.partitions = partitions
        self.durable = kind == "kafka"
        self.proxy = FaultProxy(free_port()).start()
        self._process: Process
        if self.durable:
            self._process = single_broker(
                folder / "kafka", advertised_port=self.proxy.port, heap_mb=256, jvm_options=SHORT_LIVED
            )
        else:
            self._process = TansuBroker(self.proxy.target_port, folder / "tansu", advertised_port=self.proxy.port)
        self.proxy.target_port = self._process.port

    @property
    def address(self) -> str:
        """For clients: through the proxy."""
        return self.proxy.address

    @property
    def settings(self) -> KafkaSettings:
        return embedded_kafka(self.address)

    def start(self) -> None:
        self._process.start()
        ensure_topics(
            self.settings,
            [TopicSpec(TOPIC, self.partitions, 1, {}), TopicSpec(COST_DELTAS, 1, 1, {}), TopicSpec(ALERTS, 1, 1, {})],
        )

    def stop(self) -> None:
        self.thaw()
        self._process.stop()
        self.proxy.stop()

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing answers."""
        if self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process.pid is not None and self._process.running():
            os.kill(self._process.pid, signal.SIGCONT)

    def down(self, *, hard: bool) -> None:
        """Ask it to stop, or kill -9. Only where it is durable: the other one would forget what it acknowledged."""
        assert isinstance(self._process, KafkaBroker)
        if hard:
            self._process.kill()
        else:
            self._process.ask_to_stop()

    def up(self) -> None:
        """Start it again; does not wait until it is there."""
        assert isinstance(self._process, KafkaBroker)
        self._process.wait_stopped()
        self._process.launch()

    def wait_ready(self) -> None:
        if isinstance(self._process, KafkaBroker):
            self._process.wait_ready()

    def log_ends(self) -> tuple[str, dict[int, int]]:
        """The topic's id and the offset after the last record of each partition."""
        return LogEnds(self.settings).of(TOPIC)

    def read_log(self, topic: str = TOPIC) -> dict[int, list[bytes | None]]:
        """Everything that a topic holds, by partition in offset order. Offsets start at 0 and have no gaps."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "chaos-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        partitions = self.partitions if topic == TOPIC else 1
        log: dict[int, list[bytes | None]] = {partition: [] for partition in range(partitions)}
        ended: set[int] = set()
        deadline = time.monotonic() + READ_TIMEOUT_S
        try:
            consumer.assign([TopicPartition(topic, partition, 0) for partition in log])
            while len(ended) < partitions:
                assert time.monotonic() < deadline, "the topic cannot be read"
                for message in consumer.consume(1000, 0.1):
                    partition = message.partition()
                    assert partition is not None
                    if (error := message.error()) is None:
                        assert message.offset() == len(log[partition]), "a gap in the offsets"
                        log[partition].append(message.value())
                    elif error.code() == KafkaError._PARTITION_EOF:
                        ended.add(partition)
                    else:
                        raise KafkaException(error)
        finally:
            consumer.close()
        return log
