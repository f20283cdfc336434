"""Broker, store, load generator and workers as processes of their own, as they run in production, on free ports."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

from stream_jobs.base.environment import from_environment
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.child import START_TIMEOUT_S, Child
from stream_jobs.embedded.probe import answers
from stream_jobs.embedded.supervisor import EMBEDDED_SESSION_TIMEOUT_S
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.topics import COST_DELTAS, USAGE_EVENTS
from stream_jobs.store.client import StoreClient
from stream_jobs.store.migrate import migrate
from stream_jobs.store.settings import ClickHouseSettings
from tests.benchmarks.harness.machine import ROOT

STALL_S: Final = 60.0  # a pipeline that books nothing for so long is broken
RULES: Final = ROOT / "stream_jobs" / "attribution" / "example_attribution.yaml"
PYTHONPATH: Final = os.pathsep.join(map(str, (ROOT, ROOT / "schemas", ROOT / "producers")))
"""For peers in another environment, where the project is not installed."""
USD_TO_PICO: Final = 10**12


class Broker(Protocol):
    """A started broker."""

    address: str

    @property
    def pid(self) -> int | None: ...

    def stop(self) -> None: ...


def start_broker(kind: str, folder: Path) -> Broker:
    """`tansu`, or `kafka` where Java and its jars are there. Raises SpendstreamError."""
    if kind == "tansu":
        broker = TansuBroker(free_port(), folder)
        broker.start()
        return broker
    from tests.benchmarks.harness.kafka_broker import start_kafka

    return start_kafka(folder)


class Load:
    """The load generator's process. `allow` raises how many messages it may have sent."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._process = subprocess.Popen(
            [
                *[sys.executable, "-m", "tests.benchmarks.harness.load", "--bootstrap", bootstrap],
                *["--topic", topic, "--partitions", str(partitions)],
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[str] = self._process.stdin
        self._stdout: IO[str] = self._process.stdout
        if self._stdout.readline().strip() != "ready":
            raise RuntimeError("the load generator did not start")

    def allow(self, total: int) -> None:
        self._stdin.write(f"{total}\n")
        self._stdin.flush()

    def sent(self) -> int:
        """Send what is allowed, to the batch; returns how many messages the broker has acknowledged by then."""
        self._stdin.write("flush\n")
        self._stdin.flush()
        return int(self._stdout.readline())

    def finish(self) -> int:
        """How many messages the broker has acknowledged. Raises when it refused any."""
        self._stdin.close()
        said = json.loads(self._stdout.readline())
        if self._process.wait(30) != 0:
            raise RuntimeError(f"the broker did not take everything: {said}")
        self._stdout.close()
        return int(said["sent"])

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._stdout.close()


class Rig:
    """One broker with the topic of usage events, one empty store; workers and load on demand. A context manager."""

    def __init__(self, folder: Path, *, partitions: int, broker: str = "tansu", topic: str = USAGE_EVENTS) -> None:
        self.folder = folder
        self.partitions = partitions
        self.topic = topic
        self.children: dict[str, list[Child]] = {}
        self.loads: list[Load] = []
        self._kind = broker
        self._broker: Broker | None = None
        self._store: StoreClient | None = None

    def __enter__(self) -> "Rig":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        self.folder.mkdir(parents=True)
        self.config_dir = self.folder / "config"
        self.config_dir.mkdir()
        shutil.copy(RULES, self.config_dir / "attribution.yaml")
        port = free_port()
        path = self.folder / "store"
        self.start_child("store", ["-m", "stream_jobs.store.server", "--path", str(path), "--port", str(port)], {})
        self.store_url = f"http://127.0.0.1:{port}"
        self.wait_ready("store", f"{self.store_url}/readyz")
        self.settings = ClickHouseSettings(port=port, user="spendstream", password_file=path / "credentials")
        migrate(self.settings)
        self._store = StoreClient(self.settings)
        self._broker = start_broker(self._kind, self.folder / "broker")
        kafka = from_environment(KafkaSettings, bootstrap_servers=self._broker.address)
        ensure_topics(kafka, [TopicSpec(self.topic, self.partitions, 1, {}), TopicSpec(COST_DELTAS, 1, 1, {})])

    def __exit__(self, *_: object) -> None:
        for load in self.loads:
            load.kill()
        for name in [name for name in self.children if name != "store"]:
            self.stop(name)
        if self._store is not None:
            self._store.close()
        if self._broker is not None:
            self._broker.stop()
        self.stop("store")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def bootstrap(self) -> str:
        assert self._broker is not None
        return self._broker.address

    @property
    def store(self) -> StoreClient:
        assert self._store is not None
        return self._store

    def environment(self) -> dict[str, str]:
        """What tells a job where broker and store are."""
        return {
            "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "SPENDSTREAM_CLICKHOUSE_URL": self.store_url,
            "SPENDSTREAM_CLICKHOUSE_USER": self.settings.user,
            "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(self.settings.password_file),
            "SPENDSTREAM_SESSION_TIMEOUT_S": str(EMBEDDED_SESSION_TIMEOUT_S),
        }

    def start_child(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        number = len(self.children.setdefault(name, []))
        child = Child(f"{name}-{number}", arguments, self.folder, {**environment, "PYTHONPATH": PYTHONPATH})
        self.children[name].append(child)
        child.start()
        return child

    def wait_ready(self, name: str, url: str) -> None:
        self.children[name][-1].wait_ready(lambda: answers(url), START_TIMEOUT_S)

    def start_workers(
        self, number: int = 1, module: str = "spendstream", environment: Mapping[str, str] | None = None
    ) -> None:
        """Metering workers, ready: their group has formed. `module` is run instead of the `spendstream` command."""
        urls = []
        for _ in range(number):
            port = free_port()
            arguments = ["-m", module, "worker", "metering", "--health-port", str(port)]
            arguments += ["--config-dir", str(self.config_dir)]
            self.start_child("worker", arguments, {**self.environment(), **(environment or {})})
            urls.append(f"http://127.0.0.1:{port}/readyz")
        for child, url in zip(self.children["worker"], urls, strict=True):
            child.wait_ready(lambda url=url: answers(url), START_TIMEOUT_S)  # type: ignore[misc]

    def start_load(self) -> Load:
        load = Load(self.bootstrap, self.topic, self.partitions)
        self.loads.append(load)
        return load

    def stop(self, name: str) -> None:
        for child in self.children.pop(name, []):
            child.stop()

    def processes(self) -> dict[str, list[int]]:
        """Process ids by what they are."""
        found = {name: [child.pid for child in group if child.pid] for name, group in self.children.items()}
        if self._broker is not None and self._broker.pid:
            found["broker"] = [self._broker.pid]
        if self.loads:
            found["load"] = [self.loads[-1].pid]
        return found

    def booked(self) -> int:
        """Rows in the ledger. ClickHouse knows this without reading any."""
        return self._number("SELECT count() FROM ledger")

    def visible(self) -> int:
        """Events in the rollup per minute."""
        return self.events("cost_1m")

    def events(self, table: str) -> int:
        """Events in the ledger or in a rollup."""
        return self._number(f"SELECT sum(events) FROM {table}")

    def block_rows(self) -> float:
        """How large the block was in which an event came, on average; 0 for who writes no receipts."""
        rows = self.store.rows("SELECT sum(received * received) / greatest(sum(received), 1) FROM block_receipts")
        return float(str(rows[0][0]))

    def totals(self, table: str) -> dict[str, int]:
        """Events, cost in pico-USD and unpriced events of the ledger or of a rollup."""
        unpriced = "unpriced" if table == "ledger" else "unpriced_events"
        rows = self.store.rows(
            f"SELECT sum(events), sum(ifNull(list_cost, 0)) * {USD_TO_PICO}, "
            f"sum(ifNull(effective_cost, 0)) * {USD_TO_PICO}, sum({unpriced}) FROM {table}"
        )
        names = ("events", "list_cost", "effective_cost", "unpriced")
        return dict(zip(names, (int(value) for value in rows[0]), strict=True))  # type: ignore[call-overload]

    def _number(self, sql: str) -> int:
        return int(str(self.store.rows(sql)[0][0]))

    def until(self, reached: Callable[[], bool], what: str, progress: Callable[[], int] | None = None) -> None:
        """Wait for something; raises when a process died or nothing has moved for STALL_S."""
        best, deadline = -1, time.monotonic() + STALL_S
        while not reached():
            self.raise_if_dead()
            now = (progress or self.booked)()
            if now > best:
                best, deadline = now, time.monotonic() + STALL_S
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: nothing moved for {STALL_S:g} s at {best} rows\n{self._logs()}")
            time.sleep(0.05)

    def raise_if_dead(self) -> None:
        for name, group in self.children.items():
            for child in group:
                if (code := child.exit_code()) is not None:
                    raise RuntimeError(f"{name} exited with code {code}:\n{child.log_tail()}")

    def _logs(self) -> str:
        return "\n".join(f"-- {name}\n{child.log_tail()}" for name, group in self.children.items() for child in group)


def as_json(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Of Spent by name."""
    return {name: spent.as_json() for name, spent in usage.items()}
