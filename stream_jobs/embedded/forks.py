"""Processes that a server forks (`cli/worker_server.py`), as their supervisor sees them.

Supervisor and server talk over a pair of sockets, one JSON object a packet: a request to fork comes with the new
process's stdin and log, and is answered with its number; the server also says how each ended.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, ClassVar, Final

from stream_jobs.embedded.child import START_TIMEOUT_S, STOP_TIMEOUT_S, Child, Process
from stream_jobs.runtime import system
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.retry import wait_until

log = logging.getLogger(__name__)

FDS: Final = 2
SERVER: Final = "worker-server"
LOST: Final = 255
"""The exit code of a process whose server had ended before it: nobody knows."""
_QUIET: Final[Mapping[str, str]] = {
    "OPENBLAS_NUM_THREADS": "1",  # a process with threads is not forked
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator, which has one from its import on
}
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Ready:
    """Of the server, once: it has loaded everything, and has so many threads."""

    threads: int


@dataclass(frozen=True, slots=True)
class Request:
    """To the server: fork, and be the `spendstream` command with these arguments."""

    BYTES: ClassVar[int] = 160 * 1024

    name: str
    arguments: list[str]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Started:
    """The answer."""

    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Of the server: minus the signal's number, where one ended it."""

    pid: int
    code: int


Message = Ready | Request | Started | Ended
_KINDS: Final = {kind.__name__: kind for kind in (Ready, Request, Started, Ended)}


def packet(message: Message) -> bytes:
    return json.dumps({type(message).__name__: asdict(message)}).encode()


def received(said: bytes) -> Message:
    ((kind, values),) = json.loads(said).items()
    message: Message = _KINDS[kind](**values)
    return message


class Forks:
    """The server, and what it has forked. Where there is none (other systems than Linux; it did not start, it ended),
    `fork` says so, and a process is to be started as a program."""

    def __init__(self, log_dir: Path, run_dir: Path) -> None:
        self._server = _Server(log_dir, run_dir)
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._ready = False
        self._codes: dict[int, int] = {}

    def start(self) -> None:
        """Does not wait."""
        if system.LINUX:
            self._server.start()
            self._control = self._server.control

    def fork(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], out: IO[bytes]
    ) -> Process | None:
        """A process that is the `spendstream` command with these arguments, and writes to `out`. None: start it as a
        program."""
        request = packet(Request(name, list(arguments), dict(environment)))
        if len(request) > Request.BYTES:
            return None
        stdin, ours = os.pipe()
        try:
            pid = self._fork(request, [stdin, out.fileno()])
        finally:
            os.close(stdin)
        if pid is None:
            os.close(ours)
            return None
        return Forked(self, pid, os.fdopen(ours, "wb"))

    def _fork(self, request: bytes, fds: list[int]) -> int | None:
        with self._lock:
            try:
                if self._control is None:
                    return None
                self._wait_ready()
                socket.send_fds(self._control, [request], fds)
                while not isinstance(said := self._next(START_TIMEOUT_S), Started):
                    pass
            except OSError as error:
                self._give_up(str(error))
                return None
            self._codes.pop(said.pid, None)
            return said.pid

    def _wait_ready(self) -> None:
        """Raises OSError when it ends, or must not fork."""
        while not self._ready:
            said = self._next(START_TIMEOUT_S)
            if isinstance(said, Ready) and said.threads != 1:
                raise OSError(f"it has {said.threads} threads, and a fork would leave their locks behind")
            self._ready = isinstance(said, Ready)

    def _next(self, timeout_s: float) -> Message:
        """What the server says next. Raises OSError: it has ended, or says nothing in time (0: nothing now)."""
        assert self._control is not None
        self._control.settimeout(timeout_s)
        said = self._control.recv(Request.BYTES)
        if not said:
            raise ConnectionResetError("it has ended")
        message = received(said)
        if isinstance(message, Ended):
            self._codes[message.pid] = message.code
        return message

    def _give_up(self, why: str) -> None:
        log.warning("the jobs' processes are started as programs, as nothing forks them: %s", why)
        if said := self._server.log_tail():
            log.warning("what that server said last:\n%s", said)
        self._server.stop()
        self._control = None

    def code_of(self, process: ProcessId) -> int | None:
        """None while it runs."""
        with self._lock:
            if self._control is not None:
                try:
                    while True:
                        self._next(0)
                except BlockingIOError:
                    pass
                except OSError as error:
                    self._give_up(str(error))
            if process.pid in self._codes:
                return self._codes[process.pid]
        return None if self._control is not None or process.runs() else LOST

    def stop(self) -> None:
        """To be called when none of its processes runs any more. Safe to call twice."""
        with self._lock:
            self._control = None
            self._server.stop()


class _Server(Child):
    """Its stdin is the socket that it is asked through: when we die, it reads the end of it."""

    def __init__(self, log_dir: Path, run_dir: Path) -> None:
        super().__init__(SERVER, ["-m", "stream_jobs.cli.worker_server"], log_dir, _QUIET, run_dir)
        self.control: socket.socket | None = None

    def _launch(self, out: IO[bytes]) -> Process:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            return self._program(out, theirs.fileno())

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        if self.control is not None:
            self.control.close()
        super().stop(timeout_s)


class Forked:
    """A process that the server has forked: what `subprocess.Popen` is to a program of ours."""

    def __init__(self, forks: Forks, pid: int, stdin: IO[bytes]) -> None:
        self._forks = forks
        self._process = ProcessId.of(pid) or ProcessId(pid, -1)  # the latter: it has ended already
        self._code: int | None = None
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._forks.code_of(self._process)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if not wait_until(lambda: self.poll() is not None, float("inf") if timeout is None else timeout, _POLL_S):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        assert self._code is not None
        return self._code

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
