"""Children that outlived a killed supervisor: waited for, then killed, and never mistaken for somebody else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_jobs.embedded.leftovers import clear, forget, note
from stream_jobs.runtime.processes import ProcessId

pytestmark = pytest.mark.usefixtures("either_system")
OBEDIENT = "print('up', flush=True); import time; time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + OBEDIENT


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def start(processes: list["subprocess.Popen[str]"], code: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    processes.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_what_runs_is_stopped_and_killed_if_it_must_be(
    tmp_path: Path, processes: list["subprocess.Popen[str]"], caplog: pytest.LogCaptureFixture
) -> None:
    """One that obeys ends by SIGTERM, one that does not, or that stands still, by SIGKILL; the notes are gone then."""
    obedient, stubborn, stopped = (start(processes, code) for code in (OBEDIENT, STUBBORN, OBEDIENT))
    stopped.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    for name, process in (("store", obedient), ("worker", stubborn), ("other", stopped)):
        note(tmp_path, name, process.pid)
    assert clear(tmp_path, grace_s=0.5) == ["other", "store", "worker"]
    assert [process.wait(10) for process in (obedient, stubborn, stopped)] == [
        -signal.SIGTERM,
        -signal.SIGKILL,
        -signal.SIGKILL,
    ]
    killed = {name for name in ("store", "worker", "other") if f"the {name} of an earlier instance" in caplog.text}
    assert killed == {"other", "worker"}
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_got_the_number_later_is_left_alone(
    tmp_path: Path, processes: list["subprocess.Popen[str]"]
) -> None:
    """Process ids are used again: the beginning tells a child of ours from whoever has its number now."""
    stranger = start(processes, OBEDIENT)
    process = ProcessId.of(stranger.pid)
    assert process is not None
    (tmp_path / "store").write_text(f"{process.pid} {process.began - 100}\n")
    (tmp_path / "worker").write_text("12")  # cut off by the kill
    assert clear(tmp_path, grace_s=0.1) == []
    assert stranger.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_stopped_is_forgotten(tmp_path: Path, processes: list["subprocess.Popen[str]"]) -> None:
    """And one that is dead but not yet waited for does not count as running."""
    process = start(processes, OBEDIENT)
    note(tmp_path, "store", process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ProcessId.of(process.pid) is None
    assert clear(tmp_path, grace_s=0.1) == []
    note(tmp_path, "store", os.getpid())
    forget(tmp_path, "store")
    forget(tmp_path, "store")
    assert list(tmp_path.iterdir()) == []
