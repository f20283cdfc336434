"""Tasks in processes of their own: each has one answer, whatever it does, and no process is left."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.runtime import system
from stream_jobs.runtime.forked.model import MIB, Done, Limits, PoolError
from stream_jobs.runtime.forked.pool import Pool
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.retry import wait_until
from tests.unit.runtime.forked import tasks

pytestmark = pytest.mark.slow


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(tasks.load, Limits(workers=2, task_s=2, memory_bytes=64 * MIB)) as pool:
        yield pool


def processes(pool: Pool) -> list[ProcessId]:
    found = [ProcessId.of(pid) for pid in pool.pids()]
    return [process for process in found if process is not None]


def ended(running: list[ProcessId], timeout_s: float = 15) -> bool:
    return wait_until(lambda: not any(process.runs() for process in running), timeout_s)


def test_each_task_has_one_answer(pool: Pool) -> None:
    """With its name, in whatever order they get ready; the time that it took beside it."""
    done = list(pool.run(tasks.double, [(f"twice {number}", number) for number in range(20)]))
    assert sorted((one.name, one.result) for one in done) == sorted((f"twice {n}", 2 * n) for n in range(20))
    assert {one.failed for one in done} == {""}
    assert all(0 <= one.took_s < 2 for one in done)
    assert len(pool.pids()) == 3


def test_what_is_loaded_is_loaded_once_by_the_process_that_forks(pool: Pool) -> None:
    """Not by the process that has the pool, nor by each worker."""
    for one in pool.run(tasks.who_loaded, [("a", None), ("b", None), ("c", None)]):
        assert one.result is not None
        loader, parent = one.result
        assert loader == parent == pool.pids()[0]
    assert tasks.loaded == []


def test_functions_with_arguments_are_tasks_too() -> None:
    """`functools.partial`, to load by settings for example."""
    with Pool(partial(tasks.load), Limits(workers=1)) as pool:
        assert [one.result for one in pool.run(partial(tasks.sleep_then), [("a", (0.0, "slept"))])] == ["slept"]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("raise", "ValueError: no such thing"),
        ("exit", "SystemExit: 3"),
        ("hang", "it took longer than 2 s and was killed"),
        ("native", "it took longer than 2 s and was killed"),
        ("die", "its process died"),
        ("memory", "it needs more than 64 MiB"),
        ("unpicklable", "TypeError: cannot pickle '_thread.lock' object"),
    ],
)
def test_a_task_that_goes_wrong_is_named_and_the_others_are_done(
    pool: Pool, what: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In the answer and in the log."""
    todo = [("one", "fine"), (what, what), *((f"more {number}", "fine") for number in range(6))]
    with caplog.at_level(logging.WARNING):
        done = {one.name: one for one in pool.run(tasks.do, todo)}
    assert done.keys() == {name for name, _ in todo}
    assert (done[what].result, done[what].failed) == (None, why)
    assert {one.failed for one in done.values() if one.name != what} == {""}
    assert f"{what} failed: {why}" in caplog.text


def test_workers_killed_by_somebody_else_are_replaced(pool: Pool) -> None:
    """While they have nothing to do: the next tasks notice nothing."""
    assert len(list(pool.run(tasks.do, [("a", "fine"), ("b", "fine"), ("c", "fine")]))) == 3
    workers = processes(pool)[1:]
    for worker in workers:
        os.kill(worker.pid, 9)
    assert ended(workers)
    assert {one.failed for one in pool.run(tasks.do, [("d", "fine"), ("e", "fine")])} == {""}


def test_a_server_killed_by_somebody_else_is_started_once_more(pool: Pool) -> None:
    """Its workers die with it."""
    assert len(list(pool.run(tasks.do, [("a", "fine")]))) == 1
    running = processes(pool)
    os.kill(running[0].pid, 9)
    assert ended(running if system.LINUX else running[:1])
    assert {one.failed for one in pool.run(tasks.do, [("b", "fine"), ("c", "fine"), ("d", "fine")])} == {""}


def test_a_server_that_ends_again_and_again_ends_the_run(pool: Pool) -> None:
    """Rather than starting it for ever. What was answered until then stays answered."""
    answers = pool.run(tasks.do, [("a", "fine"), *((f"kill {n}", "kill the server") for n in range(9))])
    done: list[Done[Any]] = []
    with pytest.raises(PoolError, match="again and again"):
        done.extend(answers)
    assert pool.pids() == []
    assert [one.failed for one in pool.run(tasks.do, [("b", "fine")])] == [""]


def test_a_worker_that_keeps_memory_is_replaced(pool: Pool) -> None:
    """After its task, which is done."""
    first, second = (one.result for one in pool.run(tasks.hold, [("a", 40), ("b", 1)]))
    assert first != second
    [again] = [one.result for one in pool.run(tasks.hold, [("c", 1)])]
    assert again in (first, second), "who keeps little stays"
    assert len(pool.pids()) == 2


def test_behind_the_deadline_nothing_is_begun_and_what_is_under_way_is_killed(pool: Pool) -> None:
    """Each task has its answer all the same."""
    began_s = time.monotonic()
    todo = [("fine", "fine"), ("hang", "hang"), ("native", "native"), *((f"late {n}", "fine") for n in range(50))]
    done = {one.name: one.failed for one in pool.run(tasks.do, todo, deadline_s=1)}
    assert time.monotonic() - began_s < 10
    late = "the run's deadline has passed"
    assert done == {name: "" if name == "fine" else late for name, _ in todo}


def test_a_run_that_is_told_to_stop_ends_at_once(pool: Pool) -> None:
    """As behind its deadline: nobody waits for a task that hangs. What was cut short by that says so, no other does."""
    began_s = time.monotonic()
    todo = [("raises", "raise"), ("hang", "hang"), ("native", "native"), ("late", "fine")]
    run = pool.run(tasks.do, todo, is_stopped=lambda: time.monotonic() > began_s + 0.5)
    done = {one.name: (one.failed, one.cut_short) for one in run}
    assert time.monotonic() - began_s < 10
    stopped = "it was told to stop", True
    assert done.pop("raises")[1] is False
    assert done == {"hang": stopped, "native": stopped, "late": stopped}


def test_who_stops_iterating_cancels_the_rest(pool: Pool) -> None:
    """And can run others at once."""
    answers = pool.run(tasks.do, [("a", "fine"), ("b", "hang"), ("c", "fine"), ("d", "hang")])
    assert next(answers).name == "a"
    running = processes(pool)
    answers.close()  # type: ignore[attr-defined] # a generator
    assert len(pool.pids()) < len(running)
    assert [one.failed for one in pool.run(tasks.do, [("e", "fine")])] == [""]


def test_one_run_at_a_time(pool: Pool) -> None:
    """Whoever stopped amid one closes it first."""
    answers = pool.run(tasks.do, [("a", "fine"), ("b", "hang"), ("c", "fine")])
    next(answers)
    with pytest.raises(RuntimeError, match="one run at a time"):
        next(pool.run(tasks.do, [("d", "fine")]))
    answers.close()  # type: ignore[attr-defined] # a generator


def test_tasks_are_taken_when_there_is_a_worker_for_them(pool: Pool) -> None:
    """Thousands of histories need not be in memory at once."""
    taken = []

    def todo() -> Iterator[tuple[str, int]]:
        for number in range(10):
            taken.append(number)
            yield str(number), number

    next(pool.run(tasks.double, todo()))
    assert len(taken) <= 3


def test_any_thread_may_run_it(pool: Pool) -> None:
    """Also one that began after the pool, and ends before it: the server stays."""
    found: list[Done[int]] = []
    for number in range(2):
        thread = threading.Thread(target=lambda n=number: found.extend(pool.run(tasks.double, [("a", n)])))
        thread.start()
        thread.join()
    assert [one.result for one in found] == [0, 2]
    assert processes(pool)[0].runs()


def test_what_cannot_be_loaded_is_told() -> None:
    """With the reason; nothing is left running."""
    pool = Pool(tasks.cannot_load)
    with pytest.raises(PoolError, match="ModuleNotFoundError: No module named 'prophet'"):
        list(pool.run(tasks.double, [("a", 1)]))
    assert pool.pids() == []


def test_loading_has_an_end() -> None:
    """Whoever waits for it is told."""
    pool = Pool(tasks.loads_for_ever, Limits(start_s=0.5))
    with pytest.raises(PoolError, match=r"not loaded what it needs within 0\.5 s"):
        pool.start()
    assert pool.pids() == []


@pytest.mark.parametrize("limits", [{"workers": 0}, {"task_s": 0}, {"memory_bytes": MIB}, {"nice": 20}])
def test_limits_within_which_nothing_works_are_refused(limits: dict[str, Any]) -> None:
    """Before anything is started."""
    with pytest.raises(ValueError, match="no pool works within"):
        Limits(**limits)


def test_a_closed_pool_leaves_nothing_and_can_be_used_again(pool: Pool, tmp_path: Path) -> None:
    """No process, no file."""
    notes = tmp_path / "notes"
    answers = list(pool.run(tasks.start_and_hang, [("a", str(notes))]))
    assert [one.failed for one in answers] == ["it took longer than 2 s and was killed"]
    _, server, child, file = notes.read_text(encoding="utf-8").split()
    if system.LINUX:  # no zombie is left of it either
        assert wait_until(lambda: not Path(f"/proc/{child}").exists(), 15), "a task's own program is killed with it"
    assert ProcessId.of(int(child)) is None
    running = processes(pool)
    assert [process.pid for process in running] == [int(server)]
    for _ in range(2):
        pool.close()
    assert ended(running)
    assert not Path(file).parent.exists()
    assert [one.result for one in pool.run(tasks.double, [("a", 2)])] == [4]


QUIET = """
from stream_jobs.runtime.forked.pool import Pool
from tests.unit.runtime.forked import tasks
with Pool(tasks.load) as pool:
    assert [one.failed for one in pool.run(tasks.do, [("a", "speak")])] == [""]
"""


def test_native_code_reaches_no_terminal() -> None:
    """What a task writes to stdout and stderr is dropped."""
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


MORTAL = """
import sys, time
from stream_jobs.runtime import system
system.LINUX = sys.argv[1] == "linux"
from stream_jobs.runtime.forked.pool import Pool
from stream_jobs.runtime.forked.model import Limits
from tests.unit.runtime.forked import tasks
pool = Pool(tasks.load, Limits(workers=2, task_s=600))
answers = pool.run(tasks.start_and_hang, [("a", sys.argv[2]), ("b", sys.argv[3])])
next(answers)
"""


@pytest.mark.parametrize("number", [9, 15])
def test_all_processes_and_files_go_when_ours_is_killed(either_system: str, number: int, tmp_path: Path) -> None:
    """Amid two tasks, each with a program of its own: the server, the workers, the programs and the guard."""
    notes = [tmp_path / "one", tmp_path / "two"]
    ours = subprocess.Popen([sys.executable, "-c", MORTAL, either_system, *map(str, notes)])
    try:
        assert wait_until(lambda: all(note.exists() and note.read_text("utf-8").count(" ") == 3 for note in notes), 60)
        parts = [note.read_text(encoding="utf-8").split() for note in notes]
        found = [ProcessId.of(int(pid)) for *pids, _ in parts for pid in pids]
        running = [process for process in found if process is not None]
        assert len({process.pid for process in running}) == 5
    finally:
        os.kill(ours.pid, number)
        ours.wait()
    assert ended(running)
    assert wait_until(lambda: not Path(parts[0][-1]).parent.exists(), 15)


IN_LOADING = """
from stream_jobs.runtime.forked.pool import Pool
from tests.unit.runtime.forked import tasks
pool = Pool(tasks.loads_for_ever)
import threading; threading.Thread(target=pool.start, daemon=True).start()
import time
while not pool.pids(): time.sleep(0.01)
print(pool.pids()[0], flush=True)
time.sleep(600)
"""


def test_a_server_that_still_loads_goes_too() -> None:
    """It does not look at any pipe yet."""
    ours = subprocess.Popen([sys.executable, "-c", IN_LOADING], stdout=subprocess.PIPE, text=True)
    assert ours.stdout is not None
    server = ProcessId.of(int(ours.stdout.readline()))
    assert server is not None
    ours.kill()
    ours.communicate()
    assert ended([server])
