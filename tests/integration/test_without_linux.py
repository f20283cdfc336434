"""The whole pipeline with Linux's own ways switched off in all its processes (`without_linux/sitecustomize.py`).

macOS itself does not run here: this shows that the other ways work, and mypy for darwin that no name is missing there.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.embedded.instance import INSTANCE_FILE
from stream_jobs.embedded.workers import PROCESSES
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.system import OPEN_FILES
from tests.benchmarks.soak import process_tree
from tests.integration.pipeline import Pipeline, until, usage_event

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SWITCHED_OFF = ROOT / "tests" / "without_linux"
OPEN_FILES_OF_A_MAC = 256


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path / "data")
    home = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    pipeline.environment = {**pipeline.environment, **home, "PYTHONPATH": str(SWITCHED_OFF)}
    start(pipeline)
    yield pipeline
    if not pipeline.exited():
        pipeline.stop()


def start(pipeline: Pipeline) -> None:
    """From a shell that allows as few open files as one on macOS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES_OF_A_MAC, hard))
    try:
        pipeline.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wait_booked(pipeline: Pipeline, events: int) -> None:
    """By the command: this process's own way of telling whether an instance runs is that of Linux."""
    query = ("query", "--json", "SELECT count() AS n, sum(effective_cost) AS usd FROM ledger", "--data-dir")
    wanted = f'{{"n":{events},"usd":"{2.5 * events:g}"}}'
    until(lambda: pipeline.run(*query, str(pipeline.data_dir)).stdout.strip() == wanted, 60, f"{events} events booked")


def emit(pipeline: Pipeline, *names: str) -> None:
    lines = "\n".join(json.dumps(usage_event(name)) for name in names)
    pipeline.run("emit", "--data-dir", str(pipeline.data_dir), "--wait", stdin=lines, check=True)


def tree(pipeline: Pipeline) -> list[ProcessId]:
    return [process for pid in process_tree(pipeline.pid) if (process := ProcessId.of(pid)) is not None]


def test_it_books_answers_survives_a_kill_and_leaves_nothing(pipeline: Pipeline) -> None:
    """Start, book, ask, kill -9, start again at once, book, stop: as on Linux, but for the walls around the store."""
    status: dict[str, Any] = pipeline.status()
    assert status["ready"] is True
    assert status["store_confined"] is False, "there are none to build, and it says so"
    emit(pipeline, *(f"before-{number}" for number in range(20)))
    wait_booked(pipeline, 20)
    running = tree(pipeline)
    assert len(running) == 4 + len(PROCESSES), "supervisor, store, broker, its guard, and the workers"
    for process in running:
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        allowed = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files"))
        assert int(allowed) >= min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    metrics = subprocess.run(["curl", "-sf", f"{status['http']}/metrics"], capture_output=True, text=True, check=True)
    held = [line for line in metrics.stdout.splitlines() if line.startswith("spendstream_embedded_broker_bytes")]
    assert max(float(line.split()[-1]) for line in held) > 2**20, "the bound on the broker's memory is watched"

    pipeline.kill()
    start(pipeline)
    assert not any(process.runs() for process in running), "the next start waits for what is left"
    emit(pipeline, "after")
    wait_booked(pipeline, 21)
    running = tree(pipeline)
    pipeline.kill()
    until(lambda: not any(process.runs() for process in running), 30, "nothing outlives a kill, started again or not")

    start(pipeline)
    running = tree(pipeline)
    pipeline.stop()
    assert not any(process.runs() for process in running)
    assert list((pipeline.data_dir / "store" / "rows").iterdir()) == [], "rows wait in files that are gone after"
    assert not (pipeline.data_dir / INSTANCE_FILE).exists()


def test_another_one_gets_other_ports_and_is_asked_about(pipeline: Pipeline, tmp_path: Path) -> None:
    """Locks, `ps` and `lsof` tell what sockets and /proc tell on Linux."""
    port = pipeline.status()["kafka"].rpartition(":")[2]
    refused = pipeline.run("up", "--data-dir", str(tmp_path / "other"), "--kafka-port", port)
    assert refused.returncode == 2
    assert f"is taken by the spendstream on {pipeline.data_dir} (process {pipeline.pid})" in " ".join(
        refused.stderr.split()
    )
    assert pipeline.run("status").returncode == 0, "the only one that runs is found"


def test_no_name_is_used_that_only_linux_has(tmp_path: Path) -> None:
    """The type checker knows which attributes of the standard library macOS lacks."""
    packages = ("spendstream", "spendstream_schemas", "spendstream_traffic", "stream_jobs")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", "darwin", "--cache-dir", str(tmp_path)]
        + [option for package in packages for option in ("--package", package)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
