"""What a worker and `spendstream status` say of themselves while booking is held up, and what they do with config files
that cannot be used: real processes, the store behind a proxy that stops answering.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.embedded.probe import fetch, trouble
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.client import StoreClient
from tests.chaos.proxy import FaultProxy, Mode
from tests.integration.pipeline import until
from tests.integration.test_booking_rebalance import TOPIC, send
from tests.store_server import StoreProcess

HELD_UP_AFTER_S = 1.0
OVERLAY = "overlays:\n  - name: ours\n    valid_from: {day}\n    discount_percent: 8\n"


class Worker:
    """`spendstream worker metering`, whose store is behind the proxy."""

    def __init__(self, broker: str, proxy: FaultProxy, store: StoreProcess, folder: Path) -> None:
        self.config = folder / "config"
        self.config.mkdir()
        self.log = folder / "worker.log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPENDSTREAM_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *[sys.executable, "-m", "spendstream", "worker", "metering"],
                    *["--health-port", str(port), "--config-dir", str(self.config)],
                ],
                env=inherited
                | {
                    "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": broker,
                    "SPENDSTREAM_CLICKHOUSE_URL": f"http://{proxy.address}",
                    "SPENDSTREAM_CLICKHOUSE_USER": "spendstream",
                    "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(store.folder / "credentials"),
                    "SPENDSTREAM_SESSION_TIMEOUT_S": "4",
                    "SPENDSTREAM_HELD_UP_AFTER_S": str(HELD_UP_AFTER_S),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: self.process.poll() is not None or self.trouble() is None, 60, "worker ready")
        assert self.process.poll() is None, self.log.read_text()

    def trouble(self) -> str | None:
        return trouble(f"{self.url}/readyz")

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", (fetch(f"{self.url}/metrics") or b"").decode(), re.MULTILINE)
        return float(found[1]) if found else -1.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path / "store")
    yield store
    store.kill()


@pytest.fixture
def proxy(store: StoreProcess) -> Iterator[FaultProxy]:
    proxy = FaultProxy(store.port).start()
    yield proxy
    proxy.stop()


@pytest.fixture
def worker(broker: TansuBroker, proxy: FaultProxy, store: StoreProcess, tmp_path: Path) -> Iterator[Worker]:
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(TOPIC, 1, 1, {})])
    worker = Worker(broker.address, proxy, store, tmp_path)
    yield worker
    worker.process.kill()
    worker.process.wait()


@pytest.mark.slow
def test_a_store_that_hangs_makes_the_worker_unready_until_it_answers(
    broker: TansuBroker, store: StoreProcess, proxy: FaultProxy, worker: Worker
) -> None:
    """Nothing fails and nothing is logged, yet nothing is booked: readyz says so within seconds, with what waits and
    since when; it says ready again once the store answers, and every event is booked once."""
    send(broker, 0, 100)
    with StoreClient(store.settings) as client:
        until(lambda: client.rows("SELECT sum(booked) FROM block_receipts") == [(100,)], 60, "booked before")
        assert worker.trouble() is None
        proxy.set(Mode.HANG)
        # Idle, and so ready: it has nothing to ask the store.
        assert worker.metric('spendstream_held_up_seconds{job="metering"}') == 0
        send(broker, 100, 200)
        reason = until(worker.trouble, 10, "not ready while nothing is booked")
        assert re.fullmatch(r"metering has been standing still for \d+ s: .* partition 0 .*", reason)
        assert worker.metric('spendstream_held_up_seconds{job="metering"}') > HELD_UP_AFTER_S
        assert fetch(f"{worker.url}/healthz") == b"ok\n", "a restart would not help"
        proxy.set(Mode.PASS)
        until(lambda: worker.trouble() is None, 30, "ready again")
        until(lambda: client.rows("SELECT sum(booked) FROM block_receipts") == [(200,)], 60, "booked after")
        assert client.rows("SELECT count(), uniqExact(event_id) FROM ledger") == [(200, 200)]
    assert worker.metric('spendstream_held_up_seconds{job="metering"}') == 0


@pytest.mark.slow
def test_a_file_that_cannot_be_used_changes_nothing_until_it_is_mended(worker: Worker) -> None:
    """A day that no calendar has (it once raised something that nobody had thought of): the metric says so while the
    old prices go on, the log names file and line, and the mended file is taken up."""
    refused = 'spendstream_config_refused{files="prices and rules"}'
    reloads = 'spendstream_config_reloads_total{files="prices and rules"}'
    path = worker.config / "overlays" / "ours.yaml"
    path.parent.mkdir()
    path.write_text(OVERLAY.format(day="2026-11-31"))
    until(lambda: worker.metric(refused) == 1, 30, "refused")
    assert f"{path}:3: is not valid YAML: '2026-11-31' cannot be read as a date or a time" in worker.log.read_text()
    assert worker.trouble() is None, "it books as before"
    path.write_text(OVERLAY.format(day="2026-11-30"))
    until(lambda: worker.metric(reloads) == 1, 30, "taken up")
    assert worker.metric(refused) == 0
