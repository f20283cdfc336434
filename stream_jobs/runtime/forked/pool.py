"""Tasks in processes of their own: as many at once, as long and with as much memory as they may."""

import contextlib
import logging
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Final, TypeVar

from stream_jobs.runtime.forked.guard import Guard
from stream_jobs.runtime.forked.model import Done, Limits, PoolError, Terms
from stream_jobs.runtime.forked.starting import Server, Worker

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
_LATE: Final = "the run's deadline has passed"
_ENDS: Final = "the pool's server ends again and again"
_STOPPED: Final = "it was told to stop"
_GONE: Final = (EOFError, OSError)
_LOOK_S: Final = 0.5
"""So often a run that waits looks whether it is to stop."""


@dataclass(slots=True)
class _Busy:
    worker: Worker
    task: str
    began_s: float


@dataclass(frozen=True, slots=True)
class _Ends:
    """Of a run."""

    at_s: float
    is_stopped: Callable[[], bool]

    def why_now(self) -> str:
        """Empty: it goes on."""
        if time.monotonic() >= self.at_s:
            return _LATE
        return _STOPPED if self.is_stopped() else ""


class Pool:
    """A server that has called `load`, and workers that are forked from it.

        with Pool(load_members, Limits(workers=2, task_s=20)) as pool:
            for done in pool.run(fit, [("team=search by prophet", task), ...], deadline_s=100):
                ...  # done.name, done.result, done.failed

    `load` and the function of a task are found by their names, at the top of a module; arguments and results are
    pickled. For one thread at a time, which may be any. It starts with the first run, takes seconds for that, and keeps
    its processes until it is closed. All of them end with this process, however that ends.
    """

    def __init__(self, load: Callable[[], None] | None = None, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._terms = Terms(load, self.limits.memory_bytes, self.limits.nice)
        self._guard: Guard | None = None
        self._server: Server | None = None
        self._idle: list[Worker] = []
        self._busy: dict[Connection, _Busy] = {}

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Load now what would be loaded with the first run. Raises PoolError. Safe to call twice."""
        if self._server is not None:
            return
        self._guard = self._guard or Guard()
        self._server = Server(self._terms, self._guard.folder, self.limits.start_s)
        self._tell_guard()
        try:
            self._server.wait_ready()
        except BaseException:
            self.close()
            raise

    def pids(self) -> list[int]:
        """Of the server and its workers, as far as they are known to run."""
        server = [self._server.pid] if self._server else []
        return server + [worker.pid for worker in self._workers()]

    def run(
        self,
        function: Callable[[T], R],
        tasks: Iterable[tuple[str, T]],
        deadline_s: float | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Done[R]]:
        """One answer for each of the named tasks, as they get ready. Tasks are taken from the iterable when there is a
        worker for them. Once `deadline_s` seconds have passed, what is under way is killed and the others are not
        begun; the same once `is_stopped` says so. Whoever stops iterating cancels the rest. Raises PoolError when there
        can be no worker."""
        if self._busy:
            raise RuntimeError("one run at a time")
        ends = _Ends(time.monotonic() + deadline_s if deadline_s is not None else float("inf"), is_stopped)
        waiting = iter(tasks)
        restarted = False
        try:
            self.start()
            for name, argument in waiting:
                if over := ends.why_now():
                    yield Done(name, None, over, 0.0, cut_short=True)
                    continue
                task = pickle.dumps((function, argument))
                if not self._begin(name, task):
                    yield from self._all_failed("the pool's server has ended")
                    self._start_again(restarted)
                    restarted = True
                    if not self._begin(name, task):
                        raise PoolError(_ENDS)
                while len(self._busy) >= self.limits.workers:
                    yield from self._finished(ends)
            while self._busy:
                yield from self._finished(ends)
        finally:
            for busy in self._busy.values():
                busy.worker.kill()
            self._busy.clear()
            self._tell_guard()

    def close(self) -> None:
        """End all processes. Safe to call twice; a later run starts them again."""
        for worker in self._workers():
            worker.kill()
        self._idle.clear()
        self._busy.clear()
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.watch([])
            guard.close()

    def _start_again(self, restarted: bool) -> None:
        self.close()
        if restarted:
            raise PoolError(_ENDS)
        log.warning("the pool's server has ended; it is started once more")
        self.start()

    def _begin(self, name: str, task: bytes) -> bool:
        """False where no worker can be had: the server has ended."""
        while self._idle:
            worker = self._idle.pop()
            with contextlib.suppress(*_GONE):
                worker.connection.send_bytes(task)
                self._busy[worker.connection] = _Busy(worker, name, time.monotonic())
                return True
            worker.kill()  # somebody has killed it while it had nothing to do
        assert self._server is not None
        try:
            worker = self._server.fork()
        except OSError:
            return False
        self._busy[worker.connection] = _Busy(worker, name, time.monotonic())
        self._tell_guard()
        with contextlib.suppress(*_GONE):  # it dies at once: that is the task's answer, which its pipe tells
            worker.connection.send_bytes(task)
        return True

    def _finished(self, ends: "_Ends") -> Iterator[Done[Any]]:
        """Those that are ready or late, once there is one; none where it is time to look again."""
        first_s = min(min(busy.began_s for busy in self._busy.values()) + self.limits.task_s, ends.at_s)
        for ready in wait(list(self._busy), max(0.0, min(first_s - time.monotonic(), _LOOK_S))):
            assert isinstance(ready, Connection)
            yield self._answer(self._busy.pop(ready))
        over, now_s = ends.why_now(), time.monotonic()
        for connection, busy in list(self._busy.items()):
            if over or now_s - busy.began_s >= self.limits.task_s:
                del self._busy[connection]
                why = over or f"it took longer than {self.limits.task_s:g} s and was killed"
                yield self._lost(busy, why, cut_short=bool(over))

    def _answer(self, busy: _Busy) -> Done[Any]:
        took_s = time.monotonic() - busy.began_s
        try:
            result, failed, replace = pickle.loads(busy.worker.connection.recv_bytes())  # noqa: S301 - of a fork of ours
        except _GONE:
            return self._lost(busy, "its process died")
        if replace:
            busy.worker.kill()
            self._tell_guard()
        else:
            self._idle.append(busy.worker)
        if failed:
            log.warning("%s failed: %s", busy.task, failed)
            return Done(busy.task, None, failed, took_s)
        return Done(busy.task, pickle.loads(result), "", took_s)  # noqa: S301 - likewise

    def _lost(self, busy: _Busy, why: str, *, cut_short: bool = False) -> Done[Any]:
        """A task whose worker is gone, or goes now."""
        took_s = time.monotonic() - busy.began_s
        busy.worker.kill()
        self._tell_guard()
        log.warning("%s failed: %s", busy.task, why)
        return Done(busy.task, None, why, took_s, cut_short)

    def _all_failed(self, why: str) -> Iterator[Done[Any]]:
        while self._busy:
            _, busy = self._busy.popitem()
            yield self._lost(busy, why)

    def _workers(self) -> list[Worker]:
        return [*self._idle, *(busy.worker for busy in self._busy.values())]

    def _tell_guard(self) -> None:
        if self._guard is not None:
            self._guard.watch(self.pids())
