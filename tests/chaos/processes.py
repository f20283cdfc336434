"""The processes of a run: workers, the store, a service with the SDK. All real, all killable, none left over."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from stream_jobs.embedded.probe import answers
from stream_jobs.runtime.orphan import die_with_parent
from stream_jobs.runtime.ports import free_port
from tests.chaos.mortal import FOLDER_VARIABLE

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0
ROOT: Final = Path(__file__).resolve().parents[2]


class ChaosProcess:
    """A Python module as a process. Dies with us, however we die. Start it from the main thread."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPENDSTREAM_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**inherited, **environment},
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, prepared before the fork
            )
        self.pid = self._process.pid
        self.stopped = False  # by SIGSTOP from us

    @property
    def exit_code(self) -> int | None:
        """None while it runs or is stopped; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def alive(self) -> bool:
        return self.exit_code is None

    @property
    def frozen(self) -> bool:
        """Stopped by a signal, ours or its own."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    def kill(self) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def freeze(self) -> None:
        if self.alive:
            os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.alive:
            os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        if self.alive:
            self._process.terminate()

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int | None:
        """The exit code after SIGTERM; kill -9 when it takes longer, which is a defect: then None."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s / 2)
        os.kill(self.pid, signal.SIGUSR1)  # a worker writes into its log what it is doing
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s / 2)
        self.kill()
        return None

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def count(self, pattern: str) -> int:
        """Lines of its log that match."""
        return len(re.findall(pattern, self.text()))


class Worker(ChaosProcess):
    """`spendstream worker metering` that can be told to die at a step."""

    def __init__(self, number: int, folder: Path, steps: Path, environment: Mapping[str, str]) -> None:
        self.health_port = free_port()
        self._steps = steps
        super().__init__(
            f"worker-{number}",
            ["tests.chaos.mortal", "worker", "metering", "--health-port", str(self.health_port)],
            folder,
            {FOLDER_VARIABLE: str(steps), **environment},
        )

    @property
    def ready(self) -> bool:
        return self.alive and answers(f"http://127.0.0.1:{self.health_port}/readyz")

    @property
    def member_id(self) -> str | None:
        """Under which its group knows it; None before it has joined."""
        try:
            return (self._steps / f"member-{self.pid}").read_text() or None
        except OSError:
            return None


class Watcher(ChaosProcess):
    """`spendstream worker anomalies`."""

    def __init__(self, number: int, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(
            f"watcher-{number}", ["spendstream", "worker", "anomalies", "--health-port", "0"], folder, environment
        )


class Store(ChaosProcess):
    """The embedded store on a folder that outlives it."""

    def __init__(self, number: int, folder: Path, port: int) -> None:
        self.path = folder / "store"
        self.port = port
        super().__init__(
            f"store-{number}",
            ["stream_jobs.store.server", "--path", str(self.path), "--port", str(port)],
            folder,
            {},
        )

    def wait_ready(self) -> "Store":
        wait_for(lambda: not self.alive or answers(f"http://127.0.0.1:{self.port}/readyz"), START_TIMEOUT_S, self.name)
        assert self.alive, f"the store did not start:\n{self.text()}"
        return self


def wait_for(condition: Any, timeout_s: float, what: str) -> Any:
    """The first true value of `condition()`. AssertionError after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)
    return value
