"""SIGTERM ends a child of multiprocessing, whatever its main thread is about to do."""

import collections
import contextlib
import ctypes
import functools
import multiprocessing
import operator
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from spendstream import lifetime, producer  # noqa: F401 - a service that has them loaded and emits nothing

PATIENCE_S = 30.0


def wait_as_sigterm_comes() -> None:
    """The main thread goes to wait with the signal noted and no look in between: C calls C."""
    lock = threading.Lock()
    lock.acquire()
    steps: list[Any] = [functools.partial(ctypes.CDLL(None)["raise"], signal.SIGTERM), lock.acquire]
    collections.deque(map(operator.call, steps), maxlen=0)


def wait_in_a_fork_of_its_own() -> None:
    if not (pid := os.fork()):
        wait_as_sigterm_comes()
        os._exit(1)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(42 if ended == -signal.SIGTERM else 1)


def have_a_handler_of_its_own() -> None:
    called: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: called.append(number))
    signal.raise_signal(signal.SIGTERM)
    reminders = [thread for thread in threading.enumerate() if thread.name == "spendstream-sigterm"]
    waits = [thread.is_alive() for thread in reminders] == [True]
    os._exit(42 if called == [signal.SIGTERM] and waits else 1)


def run(target: Callable[[], None]) -> None:
    os.setsid()  # so that none of them outlives the test
    lifetime.expect_the_end()  # as a producer does when it starts: before, a spawned child handles nothing
    target()


@pytest.mark.parametrize(
    ("target", "code"),
    [
        pytest.param(wait_as_sigterm_comes, -signal.SIGTERM, id="child"),
        pytest.param(wait_in_a_fork_of_its_own, 42, id="grandchild"),
        pytest.param(have_a_handler_of_its_own, 42, id="own handler"),
    ],
)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_ends_that_goes_to_wait_as_the_signal_comes(method: str, target: Callable[[], None], code: int) -> None:
    """So does its own fork: `Pool.terminate` and `terminate` with `join` would wait for it for ever. Where the service
    handles the signal, nothing of ours sees it."""
    context: Any = multiprocessing.get_context(method)
    child = context.Process(target=run, args=(target,))
    child.start()
    child.join(PATIENCE_S)
    ended = child.exitcode
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.join()
    assert ended == code
