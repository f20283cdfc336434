"""Threads, locks and pauses that hold also where gevent or eventlet put greenlets in the place of threads.

librdkafka's calls know no greenlets: in a patched process a "thread" that waits in one stops every other greenlet. So
our background threads are the operating system's, and what they share with the service's greenlets never makes one of
those wait inside the operating system: a lock that is taken is tried again after a pause that lets the others run.
Whether a process is patched is seen when a thread, a lock or a flag is made.

Nor may our threads take a signal in place of the service's. What blocks one in its own thread, or waits for it, expects
that nobody else has it: billiard's workers block SIGTERM while they hold a lock that all share, and where it came to a
thread of ours instead, their handler ran all the same, and a Celery worker waited for that lock for ever.

The service's own code must not run in our thread: log lines, whose handlers may be greenlets' business, are kept for
the next greenlet that passes (`stats.Counters`). `on_delivered` is said to run in it.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from _queue import Empty, SimpleQueue  # the original, whatever stands in `queue` now
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, cast

__all__ = [
    "Empty",
    "Flag",
    "SimpleQueue",
    "Thread",
    "blocking_read",
    "in_thread_of_ours",
    "is_mine",
    "new_lock",
    "new_rlock",
    "patched",
    "pause",
    "process_lock",
    "signals_left_to_others",
    "until",
]

_LONGEST_STEP_S: Final = 0.02
_LOCK_STEP_S: Final = 0.0005
_OWN_FAULTS: Final = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP")
"""Of a thread itself: `faulthandler` shows where it was."""


def _by_gevent() -> Any:
    monkey = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def _by_eventlet() -> Any:
    patcher = sys.modules.get("eventlet.patcher")
    return patcher if patcher is not None and patcher.is_monkey_patched("thread") else None


def patched() -> bool:
    """Whether threads are greenlets in this process."""
    return _by_gevent() is not None or _by_eventlet() is not None


def _original(module: str, name: str) -> Any:
    """What stood there before."""
    if (monkey := _by_gevent()) is not None:
        return monkey.get_original(module, name)
    patcher = _by_eventlet()
    return getattr(importlib.import_module(module) if patcher is None else patcher.original(module), name)


@contextlib.contextmanager
def signals_left_to_others() -> Iterator[None]:
    """What starts within never gets a signal that is meant for the process; the caller gets it when the block ends."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    faults = {getattr(signal, name) for name in _OWN_FAULTS if hasattr(signal, name)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)  # may raise what a handler raises
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Thread:
    """A thread of the operating system, which gets no signals. It does not keep the process alive."""

    def __init__(self, target: Callable[[], object], name: str) -> None:
        self._target = target
        self._name = name
        self._plain: threading.Thread | None = None
        self._started = False
        self._ended = False

    def start(self) -> None:
        """Once."""
        self._started = True
        if not patched():
            self._plain = threading.Thread(target=self._target, name=self._name, daemon=True)
            with signals_left_to_others():
                self._plain.start()
            return
        _OURS.get_ident = _original("_thread", "get_ident")
        with signals_left_to_others():
            _original("_thread", "start_new_thread")(self._run, (_original("time", "sleep"),))

    def _run(self, sleep: Callable[[float], None]) -> None:
        ident = _OURS.get_ident()
        _OURS.sleeps[ident] = sleep
        try:
            self._target()
        finally:
            del _OURS.sleeps[ident]
            self._ended = True

    def is_current(self) -> bool:
        """Whether the caller is this thread."""
        return threading.current_thread() is self._plain if self._plain else in_thread_of_ours()

    def is_alive(self) -> bool:
        """It has started, and not ended."""
        return self._plain.is_alive() if self._plain else self._started and not self._ended

    def join(self, timeout_s: float) -> None:
        """Wait for its end, for so long at most; other greenlets run meanwhile."""
        if self._plain is not None:
            self._plain.join(timeout_s)
        elif self._started:
            until(lambda: self._ended, timeout_s)


class _Ours:
    """The threads of ours in a patched process, by the operating system's number, and how each sleeps."""

    def __init__(self) -> None:
        self.get_ident: Callable[[], int] = threading.get_ident
        self.sleeps: dict[int, Callable[[float], None]] = {}


_OURS: Final = _Ours()


def in_thread_of_ours() -> bool:
    """Whether the caller is one of our threads in a patched process."""
    return bool(_OURS.sleeps) and _OURS.get_ident() in _OURS.sleeps


def blocking_read(descriptor: int) -> bytes:
    """What comes next; for a thread of ours, which waits for it inside the operating system."""
    return cast("bytes", _original("os", "read")(descriptor, 65536))


def pause(seconds: float) -> None:
    """Sleep as the caller does: a greenlet lets others run, a thread of ours sleeps."""
    if _OURS.sleeps:
        _OURS.sleeps.get(_OURS.get_ident(), time.sleep)(seconds)
    else:
        time.sleep(seconds)


def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether the condition holds, at the latest after so long; it is asked again and again, other greenlets run."""
    deadline = time.monotonic() + timeout_s
    step_s = 0.001
    while not condition():
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return condition()
        pause(min(step_s, left_s))
        step_s = min(2 * step_s, _LONGEST_STEP_S)
    return True


class Flag:
    """An event that can be set and awaited from threads of ours and from greenlets."""

    def __init__(self) -> None:
        self._set = False
        self._event = None if patched() else threading.Event()

    def set(self) -> None:
        self._set = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout_s: float) -> bool:
        """Whether it is set, at the latest after so long."""
        if self._event is not None:
            return self._event.wait(timeout_s)
        return until(self.is_set, timeout_s)


class _PatientLock(AbstractContextManager[bool]):
    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def __enter__(self) -> bool:
        while not self._lock.acquire(False):
            pause(_LOCK_STEP_S)
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()


def new_lock() -> AbstractContextManager[bool]:
    """A lock between threads of ours and the service's threads or greenlets."""
    return _PatientLock(_original("_thread", "allocate_lock")()) if patched() else threading.Lock()


def new_rlock() -> AbstractContextManager[bool]:
    """The same, for who may hold it already. It does not tell greenlets apart: do not yield while holding it."""
    return _PatientLock(_original("_thread", "RLock")()) if patched() else threading.RLock()


def is_mine(lock: Any) -> bool:
    """Whether the caller holds this lock of `new_rlock` already: it interrupted itself (a signal's handler, the
    collector of garbage)."""
    return bool(lock._is_owned())


def process_lock() -> AbstractContextManager[bool]:
    """A lock like `new_rlock`'s, for the whole process: a fork waits for it, because the child has no thread that would
    release it. Have one: two of them could be asked for in either order by what the collector of garbage ends."""
    lock: Any = new_rlock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.__enter__,
            after_in_parent=lambda: lock.__exit__(None, None, None),
            after_in_child=lock._at_fork_reinit,  # also where nobody told Python before
        )
    return cast("AbstractContextManager[bool]", lock)
