"""A service whose children emit, as a process of its own: python -m tests.unit.producers.children CONFIG_JSON WAY COUNT

Each child emits COUNT events `WAY-<child>-<number>` and ends as its framework ends it, without `close`.
"""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from spendstream import ProducerConfig, UsageProducer
from tests.unit.producers.support import event

CHILDREN = 2
WAYS = (
    "process-fork",
    "process-spawn",
    "process-forkserver",
    "process-raises",
    "pool-closed",
    "pool-terminated",
    "pool-terminated-spawn",
    "executor-fork",
    "executor-spawn",
    "grandchild",
    "late-producer",
    "process-thread",
    "process-pooled",
    "process-stuck",
    "process-holding",
    "unsaid-closed",
)
WITHOUT_PARENT = ("late-producer", "process-stuck", "process-thread")
"""Their parent makes no producer."""
_producers: list[UsageProducer] = []
held: list[Any] = []


def producer(settings: dict[str, Any]) -> UsageProducer:
    """The one of this process, or of the one it was forked from."""
    if not _producers:
        _producers.append(UsageProducer(ProducerConfig.model_validate(settings)))
    return _producers[0]


def work(settings: dict[str, Any], prefix: str, count: int) -> None:
    for number in range(count):
        assert producer(settings).emit(event(f"{prefix}-{number}"))


def work_and_raise(settings: dict[str, Any], prefix: str, count: int) -> None:
    work(settings, prefix, count)
    sys.exit(3)


def work_in_grandchild(settings: dict[str, Any], prefix: str, count: int) -> None:
    child = multiprocessing.get_context("fork").Process(target=work, args=(settings, prefix, count))
    child.start()
    child.join()


def work_in_thread(settings: dict[str, Any], prefix: str, count: int) -> None:
    """The first event is emitted in a thread that outlives the target."""

    def later() -> None:
        time.sleep(0.3)
        work(settings, prefix, count)

    threading.Thread(target=later).start()


def work_in_thread_pool(settings: dict[str, Any], prefix: str, count: int) -> None:
    """A pool of threads that nobody shuts down: its idle workers end when Python tells them to."""
    pool = ThreadPoolExecutor(2)
    pool.submit(work_in_thread, settings, prefix, count).result()
    pool.submit(time.sleep, 0.5)


def work_and_hold(settings: dict[str, Any], prefix: str, count: int) -> None:
    """Streams and blocks that globals hold are open when the child ends, one of them since before the fork."""

    def stream(number: int) -> Any:
        with producer(settings).track(provider="openai", model="gpt-4o", event_id=f"{prefix}-{number}") as call:
            return call.wrap_stream(iter([{}, {}]))

    def block(number: int) -> Any:
        with producer(settings).track(provider="openai", model="gpt-4o", event_id=f"{prefix}-{number}"):
            yield

    for number in range(count):
        held.append(stream(number) if number % 2 else block(number))
        next(held[-1])


def work_until_terminated(settings: dict[str, Any], prefix: str, count: int) -> None:
    """The producer is made in a thread of the child, whose main thread waits until it is terminated."""
    thread = threading.Thread(target=work, args=(settings, prefix, count), daemon=True)
    thread.start()
    thread.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def main() -> None:
    settings, way, count = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if way not in WITHOUT_PARENT:
        work(settings, f"{way}-parent", 1)
    if way == "process-holding":
        work_and_hold(settings, f"{way}-parent-held", 2)
    jobs = [(settings, f"{way}-{child}", count) for child in range(CHILDREN)]
    kind, _, rest = way.partition("-")
    method = rest.rpartition("-")[2]
    context: Any = multiprocessing.get_context(method if method in multiprocessing.get_all_start_methods() else "fork")
    if kind == "pool":
        with context.Pool(CHILDREN) as pool:
            pool.starmap(work, jobs, chunksize=1)
            if rest == "closed":
                pool.close()
                pool.join()
    elif kind == "unsaid":  # as RQ's work horses end
        for job in jobs:
            if not (pid := os.fork()):
                work(*job)
                producer(settings).close()
                os._exit(0)
            os.waitpid(pid, 0)
    elif kind == "executor":
        with ProcessPoolExecutor(CHILDREN, mp_context=context) as executor:
            for future in [executor.submit(work, *job) for job in jobs]:
                future.result()
    else:
        targets = {
            "raises": work_and_raise,
            "": work_in_grandchild,
            "thread": work_in_thread,
            "pooled": work_in_thread_pool,
            "stuck": work_until_terminated,
            "holding": work_and_hold,
        }
        target = targets.get(rest, work)
        children = [context.Process(target=target, args=job) for job in jobs]
        for child in children:
            child.start()
        for child in children:
            child.join()
    os.write(1, b"done")


if __name__ == "__main__":
    main()
