"""One Kafka broker as a child process: formatted, started, stopped, and ill-treated by tests.

Its folder holds everything: `data/` (records, offsets, metadata), `kafka.log`, `output.log`, `server.properties`. Files
are named relative to it, so that any path will do.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.embedded.kafka.jars import INFRA, jar_folder
from stream_jobs.embedded.kafka.java import find_java
from stream_jobs.embedded.kafka.properties import Node, server_properties
from stream_jobs.runtime.orphan import Guard, die_with_parent
from stream_jobs.runtime.ports import LOOPBACK
from stream_jobs.runtime.retry import wait_until

START_TIMEOUT_S: Final = 90.0
STOP_TIMEOUT_S: Final = 20.0
FORMAT_TIMEOUT_S: Final = 60.0
DEFAULT_HEAP_MB: Final = 512
MIN_HEAP_MB: Final = 128
TAIL_BYTES: Final = 2_000
READ_BYTES: Final = 100_000
FRAME: Final = "\tat "
DATA: Final = "data"  # log.dirs in infra/kafka/server.properties
# The serial collector: one thread and little memory; its pauses are short on a heap this small.
JVM_OPTIONS: Final = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",  # a broker that is dead is started again; one that limps is not
    "-XX:ErrorFile=jvm-error.log",
    "-Djava.awt.headless=true",
)
# Compiles quickly and less well: for brokers that live for seconds.
SHORT_LIVED: Final = ("-XX:TieredStopAtLevel=1",)


class KafkaBroker:
    """One broker process on loopback. What it acknowledged is still there when it is started again, on other ports too.

    It dies with the thread that started it. Not safe for use by several threads.
    """

    name = "Kafka"
    durable = True

    def __init__(
        self,
        node: Node,
        work_dir: Path,
        *,
        cluster_id: str,
        nodes: Sequence[Node] = (),
        advertised_port: int | None = None,
        heap_mb: int = DEFAULT_HEAP_MB,
        jvm_options: Sequence[str] = (),
        overrides: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
        client_config: Mapping[str, str] | None = None,
    ) -> None:
        """`nodes` are all brokers of the cluster, by default this one alone; `overrides` win over server.properties.
        `client_config`: how a client gets in, where that takes more than an address."""
        self.node = node
        self.port = node.client_port
        self.address = f"{LOOPBACK}:{self.port}"
        self._work_dir = work_dir
        self._cluster_id = cluster_id
        self._jvm_options = [f"-Xmx{max(MIN_HEAP_MB, heap_mb)}m", *JVM_OPTIONS, *jvm_options]
        self._properties = server_properties(
            node, nodes or [node], advertised_port=advertised_port, overrides=overrides
        )
        self._format_options = format_options
        self._client_config: dict[str, str | int | float | bool] = {
            "log_level": 0,
            "bootstrap.servers": self.address,
            **(client_config or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Raises ConfigError (no Java, no jars) or BrokerUnavailableError with the end of its log."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process without waiting for it: brokers of a cluster wait for each other."""
        self._work_dir.mkdir(parents=True, exist_ok=True)
        (self._work_dir / "server.properties").write_text(self._properties, encoding="utf-8")
        java = self._java()
        if not (self._work_dir / DATA).exists():
            self._format(java)
        with (self._work_dir / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                [*java, "kafka.Kafka", "server.properties"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._work_dir,
                start_new_session=True,  # Ctrl-C in the terminal reaches only the supervisor, which stops us last
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, prepared before the fork
            )
        self._release()
        self._guard = Guard(self._process.pid)

    def _java(self) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={(INFRA / 'log4j2.properties').as_uri()}"
        return [str(find_java()), *self._jvm_options, logging, "-cp", f"{jar_folder()}/*"]

    def _format(self, java: Sequence[str]) -> None:
        """Give the data folder its identity. It appears whole: a start that is killed here starts over."""
        fresh = self._work_dir / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        properties = self._work_dir / "format.properties"
        properties.write_text(self._properties + "log.dirs=data.new\n", encoding="utf-8")
        arguments = ["kafka.tools.StorageTool", "format", "--cluster-id", self._cluster_id, "--config", properties.name]
        arguments += self._format_options
        try:
            done = subprocess.run(
                [*java, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=self._work_dir,
                timeout=FORMAT_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BrokerUnavailableError(f"formatting {fresh} took more than {FORMAT_TIMEOUT_S:.0f} s") from None
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-TAIL_BYTES:]
            raise BrokerUnavailableError(f"Kafka's data folder {fresh} cannot be formatted:\n{said}")
        fresh.rename(self._work_dir / DATA)
        properties.unlink()

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Until it serves clients. Raises BrokerUnavailableError, with the end of its log, and stops it."""
        in_time = wait_until(lambda: self.answers() or not self.running(), timeout_s)
        if not in_time or not self.running():
            code = self._process.poll() if self._process else None
            tail = self.log_tail()
            self.kill()
            what = f"was not ready after {timeout_s:.0f} s" if code is None else f"exited with code {code}"
            raise BrokerUnavailableError(f"Kafka on {self.address} {what}:\n{tail}")

    def _release(self) -> None:
        if self._guard is not None:
            self._guard.release()
            self._guard = None

    def running(self) -> bool:
        """Whether its process lives, also when it is suspended."""
        return self._process is not None and self._process.poll() is None

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Whether a Kafka client gets metadata from it in which it takes part itself."""
        if not self.running():
            return False  # another program may have its port by now
        admin = AdminClient(self._client_config)
        try:
            return self.node.node_id in admin.list_topics(timeout=timeout_s).brokers
        except KafkaException:
            return False

    def log_tail(self) -> str:
        """The ends of what it printed and of what it logged."""
        parts = [_tail(self._work_dir / name) for name in ("output.log", "kafka.log")]
        return "\n".join(part for part in parts if part) or "(no log)"

    def stop(self) -> None:
        """An orderly stop (SIGTERM), by force after a while. Safe to call twice."""
        self.ask_to_stop()
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        if self.running():
            self.resume()  # a suspended process would never hear it
            self._signal(signal.SIGTERM)

    def wait_stopped(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """By force after the timeout."""
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None
        self._release()

    def kill(self) -> None:
        """kill -9. Safe to call twice."""
        self._release()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def suspend(self) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """An orderly stop and a start on the same data and ports."""
        self.stop()
        self.start()

    def _signal(self, number: int) -> None:
        if self._process is not None and self.running():
            os.kill(self._process.pid, number)


def _tail(path: Path) -> str:
    """Without the frames of stack traces, among which the reason would be lost."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - READ_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if not line.startswith(FRAME))[-TAIL_BYTES:].strip()
