"""A service whose children emit, as a process of its own: python -m tests.unit.producers.children CONFIG_JSON WAY COUNT

Each child emits COUNT events `WAY-<child>-<number>` and ends as its framework ends it, without `close`.
"""

import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
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
)
_producers: list[UsageProducer] = []


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


def main() -> None:
    settings, way, count = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if way != "late-producer":
        work(settings, f"{way}-parent", 1)
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
    elif kind == "executor":
        with ProcessPoolExecutor(CHILDREN, mp_context=context) as executor:
            for future in [executor.submit(work, *job) for job in jobs]:
                future.result()
    else:
        target = {"raises": work_and_raise, "": work_in_grandchild}.get(rest, work)
        children = [context.Process(target=target, args=job) for job in jobs]
        for child in children:
            child.start()
        for child in children:
            child.join()
    os.write(1, b"done")


if __name__ == "__main__":
    main()
