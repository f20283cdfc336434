"""Two workers share a topic on a real broker and a real store: commits are fenced, a rebalance loses nothing."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer
from faust.types import TP

from stream_jobs.blocks.transport import BundlingConsumer, Membership
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.embedded.ports import free_port
from stream_jobs.embedded.supervisor import answers
from stream_jobs.errors import LostPartitionError
from stream_jobs.kafka import LogEnds, TopicSpec, ensure_topics, topic_start
from stream_jobs.store.client import StoreClient
from tests.integration.pipeline import until, usage_event
from tests.store_server import StoreProcess

TOPIC = "usage.events.v1"
PARTITIONS = 4
EVENTS = 12_000


@pytest.fixture
def topic(broker: TansuBroker) -> TansuBroker:
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(TOPIC, PARTITIONS, 1, {})])
    return broker


class Workers:
    """`spendstream worker metering` processes on a broker and a store."""

    def __init__(self, broker: TansuBroker, store: StoreProcess, logs: Path) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPENDSTREAM_")}
        self._environment = inherited | {
            "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": broker.address,
            "SPENDSTREAM_CLICKHOUSE_URL": store.url,
            "SPENDSTREAM_CLICKHOUSE_USER": "spendstream",
            "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(store.folder / "credentials"),
            "SPENDSTREAM_SESSION_TIMEOUT_S": "4",
        }
        self._logs = logs
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        port = free_port()
        with (self._logs / f"worker-{len(self.processes)}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "spendstream", "worker", "metering", "--health-port", str(port)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/readyz"), 60, "worker ready")
        assert process.poll() is None, (self._logs / f"worker-{len(self.processes) - 1}.log").read_text()
        return process

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    store = StoreProcess(tmp_path / "store").wait_ready().migrated()
    yield store
    store.kill()


@pytest.fixture
def workers(topic: TansuBroker, store: StoreProcess, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(topic, store, tmp_path)
    yield workers
    workers.stop()


def send(broker: TansuBroker, first: int, end: int) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0, "linger.ms": 2})
    for number in range(first, end):
        event = usage_event(f"r{number}", attribution={"project": "rebalanced"})
        producer.produce(TOPIC, key=f"r{number}", value=json.dumps(event).encode())
        if number % 500 == 0:
            producer.flush(10)
    assert producer.flush(60) == 0


def test_a_rebalance_and_a_kill_while_events_flow_lose_and_double_nothing(
    topic: TansuBroker, store: StoreProcess, workers: Workers
) -> None:
    """A second worker joins while the first books, one is killed with -9, a third joins: totals are exact, and the
    official blocks tile every partition."""
    first = workers.start()
    send(topic, 0, EVENTS // 4)
    workers.start()
    send(topic, EVENTS // 4, EVENTS // 2)
    first.kill()
    send(topic, EVENTS // 2, 3 * EVENTS // 4)
    workers.start()
    send(topic, 3 * EVENTS // 4, EVENTS)
    with StoreClient(store.settings) as client:

        def received() -> int:
            return int(str(client.rows("SELECT sum(received) FROM block_receipts")[0][0]))

        until(lambda: received() >= EVENTS, 60, "all booked")
        totals = [(EVENTS, Decimal("2.5") * EVENTS)]
        assert client.rows("SELECT uniqExact(event_id), sum(list_cost) FROM ledger") == totals
        for table in ("ledger", "cost_1m", "cost_1h", "cost_1d"):
            assert client.rows(f"SELECT sum(events), sum(list_cost) FROM {table}") == totals, table
        assert client.rows("SELECT count() FROM duplicates") == [(0,)], "a redo is not a duplicate"
        _, ends = LogEnds(embedded_kafka(topic.address)).of(TOPIC)
        for partition, end in ends.items():
            blocks = client.rows(
                "SELECT first_offset, last_offset, any(received) FROM block_receipts "
                "WHERE partition = {partition:UInt32} GROUP BY ALL ORDER BY first_offset",
                {"partition": partition},
            )
            position = 0
            for block_first, block_last, number in blocks:
                assert block_first == position, blocks
                position = int(str(block_last)) + 1
                assert number == position - int(str(block_first))
            assert position == end


def test_a_store_killed_while_events_flow_delays_but_does_not_harm(
    topic: TansuBroker, store: StoreProcess, workers: Workers
) -> None:
    """The store dies by kill -9 while events flow and comes back: what was under way is booked once."""
    workers.start()
    send(topic, 0, 1500)
    store.kill()
    send(topic, 1500, 3000)
    again = StoreProcess(store.folder, port=store.port)
    try:
        again.wait_ready()
        with StoreClient(again.settings) as client:

            def received() -> int:
                return int(str(client.rows("SELECT sum(received) FROM block_receipts")[0][0]))

            until(lambda: received() >= 3000, 60, "all booked")
            for table in ("ledger", "cost_1m", "cost_1h", "cost_1d"):
                found = client.rows(f"SELECT sum(events), sum(list_cost) FROM {table}")
                assert found == [(3000, Decimal(7500))], table
        assert workers.processes[0].poll() is None, "the worker sat it out"
    finally:
        again.kill()


async def _members(broker: TansuBroker, number: int, consumers: list[AIOKafkaConsumer]) -> None:
    """One more consumer joins; returns when the partitions are shared among `number` members."""
    consumers.append(
        AIOKafkaConsumer(
            TOPIC,
            bootstrap_servers=broker.address,
            group_id="fenced",
            enable_auto_commit=False,
            session_timeout_ms=3000,
            heartbeat_interval_ms=300,
        )
    )
    await consumers[-1].start()
    async with asyncio.timeout(30):
        while (
            sum(len(consumer.assignment()) for consumer in consumers) != PARTITIONS
            or not all(consumer.assignment() for consumer in consumers)
            or len({consumer._coordinator.generation for consumer in consumers}) != 1
        ):
            for consumer in consumers:
                await consumer.getmany(timeout_ms=20)


def test_the_broker_refuses_the_commit_of_a_member_of_an_older_generation(topic: TansuBroker) -> None:
    """A worker that has lost its partitions raises LostPartitionError and changes nothing; a current one commits, and
    may repeat it."""

    async def test() -> None:
        consumers: list[AIOKafkaConsumer] = []
        try:
            await _members(topic, 1, consumers)
            stale = Membership(consumers[0]._coordinator.generation, consumers[0]._coordinator.member_id)
            await _commit(consumers[0], 5, stale)
            await _members(topic, 2, consumers)
            tp = sorted(consumers[1].assignment())[0]
            for outdated in (stale, Membership(stale.generation, "nobody"), Membership(stale.generation + 99, "x")):
                with pytest.raises(LostPartitionError):
                    await _commit(consumers[0], 7, outdated, tp.partition)
            current = Membership(consumers[1]._coordinator.generation, consumers[1]._coordinator.member_id)
            assert await consumers[1].committed(tp) != 7
            for _ in range(2):
                await _commit(consumers[1], 9, current, tp.partition)
            assert await consumers[1].committed(tp) == 9
        finally:
            for consumer in consumers:
                await consumer.stop()

    asyncio.run(asyncio.wait_for(test(), 60))


async def _commit(consumer: AIOKafkaConsumer, offset: int, membership: Membership, partition: int = 0) -> None:
    """BundlingConsumer's commit on a plain consumer: of the Faust consumer it needs the thread's aiokafka one."""
    host: Any = SimpleNamespace(_thread=SimpleNamespace(_ensure_consumer=lambda: consumer))
    await BundlingConsumer._commit_in_thread(cast(BundlingConsumer, host), TP(TOPIC, partition), offset, membership)


def test_where_a_topic_starts_and_ends(topic: TansuBroker) -> None:
    """A new topic starts and ends at 0 in all partitions, under an id of its own; the end follows what is sent."""
    kafka = embedded_kafka(topic.address)
    start = topic_start(kafka, TOPIC)
    assert start.earliest == dict.fromkeys(range(PARTITIONS), 0)
    ends = LogEnds(kafka)
    assert ends.of(TOPIC) == (start.topic_id, dict.fromkeys(range(PARTITIONS), 0))
    send(topic, 0, 700)
    assert sum(ends.of(TOPIC)[1].values()) == 700
    assert ensure_topics(kafka, [TopicSpec(TOPIC, 9, 1, {}), TopicSpec("other", 1, 1, {})]) == ["other"]
    assert len(topic_start(kafka, TOPIC).earliest) == PARTITIONS, "an existing topic is left as it is"
