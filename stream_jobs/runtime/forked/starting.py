"""The parent's side of the server: starting it, and asking it for a worker."""

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from stream_jobs.runtime.forked.model import PoolError, Terms
from stream_jobs.runtime.forked.server import FORK, PID

_OURS: Final = "SPENDSTREAM_"
_ONE_THREAD: Final[Mapping[str, str]] = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "STAN_NUM_THREADS"), "1"
)
_STOP_S: Final = 5.0


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(group, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Worker:
    """A forked process, as its parent sees it."""

    pid: int  # and the number of its group
    connection: Connection

    def kill(self) -> None:
        """With all that it has started, and until it is gone."""
        kill_group(self.pid)
        with contextlib.suppress(EOFError, OSError):
            while self.connection.poll(_STOP_S):  # what it had answered; then the end, once it is gone
                self.connection.recv_bytes()
        self.connection.close()


class Server:
    """Runs from its making on; without what is secret in the environment, and with no way to a terminal."""

    def __init__(self, terms: Terms, folder: str, start_s: float) -> None:
        """Raises PoolError when it can't load what it is told to. Takes as long as that."""
        ours, theirs = socket.socketpair()
        self._control = ours
        with theirs:
            environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stream_jobs.runtime.forked.server", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**environment, **_ONE_THREAD, "TMPDIR": folder},
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._terms = terms
        self._start_s = start_s
        self._ready = False  # and so looks at its pipe

    def wait_ready(self) -> None:
        """Until it has loaded everything. Raises PoolError."""
        said = Connection(os.dup(self._control.fileno()))
        with said:
            try:
                said.send_bytes(pickle.dumps(self._terms))
                if not said.poll(self._start_s):
                    raise PoolError(f"the pool's server has not loaded what it needs within {self._start_s:g} s")
                if trouble := said.recv():
                    raise PoolError(f"the pool's server can't load what it needs: {trouble}")
                self._ready = True
            except (EOFError, OSError):
                raise PoolError(f"the pool's server has ended while it started, {self._ending()}") from None

    def fork(self) -> Worker:
        """Raises OSError where the server has ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._control.settimeout(self._start_s)
                socket.send_fds(self._control, [FORK], [theirs.fileno()])
                said = self._control.recv(PID.size, socket.MSG_WAITALL)
                if len(said) < PID.size:
                    raise ConnectionResetError("the pool's server has ended")
            except OSError:
                ours.close()
                raise
        return Worker(PID.unpack(said)[0], Connection(ours.detach()))

    def stop(self) -> None:
        """It ends by itself when nobody can ask it any more; after some seconds, or while it loads, by force."""
        self._control.close()
        if not self._ready:
            kill_group(self.pid)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            kill_group(self.pid)
            self._process.wait()

    def _ending(self) -> str:
        try:
            return f"with code {self._process.wait(_STOP_S)}"
        except subprocess.TimeoutExpired:
            return "and does not say why"
