"""A running pipeline for tests: the `spendstream up` command as a user starts it, on free ports."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from stream_jobs.embedded.instance import INSTANCE_FILE, embedded_clickhouse, read_instance
from stream_jobs.embedded.probe import trouble
from stream_jobs.store.client import StoreClient
from tests.integration.asking import Asking
from tests.store_server import prepared

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 90.0
BOOK_TIMEOUT_S = 90.0
COMMAND = [sys.executable, "-m", "spendstream"]


def until(condition: Any, timeout_s: float, what: str) -> Any:
    """The first true value of `condition()`. Fails after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.05)
    return value


def usage_event(event_id: str | None, **changes: Any) -> dict[str, Any]:
    """A valid event as a JSON object; a value of None removes a field."""
    event: dict[str, Any] = {
        "schema_version": 1,
        "event_id": event_id,
        "occurred_at": "2026-11-01T12:00:00Z",
        "source": "tests",
        "provider": "openai",
        "model": "gpt-4o",
        "usage": {"kind": "tokens", "input_tokens": 1_000_000, "output_tokens": 0},
        "attribution": {
            "project": "p",
            "environment": "production",
            "cost_center": "c",
            "workload_type": "inference",
            "team": "t",
        },
    }
    event.update(changes)
    return {name: value for name, value in event.items() if value is not None}


class Pipeline:
    """`spendstream up` in a process of its own."""

    def __init__(self, data_dir: Path, kafka_port: int = 0, broker: str | None = None) -> None:
        self.data_dir = data_dir
        self._broker = ["--broker", broker] if broker else []
        self._kafka_port = kafka_port
        self._process: subprocess.Popen[str] | None = None
        self._asking = Asking()
        self.environment: Mapping[str, str] = {
            name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")
        }

    def start(self) -> None:
        """The first time on a store that has its schema already (tests/store_server.py): `demo` makes its own."""
        prepared(self.data_dir)
        self._process = subprocess.Popen(
            [*COMMAND, "up", "--data-dir", str(self.data_dir), *self._ports(), *self._broker],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(self.environment),
            start_new_session=True,
        )
        until(lambda: self.exited() or self.ready(), START_TIMEOUT_S, "spendstream up")
        assert self.exited() is False, self._process.communicate()[0]

    def _ports(self) -> list[str]:
        return ["--kafka-port", str(self._kafka_port), "--clickhouse-port", "0", "--http-port", "0"]

    def exited(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self) -> str:
        """Ctrl-C; returns what it printed. Fails when it does not stop or exits with an error."""
        assert self._process is not None
        self._asking.close()
        self._process.send_signal(signal.SIGINT)
        output = self._process.communicate(timeout=STOP_TIMEOUT_S)[0]
        assert self._process.returncode == 0, output
        self._process = None
        return output

    def kill(self) -> None:
        """kill -9 of the supervisor; its children stop by themselves."""
        self._asking.close()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ready(self) -> bool:
        """As `status` says; asked in this process, since a command's start would take its CPU from what is awaited."""
        instance = read_instance(self.data_dir)
        if instance is None and (self.data_dir / INSTANCE_FILE).exists():
            return bool(self.status().get("ready"))  # one of another system than this process's (without_linux)
        return instance is not None and trouble(f"{instance.http}/readyz") is None

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--data-dir", str(self.data_dir), "--json")
        return dict(json.loads(done.stdout)) if done.stdout else {}

    def run(self, *arguments: str, stdin: str | None = None, check: bool = False) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=dict(self.environment),
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def store(self, *, writable: bool = False) -> StoreClient:
        instance = read_instance(self.data_dir)
        assert instance is not None
        return StoreClient(embedded_clickhouse(instance, writable=writable))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        instance = read_instance(self.data_dir)
        assert instance is not None
        return self._asking.rows(embedded_clickhouse(instance, writable=False), sql)

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]

    def send(self, messages: Sequence[tuple[str | None, bytes | None]], topic: str = "usage.events.v1") -> None:
        """Straight to Kafka, past the SDK and its checks: keys and values."""
        instance = read_instance(self.data_dir)
        assert instance is not None
        producer = Producer(
            {"bootstrap.servers": instance.kafka, "message.max.bytes": 200_000_000, "log_level": 0, "linger.ms": 5}
        )
        failed: list[str] = []
        for key, value in messages:
            producer.produce(
                topic, value=value, key=key, on_delivery=lambda error, _: failed.append(str(error)) if error else None
            )
            producer.poll(0)
        assert producer.flush(60) == 0
        assert not failed, failed

    def send_events(self, *events: Mapping[str, Any]) -> None:
        self.send([(str(event.get("event_id")), json.dumps(event).encode()) for event in events])

    def wait_received(self, number: int) -> None:
        """Until the receipts of finished blocks cover so many records."""
        until(
            lambda: self.value("SELECT sum(received) FROM block_receipts") >= number,
            BOOK_TIMEOUT_S,
            f"{number} records booked",
        )
