"""The process that has loaded what tasks need, and forks a worker whenever it is asked to.

A program of its own rather than `multiprocessing`'s forkserver: that one imports the main module of whoever started it
into every worker (of ours: Kafka and Faust), shares one server among all of a process, gives it the terminal, and sets
no environment before libraries read it. It has one thread, so a fork leaves no lock behind.
"""

import contextlib
import gc
import os
import pickle
import signal
import socket
import struct
import sys
from multiprocessing.connection import Connection
from typing import Final

from stream_jobs.runtime.forked.model import Terms
from stream_jobs.runtime.forked.worker import LONGEST_REASON, work
from stream_jobs.runtime.orphan import adopt_orphans

FORK: Final = b"F"
PID: Final = struct.Struct("<q")


def main() -> None:
    """The control socket is inherited; its number is the only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    number = int(sys.argv[1])
    control = socket.socket(fileno=number)
    said = Connection(os.dup(number))
    with contextlib.suppress(EOFError, OSError):  # whoever started us has gone
        terms: Terms = pickle.loads(said.recv_bytes())  # noqa: S301 - from the process that started us
        os.nice(terms.nice)
        try:
            if terms.load is not None:
                terms.load()
        except BaseException as error:  # noqa: BLE001 - told to whoever asked
            said.send(f"{type(error).__name__}: {error}"[:LONGEST_REASON])
            return
        said.send("")
        said.close()
        _fork_on_demand(control, terms)


def _fork_on_demand(control: socket.socket, terms: Terms) -> None:
    gc.collect()
    gc.freeze()  # what is loaded stays shared: the collector of a worker does not write to it
    adopt_orphans()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers: the kernel takes them away
    server = os.getpid()
    while True:
        asked, fds, _, _ = socket.recv_fds(control, len(FORK), 1)
        if not asked:
            return
        for fd in fds:
            os.set_inheritable(fd, False)  # not for the programs that a task starts
        pid = os.fork()
        if pid == 0:
            control.close()
            work(Connection(fds[0]), terms, server)
        for fd in fds:
            os.close(fd)
        control.sendall(PID.pack(pid))


if __name__ == "__main__":
    main()
