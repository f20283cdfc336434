"""Everything that runs during one run: broker, store, workers, senders, and the proxies between them."""

import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream_jobs.blocks.progress import booked_to
from stream_jobs.runtime.ports import LOOPBACK, free_port
from stream_jobs.store.client import StoreClient
from stream_jobs.store.migrate import migrate
from stream_jobs.store.settings import ClickHouseSettings
from tests.chaos.brokers import TOPIC, ChaosBroker
from tests.chaos.mortal import CLOCK_VARIABLE, SABOTAGE_VARIABLE
from tests.chaos.processes import Store, Watcher, Worker, wait_for
from tests.chaos.proxy import FaultProxy
from tests.chaos.senders import Sender, Service
from tests.chaos.traffic import Traffic

GROUP: Final = "spendstream-metering"
SESSION_TIMEOUT_S: Final = 3
STORE_TIMEOUT_S: Final = 6
MIN_WORKERS: Final = 1
MAX_WORKERS: Final = 4
REPLACE_AFTER_S: Final = (0.1, 1.0)
CLOCK_OFF_MAX_S: Final = 3600.0
"""How far the clock of a worker's machine is off: more than what an event may be ahead."""
HISTORY_DAYS: Final = 7
_LEAVE_GROUP: Final = 13  # api key of the Kafka protocol


class World:
    """Starts it all, keeps as many workers alive as are wanted, and stops it all."""

    def __init__(
        self, folder: Path, broker: str, rng: random.Random, *, partitions: int = 4, workers: int | None = None
    ) -> None:
        self.folder = folder
        self.rng = rng
        self.steps = folder / "steps"
        self.steps.mkdir(parents=True)
        self.history: list[str] = []
        self.follow: Callable[[str], None] | None = None
        self.workers: list[Worker] = []
        self.gone: list[Worker] = []  # that have ended, in whichever way
        self.watcher: Watcher | None = None  # the anomalies job
        self._watchers = 0
        self.expected_deaths: set[int] = set()  # pids that we killed or stopped ourselves
        self.wanted = workers or rng.choice((2, 3))
        self.service: Service | None = None
        self.sender: Sender | None = None
        self._held: set[str] = set()
        self._services = 0
        self._stores = 0
        self._replace_at: list[float] = []
        self._started = time.monotonic()
        self._clocks = random.Random(rng.random())  # its own, for how many workers there are depends on the machine
        self._block_rows = rng.choice((60, 250, 1000, 60_000))
        self._store_port = free_port()
        self.store_proxy = FaultProxy(self._store_port).start()
        self.broker = ChaosBroker(broker, folder, partitions)
        self.store: Store | None = None

    def note(self, text: str) -> None:
        self.history.append(f"{time.monotonic() - self._started:6.2f} s  {text}")
        if self.follow is not None:
            self.follow(self.history[-1])

    # --- start and stop ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything, up to workers that have joined their group."""
        self.start_services()
        for _ in range(self.wanted):
            self.start_worker()
        wait_for(lambda: all(worker.ready for worker in self.workers), 90, "all workers are ready")
        self.note("the workers are ready")

    def start_services(self) -> None:
        """The broker with its topic and the store with its tables."""
        self.start_store()  # first: it takes longest
        self.broker.start()
        self.note("the broker runs")
        assert self.store is not None
        self.store.wait_ready()
        self.note("the store runs")
        migrate(self.store_settings)
        self.note("migrated")

    def learn(self, traffic: Traffic) -> None:
        """What was before, in peace; and then the anomalies job."""
        sender = Sender(self.broker.address, traffic.past, 0.5)
        sender.start()
        with StoreClient(self.store_settings) as store:

            def booked() -> bool:
                topic_id, ends = self.broker.log_ends()
                return sender.done and booked_to(store, TOPIC, topic_id) == {at: end for at, end in ends.items() if end}

            wait_for(booked, 60, "what was before is booked")
        sender.stop()
        self.start_watcher()
        self.note("the past is booked")

    def send(self, traffic: Traffic, seconds: float) -> None:
        self._seconds = seconds
        Service.prepare(self.folder, traffic.service)
        self.start_service()
        self.sender = Sender(self.broker.address, traffic.messages, seconds)
        self.sender.start()

    def stop(self) -> None:
        """Whatever happened before: nothing is left running."""
        if self.sender is not None:
            self.sender.stop()
        for process in (self.service, *self.workers, self.watcher, self.store):
            if process is not None:
                process.kill()
        self.store_proxy.stop()
        self.broker.stop()

    @contextmanager
    def alone(self, what: str) -> Iterator[bool]:
        """False when another fault has hold of it: two that overlap would only undo each other."""
        free = what not in self._held
        if free:
            self._held.add(what)
        try:
            yield free
        finally:
            if free:
                self._held.discard(what)

    # --- the store ---------------------------------------------------------------------------------------------

    @property
    def store_settings(self) -> ClickHouseSettings:
        """Past the proxy, as the user who may write."""
        assert self.store is not None
        credentials = self.store.path / "credentials"
        return ClickHouseSettings(port=self._store_port, user="spendstream", password_file=credentials)

    def start_store(self) -> None:
        self.store = Store(self._stores, self.folder, self._store_port)
        self._stores += 1

    def start_service(self) -> None:
        self.service = Service(self._services, self.folder, self.broker.address, 0.7 * self._seconds)
        self._services += 1

    # --- workers -----------------------------------------------------------------------------------------------

    def start_worker(self, sabotage: str = "") -> Worker:
        assert self.store is not None
        number = len(self.workers) + len(self.gone)
        worker = Worker(
            number,
            self.folder,
            self.steps,
            {
                SABOTAGE_VARIABLE: sabotage,
                CLOCK_VARIABLE: f"{self._clocks.uniform(-CLOCK_OFF_MAX_S, CLOCK_OFF_MAX_S):.3f}",
                "SPENDSTREAM_MAX_BLOCK_ROWS": str(self._block_rows),
                "SPENDSTREAM_MAX_QUEUED_RECORDS": str(max(2_000, self._block_rows)),
                **self._access(),
            },
        )
        self.workers.append(worker)
        return worker

    def _access(self) -> dict[str, str]:
        assert self.store is not None
        return {
            "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": self.broker.address,
            "SPENDSTREAM_CLICKHOUSE_URL": f"http://{self.store_proxy.address}",
            "SPENDSTREAM_CLICKHOUSE_USER": "spendstream",
            "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(self.store.path / "credentials"),
            "SPENDSTREAM_CLICKHOUSE_QUERY_TIMEOUT_S": str(STORE_TIMEOUT_S),
            "SPENDSTREAM_CLICKHOUSE_CONNECT_TIMEOUT_S": "2",
            "SPENDSTREAM_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
        }

    def start_watcher(self) -> None:
        self.watcher = Watcher(
            self._watchers, self.folder, {"SPENDSTREAM_ANOMALIES_HISTORY_DAYS": str(HISTORY_DAYS), **self._access()}
        )
        self._watchers += 1

    def victim(self) -> Worker | None:
        """One of the workers that run, if there is one."""
        awake = [worker for worker in self.workers if worker.alive and not worker.frozen]
        return self.rng.choice(awake) if awake else None

    def tick(self) -> None:
        """What a supervisor does: replace workers that ended, after a moment."""
        now = time.monotonic()
        for worker in [worker for worker in self.workers if not worker.alive]:
            self.workers.remove(worker)
            self.gone.append(worker)
            self.note(f"{worker.name} ended with {worker.exit_code}")
        self.tick_watcher()
        missing = self.wanted - len(self.workers) - len(self._replace_at)
        self._replace_at += [now + self.rng.uniform(*REPLACE_AFTER_S) for _ in range(missing)]
        for at in [at for at in self._replace_at if at <= now]:
            self._replace_at.remove(at)
            if len(self.workers) < self.wanted:
                self.start_worker()

    def tick_watcher(self) -> None:
        """The same for the anomalies job."""
        if self.watcher is not None and not self.watcher.alive:
            self.note(f"{self.watcher.name} ended with {self.watcher.exit_code}")
            self.start_watcher()

    def evict(self, worker: Worker) -> None:
        """Tell the group that the worker has left. The worker learns it when it is refused."""
        if worker.member_id is None:
            return
        texts = [text.encode() for text in ("chaos", GROUP, worker.member_id)]
        body = struct.pack(">hhi", _LEAVE_GROUP, 0, 1)
        body += b"".join(struct.pack(">h", len(text)) + text for text in texts)
        try:
            with socket.create_connection((LOOPBACK, self.broker.proxy.target_port), timeout=2) as connection:
                connection.sendall(struct.pack(">i", len(body)) + body)
                connection.recv(64)
        except OSError:
            return
        self.note(f"{worker.name} was thrown out of the group")
