"""A rebalance while ClickHouse is away: the worker waits inside the job, and books once it is told where it stopped."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.store.client import StoreClient
from tests.integration.pipeline import until
from tests.integration.test_booking_rebalance import PARTITIONS, TOPIC, Workers, send
from tests.store_server import StoreProcess

WAITING = "cannot start its partitions"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path / "store")
    yield store
    store.kill()


@pytest.mark.slow
def test_a_worker_that_gets_partitions_while_the_store_is_away_waits_for_it(
    broker: TansuBroker, store: StoreProcess, tmp_path: Path
) -> None:
    """Another worker leaves; this one gets its partitions and asks the store, which is down, for their last blocks: it
    goes on asking, does not exit, and every event is booked once when the store is back."""
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(TOPIC, PARTITIONS, 1, {})])
    workers = Workers(cast(Any, broker), store, tmp_path)
    log = tmp_path / "worker-0.log"
    again: StoreProcess | None = None
    try:
        worker, leaving = workers.start(), workers.start()
        send(cast(Any, broker), 0, 1000)
        with StoreClient(store.settings) as client:
            until(lambda: received(client) >= 1000, 60, "booked before")
        store.kill()
        leaving.terminate()  # it leaves the group, whose partitions are given out anew
        until(lambda: WAITING in log.read_text(), 60, "it asks the store where to go on")
        send(cast(Any, broker), 1000, 2000)
        again = StoreProcess(store.folder, port=store.port)
        again.wait_ready()
        with StoreClient(again.settings) as client:
            until(lambda: received(client) >= 2000, 60, "all booked")
            for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
                found = client.rows(f"SELECT sum(events), sum(list_cost) FROM {table}")
                assert found == [(2000, Decimal(5000))], table
        assert worker.poll() is None, log.read_text()
    finally:
        workers.stop()
        if again is not None:
            again.kill()


def received(client: StoreClient) -> int:
    return int(str(client.rows("SELECT sum(received) FROM block_receipts")[0][0]))
