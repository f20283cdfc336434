"""One child process of the embedded mode: started with its log, stopped politely, then firmly."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.embedded.leftovers import forget, note
from stream_jobs.runtime.retry import wait_until

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
TAIL_BYTES = 2_000
ADDRESSES = ("SPENDSTREAM_KAFKA_", "SPENDSTREAM_CLICKHOUSE_")
SECRETS = ("SPENDSTREAM_ORIGIN_KEYS", "SPENDSTREAM_SIGNING_KEY")
"""Beginnings of variables that only some children need, which are given them."""


class ChildError(SpendstreamError):
    """A child process did not start; the message ends with the end of its log."""


class Process(Protocol):
    """What a child is started as: a program of its own (`subprocess.Popen`), or a process that was forked."""

    pid: int
    stdin: IO[bytes] | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def kill(self) -> None: ...


class Child:
    """A Python module run as a process. Its stdin is a pipe from us: when we die, even by kill -9, it reads the end
    of it and stops by itself."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log_dir: Path,
        environment: Mapping[str, str],
        run_dir: Path | None = None,
    ) -> None:
        """In `run_dir` it is noted for as long as it runs, so that the next supervisor finds it if we are killed."""
        self.name = name
        self._run_dir = run_dir
        self._arguments = list(arguments)
        self._log_path = log_dir / f"{name}.log"
        # What the operator's shell says about another broker or store is not for our children.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ADDRESSES + SECRETS)}
        self._environment = {**inherited, **environment}
        self._process: Process | None = None
        self._asked = False

    def start(self) -> None:
        self._asked = False
        with self._log_path.open("ab") as log:
            self._process = self._launch(log)
        if self._run_dir is not None:
            note(self._run_dir, self.name, self._process.pid)

    def _launch(self, out: IO[bytes]) -> Process:
        return self._program(out)

    def _program(self, out: IO[bytes], stdin: int = subprocess.PIPE) -> Process:
        return subprocess.Popen(
            [sys.executable, *self._arguments],
            stdin=stdin,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops its children in order
        )

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Raises ChildError when it exits or is not ready in time."""
        if not wait_until(lambda: ready() or self.exit_code() is not None, timeout_s):
            raise ChildError(f"{self.name} was not ready after {timeout_s:.0f} s:\n{self.log_tail()}")
        if (code := self.exit_code()) is not None:
            raise ChildError(f"{self.name} exited with code {code}:\n{self.log_tail()}")

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def log_tail(self) -> str:
        with contextlib.suppress(OSError), self._log_path.open("rb") as log:
            log.seek(max(0, self._log_path.stat().st_size - TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()
        return "(no log)"

    def ask_to_stop(self) -> None:
        """SIGTERM, once: a second one would end it amid its stop. Does not wait."""
        if self._process is not None and not self._asked and self._process.poll() is None:
            self._asked = True
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """SIGTERM, then SIGKILL after the timeout. Safe to call twice."""
        self.ask_to_stop()
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._run_dir is not None:
            forget(self._run_dir, self.name)
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()
