"""`python -m stream_jobs.cli.worker_server`: the program that forks the jobs' processes of an embedded instance.

They load the same modules and the same built-in prices, which takes longer than all else that they do until they are
ready. Here that is done once, while store and broker start; what is loaded is shared by all of them, and one that died
is back at once. It has one thread, so a fork leaves no lock behind; where that cannot be had, it says so and ends.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final

from spendstream.cli import main as spendstream
from stream_jobs.embedded.forks import FDS, Ended, Ready, Request, Started, packet, received
from stream_jobs.pricing.book import PriceBook
from stream_jobs.runtime.processes import call_this_process, threads
from stream_jobs.worker import BUILD

_CONTROL: Final = 0  # stdin
_LATER: Final = ("stream_jobs.cli.worker",)
"""What jobs import when they run."""


def main() -> int:
    """In a forked process this returns the exit code of its command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=os.dup(_CONTROL))
    for name in (*(f"stream_jobs.{package}.job" for packages in BUILD.values() for package in packages), *_LATER):
        importlib.import_module(name)
    PriceBook.load()  # its files are kept, and every process makes its book of them
    control.send(packet(Ready(threads())))
    if threads() != 1:
        return 1
    gc.collect()
    gc.freeze()  # what is loaded stays shared: the collector of a process does not write to it
    arguments = _serve(control)
    return 0 if arguments is None else spendstream(arguments)


def _serve(control: socket.socket) -> Sequence[str] | None:
    """Forks whenever it is asked to, and says how each process ended. Returns in a forked process what it is to run,
    and None once nobody can ask any more."""
    rings, rung = socket.socketpair()
    for end in (rings, rung):
        end.setblocking(False)
    signal.set_wakeup_fd(rung.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector, control, rings, rung:
        selector.register(control, selectors.EVENT_READ)
        selector.register(rings, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if rings in ready:
                with contextlib.suppress(BlockingIOError):
                    rings.recv(4096)
                _tell_ended(control)
            if control in ready:
                said, fds, _, _ = socket.recv_fds(control, Request.BYTES, FDS)
                if not said:
                    return None
                request = received(said)
                assert isinstance(request, Request)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    return _become(request, fds)
                for fd in fds:
                    os.close(fd)
                control.send(packet(Started(pid)))


def _tell_ended(control: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            control.send(packet(Ended(pid, os.waitstatus_to_exitcode(status))))


def _become(request: Request, fds: Sequence[int]) -> Sequence[str]:
    """This process one of its own: session, streams, environment, name, signals."""
    os.setsid()
    stdin, log = fds
    for old, new in ((stdin, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    for fd in fds:
        os.close(fd)
    os.environ.clear()
    os.environ.update(request.environment)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    call_this_process(request.name)
    return request.arguments


if __name__ == "__main__":
    sys.exit(main())
