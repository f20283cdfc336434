"""A forked worker: one task after the other, until nobody asks any more."""

import contextlib
import os
import pickle
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from stream_jobs.runtime.forked.model import MIB, Terms
from stream_jobs.runtime.orphan import die_with_parent
from stream_jobs.runtime.processes import address_bytes, private_bytes

LONGEST_REASON: Final = 500
Answer = tuple[bytes, str, bool]
"""Its result, pickled; or why there is none; whether the worker is to be replaced."""


def work(asked: Connection, terms: Terms, server: int) -> None:
    """Never returns. In a group of its own, so that it is killed with whatever a task has started."""
    status = 1
    try:
        os.setsid()
        with contextlib.suppress(OSError):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # tasks wait for what they start
        if dies := die_with_parent():
            dies()
        if os.getppid() == server:
            _stay_below(terms.memory_bytes)
            _serve(asked, terms.memory_bytes)
            status = 0
    except (EOFError, OSError):
        status = 0  # whoever asked has gone
    finally:
        os._exit(status)  # nothing of the server's is cleaned up here


def _serve(asked: Connection, memory_bytes: int) -> None:
    while True:
        task = asked.recv_bytes()
        result, failed, replace = _attempt(task, memory_bytes)
        replace = replace or private_bytes(os.getpid()) > memory_bytes // 2
        answer: Answer = result, failed, replace
        asked.send_bytes(pickle.dumps(answer))
        if replace:
            return


def _attempt(task: bytes, memory_bytes: int) -> Answer:
    """What a task raises is an answer, SystemExit too: only who kills the worker ends it."""
    try:
        function: Callable[[Any], Any]
        function, argument = pickle.loads(task)  # noqa: S301 - from the process that started us
        result = pickle.dumps(function(argument))
    except MemoryError:
        return b"", f"it needs more than {memory_bytes // MIB} MiB", True
    except BaseException as error:  # noqa: BLE001 - told to whoever asked
        return b"", f"{type(error).__name__}: {error}"[:LONGEST_REASON], False
    return result, "", False


def _stay_below(memory_bytes: int) -> None:
    """A wall for what asks for memory without end, between two looks of anybody. No effect where the system does not
    say how much there is."""
    has = address_bytes(os.getpid())
    if has:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = has + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
