"""The embedded mode: broker, store and jobs as child processes, started and stopped in order.

Workers talk to the broker over the Kafka protocol and to the store over ClickHouse's HTTP interface, exactly as in a
cluster; only the addresses differ.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest

from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import ConfigError, SpendstreamError
from stream_jobs.blocks.progress import booked_to
from stream_jobs.embedded import leftovers
from stream_jobs.embedded.brokers import TANSU, Broker, make_broker
from stream_jobs.embedded.child import START_TIMEOUT_S, Child
from stream_jobs.embedded.claims import PortClaims
from stream_jobs.embedded.datadir import DataDir, write_whole
from stream_jobs.embedded.forks import Forks
from stream_jobs.embedded.gate import Gate
from stream_jobs.embedded.instance import Instance, embedded_kafka, register, unregister
from stream_jobs.embedded.log_files import rotate
from stream_jobs.embedded.probe import answers, fetch, nobody_answers, relayed
from stream_jobs.embedded.replacement import BrokerReplacement
from stream_jobs.embedded.settings import EmbeddedSettings
from stream_jobs.embedded.workers import FORECASTER, WORKER, WorkerChild, start_workers
from stream_jobs.forecasts.demand_answer import PATH as DEMAND
from stream_jobs.runtime.health import Answer, HealthServer, NotReady
from stream_jobs.runtime.jobs import JOBS
from stream_jobs.runtime.kafka import LogEnds, ensure_topics
from stream_jobs.runtime.metrics_text import merged
from stream_jobs.runtime.ports import CLICKHOUSE_PORT, HTTP_PORT, KAFKA_PORT, LOOPBACK, free_port
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.system import allow_open_files
from stream_jobs.runtime.topics import EVENT_TOPICS, topic_specs
from stream_jobs.store.client import StoreClient
from stream_jobs.store.embedded.access import WRITE_USER
from stream_jobs.store.migrate import migrate
from stream_jobs.store.retention import RetentionSettings, apply_retention
from stream_jobs.store.settings import ClickHouseSettings

log = logging.getLogger(__name__)

DRAIN_STALL_S = 60.0  # without progress; a large backlog may take longer
RESTART_BACKOFF_S = 2.0
STALL_RESTART_S = (
    120.0  # a worker that stands still while store and broker answer: a new one starts from what is booked
)
SETTLE_S = 0.2  # until the broker has worked off what was forwarded to it
EMBEDDED_SESSION_TIMEOUT_S = 4


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports; 0 picks a free one, None the usual one or, if that is taken, a free one."""

    kafka: int | None = None
    clickhouse: int | None = None
    http: int | None = None


class Embedded:
    """One embedded instance. `start` returns when events can be sent and queried; `stop` books what is under way."""

    def __init__(self, data_dir: Path, ports: Ports, config_dir: Path | None = None, *, broker: str = TANSU) -> None:
        """`broker` is one of BROKERS."""
        self._dir = DataDir(data_dir)
        self._claims = PortClaims(self._dir.path)
        self._config_dir = (config_dir or self._dir.config).absolute()
        self._ports = ports
        self._settings = EmbeddedSettings.model_construct()
        self._ready = False
        self._client_id = f"spendstream-embedded-{secrets.token_hex(8)}"
        self._broker_kind = broker
        self._broker: Broker | None = None
        self._gate: Gate | None = None
        self._replacement: BrokerReplacement | None = None
        self._store: Child | None = None
        self._forks = Forks(self._dir.logs, self._dir.run)
        self._workers: dict[str, WorkerChild] = {}
        self._log_ends: LogEnds | None = None
        self._health: HealthServer | None = None
        self.instance: Instance | None = None

    def start(self, progress: Callable[[str], None] = log.info) -> Instance:
        """Raises ConfigError (ports, folder) or SpendstreamError (a part does not start); then nothing is left over."""
        try:
            return self._start(progress)
        except BaseException:
            self.stop(drain=False)
            raise

    def _start(self, progress: Callable[[str], None]) -> Instance:
        self._settings = from_environment(EmbeddedSettings)
        allow_open_files()
        self._dir.open()
        if found := leftovers.clear(self._dir.run):
            log.warning("an earlier instance was killed; what it left running has stopped: %s", ", ".join(found))
        chosen = [port for port in (self._ports.kafka, self._ports.clickhouse, self._ports.http) if port]
        if len(set(chosen)) < len(chosen):
            raise ConfigError("--kafka-port, --clickhouse-port and --http-port must be three different ports")
        claim = self._claims.claim
        kafka_port = claim(self._ports.kafka, KAFKA_PORT, "Kafka", "--kafka-port")
        clickhouse_port = claim(self._ports.clickhouse, CLICKHOUSE_PORT, "ClickHouse", "--clickhouse-port")
        http_port = claim(self._ports.http, HTTP_PORT, "health and metrics", "--http-port")
        self._health = HealthServer(http_port, self.not_ready, metrics=self._metrics, routes={DEMAND: self._demand})
        self._health.__enter__()
        self._forks.start()  # first: it loads for as long as it takes to start store and broker
        progress("starting ClickHouse (chDB)")
        self._write_credentials()
        self._start_store(clickhouse_port)
        progress("applying migrations")
        self._migrate()
        self._broker = make_broker(self._broker_kind, self._dir.broker, free_port(), advertised_port=kafka_port)
        progress(f"starting the broker ({self._broker.name})")
        self._gate = Gate(kafka_port, self._broker.port, self._client_id, checking=not self._broker.durable)
        self._gate.start()
        self._kafka = embedded_kafka(f"{LOOPBACK}:{kafka_port}", self._client_id)
        if not self._broker.durable:
            self._replacement = BrokerReplacement(
                self._gate, self._kafka, self._settings, self._dir.broker, self._open_store
            )
        self._start_broker()
        progress("starting the jobs: " + ", ".join(JOBS))
        self._start_workers()
        self._gate.release()
        self.instance = Instance(
            pid=os.getpid(),
            data_dir=str(self._dir.path),
            kafka=self._kafka.bootstrap_servers,
            clickhouse_http=self._clickhouse_url,
            http=self._health.url,
            credentials=str(self._dir.credentials),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            config_dir=str(self._config_dir),
            began=process.began if (process := ProcessId.of(os.getpid())) else 0,
        )
        register(self.instance)
        self._ready = True
        return self.instance

    def _start_broker(self) -> None:
        """Nobody comes in before its topics are made, jobs that still run and come back to it neither: it would make a
        topic with its own defaults for the first who asks."""
        assert self._broker is not None
        assert self._gate is not None
        self._gate.lead_own(self._client_id, None)
        self._broker.start()
        if self._replacement is not None:
            self._replacement.started(self._broker)
        first = self._kafka.model_copy(update={"client_id": f"{self._client_id}-topics"})
        self._gate.lead_own(first.client_id, self._broker.port)
        ensure_topics(first, topic_specs(embedded=True, durable=self._broker.durable))
        self._gate.lead_own(self._client_id, self._broker.port)

    def _write_credentials(self) -> None:
        if not self._dir.credentials.exists():
            write_whole(self._dir.credentials, secrets.token_urlsafe(24) + "\n", 0o600)

    def _start_store(self, port: int) -> None:
        arguments = ["-m", "stream_jobs.store.server", "--path", str(self._dir.store), "--port", str(port)]
        # Known to `stop` from here on: nothing is left over when it does not become ready.
        arguments += ["--credentials", str(self._dir.credentials)]
        self._store = Child("store", arguments, self._dir.logs, {}, self._dir.run)
        self._store.start()
        self._clickhouse_url = f"http://{LOOPBACK}:{port}"
        self._store.wait_ready(lambda: answers(f"{self._clickhouse_url}/readyz"), START_TIMEOUT_S)

    def _migrate(self) -> None:
        migrate(self._writer())
        with StoreClient(self._writer()) as store:
            apply_retention(store.client, from_environment(RetentionSettings))

    def _open_store(self) -> StoreClient:
        return StoreClient(self._writer())

    def _writer(self) -> ClickHouseSettings:
        return from_environment(
            ClickHouseSettings,
            url=self._clickhouse_url,
            user=WRITE_USER,
            password_file=self._dir.credentials,
            password="",
        )

    def _start_workers(self) -> None:
        environment = {
            "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
            "SPENDSTREAM_KAFKA_CLIENT_ID": self._client_id,
            "SPENDSTREAM_CLICKHOUSE_URL": self._clickhouse_url,
            "SPENDSTREAM_CLICKHOUSE_USER": WRITE_USER,
            "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(self._dir.credentials),
            # The embedded broker lets a member join after half of this, and nobody else waits for the group.
            "SPENDSTREAM_SESSION_TIMEOUT_S": str(EMBEDDED_SESSION_TIMEOUT_S),
        }
        start_workers(self._config_dir, self._dir.logs, environment, self._dir.run, self._forks, self._workers)

    def not_ready(self) -> NotReady:
        """For /readyz: why events cannot be booked right now."""
        if not self._ready:
            return "starting or stopping"
        if self._broker is None or not self._broker.running():
            return "the broker is down"
        if not self._store_answers():
            return "the store does not answer"
        if self._replacement is not None and self._replacement.trouble is not None:
            return self._replacement.trouble
        return next(
            (
                f"the {name} is not ready: {trouble}"
                for name, child in self._workers.items()
                if (trouble := child.trouble()) is not None
            ),
            None,
        )

    def _metrics(self) -> bytes:
        """Of this process and, once they are up, its children."""
        texts = {"supervisor": generate_latest()}
        if self._ready:
            urls = {name: child.url for name, child in self._workers.items()} | {"store": self._clickhouse_url}
            texts |= {name: text for name, url in urls.items() if (text := fetch(f"{url}/metrics"))}
        return merged(texts)

    def _demand(self, query: str) -> Answer:
        """As the process answers that forecasts."""
        forecaster = self._workers.get(FORECASTER)
        if forecaster is None:
            return nobody_answers("starting or stopping")
        return relayed(f"{forecaster.url}{DEMAND}?{query}")

    def watch(self) -> None:
        """Restart what died, keep logs and broker under their bounds. Called every second or so while it runs."""
        logs = (*self._dir.logs.glob("*.log"), self._dir.broker / "broker.log", self._dir.broker / "output.log")
        rotate(logs, self._settings.log_max_bytes, self._settings.log_files)
        if self._store is not None and self._store.exit_code() is not None:
            log.error("the store stopped (exit code %s), starting it again:\n%s", *_death(self._store))
            self._store.stop()  # what is left of it: its pipe
            self._store.start()
        replacing = self._replacement is not None and self._replacement.pending
        if self._broker is not None and not self._broker.running() and not replacing:
            log.error("the broker stopped, starting it again; %s", _what_is_left(self._broker))
            self._hold()
            self._start_broker()
            if not self._broker.durable:
                for child in self._workers.values():
                    child.restart()  # its group and offsets went with the broker
        for name, child in self._workers.items():
            if child.exit_code() is not None:
                log.error("the %s stopped (exit code %s), starting it again:\n%s", name, *_death(child))
                time.sleep(RESTART_BACKOFF_S)
                child.restart()
        if self._gate is not None and (self._replacement is None or self._replacement.trouble is None):
            self._gate.release()
        if self._replacement is not None and self._broker is not None:
            self._broker = self._replacement.check(self._broker)
            worker = self._workers.get(WORKER)
            if self._replacement.stalled_s > STALL_RESTART_S and worker is not None and self._store_answers():
                log.error("the worker books nothing of a full broker, starting it again:\n%s", worker.log_tail())
                worker.restart()
                self._replacement.worker_restarted()

    def _store_answers(self) -> bool:
        return answers(f"{self._clickhouse_url}/readyz")

    def _hold(self) -> None:
        if self._gate is not None:
            self._gate.hold()

    def unbooked(self) -> int:
        """Records in the broker that are not in a finished block yet. Raises when broker or store do not answer."""
        missing = 0
        if self._log_ends is None:
            self._log_ends = LogEnds(self._kafka)
        with StoreClient(self._writer()) as store:
            for topic in EVENT_TOPICS:
                topic_id, ends = self._log_ends.of(topic)
                done = booked_to(store, topic, topic_id)
                for partition, end in ends.items():
                    missing += max(0, end - done.get(partition, 0))
        return missing

    def _drain(self) -> None:
        """Hold the clients out and book everything the broker has taken: it forgets when it stops."""
        self._hold()
        time.sleep(SETTLE_S)
        missing: int | None = None
        deadline = time.monotonic() + DRAIN_STALL_S
        while time.monotonic() < deadline:
            try:
                left = self.unbooked()
            except SpendstreamError as error:
                log.warning("cannot tell what is left to book: %s", error)
            else:
                if (
                    left == 0
                    and self._replacement is not None
                    and self._replacement.pending
                    and self._broker is not None
                ):
                    self._broker = self._replacement.finish(self._broker)
                    missing, deadline = None, time.monotonic() + DRAIN_STALL_S
                    continue
                if left == 0:
                    return
                if missing is None or left < missing:
                    missing, deadline = left, time.monotonic() + DRAIN_STALL_S
            if WORKER not in self._workers or self._workers[WORKER].exit_code() is not None:
                break
            if self._broker is None or not self._broker.running():
                break
            time.sleep(0.1)
        log.error("%s records were not booked and go with the broker", "some" if missing is None else missing)

    def stop(self, *, drain: bool = True) -> None:
        """Book what is under way (a durable broker keeps it for the next start), then stop jobs, broker and store in
        this order. Safe to call twice."""
        if drain and self._ready and self._broker is not None and not self._broker.durable:
            self._drain()
        self._ready = False
        for child in self._workers.values():
            child.ask_to_stop()  # side by side: each takes a second
        for child in self._workers.values():
            child.stop()
        self._forks.stop()
        self._log_ends = None  # before its broker goes, or librdkafka complains
        if self._gate is not None:
            self._gate.stop()
        if self._replacement is not None:
            self._replacement.stop(self._broker)
        if self._broker is not None:
            self._broker.stop()
        if self._store is not None:
            self._store.stop()
        if self._health is not None:
            self._health.__exit__(None, None, None)
            self._health = None
        if self.instance is not None:
            unregister(self.instance)
        self._claims.close()
        self._dir.close()


def _what_is_left(broker: Broker) -> str:
    if broker.durable:
        return "nothing is lost"
    return "what it held and was not booked is gone unless its senders hold it"


def _death(child: Child) -> tuple[int | None, str]:
    return child.exit_code(), child.log_tail()
