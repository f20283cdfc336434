"""Two workers share a topic on a real broker and a real store: commits are fenced, a rebalance loses nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.embedded.probe import answers
from stream_jobs.runtime.kafka import LogEnds, TopicSpec, ensure_topics
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.client import StoreClient
from tests.brokers import RunningBroker
from tests.integration.pipeline import until, usage_event
from tests.store_server import StoreProcess

TOPIC = "usage.events.v1"
PARTITIONS = 4
EVENTS = 12_000


on_both = pytest.mark.parametrize(
    "any_broker",
    ["tansu", pytest.param("kafka", marks=[pytest.mark.slow, pytest.mark.xdist_group("kafka")])],
    indirect=True,
)


@pytest.fixture
def topic(any_broker: RunningBroker) -> RunningBroker:
    ensure_topics(embedded_kafka(any_broker.address), [TopicSpec(TOPIC, PARTITIONS, 1, {})])
    return any_broker


class Workers:
    """`spendstream worker metering` processes on a broker and a store."""

    def __init__(self, broker: RunningBroker, store: StoreProcess, logs: Path) -> None:
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
    store = StoreProcess.made(tmp_path / "store")
    yield store
    store.kill()


@pytest.fixture
def workers(topic: RunningBroker, store: StoreProcess, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(topic, store, tmp_path)
    yield workers
    workers.stop()


def send(broker: RunningBroker, first: int, end: int) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0, "linger.ms": 2})
    for number in range(first, end):
        event = usage_event(f"r{number}", attribution={"project": "rebalanced"})
        producer.produce(TOPIC, key=f"r{number}", value=json.dumps(event).encode())
        if number % 500 == 0:
            producer.flush(10)
    assert producer.flush(60) == 0


@pytest.mark.slow
@on_both
def test_a_rebalance_and_a_kill_while_events_flow_lose_and_double_nothing(
    topic: RunningBroker, store: StoreProcess, workers: Workers
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
        for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
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


@pytest.mark.slow
@on_both
def test_a_store_killed_while_events_flow_delays_but_does_not_harm(
    topic: RunningBroker, store: StoreProcess, workers: Workers
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
            for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
                found = client.rows(f"SELECT sum(events), sum(list_cost) FROM {table}")
                assert found == [(3000, Decimal(7500))], table
        assert workers.processes[0].poll() is None, "the worker sat it out"
    finally:
        again.kill()
