"""Programs that are not ours end with their supervisor, by the kernel's hand or by a shell's."""

import signal
import subprocess
import sys
import time

import pytest

from stream_jobs.runtime import system
from stream_jobs.runtime.orphan import Guard, die_with_parent
from stream_jobs.runtime.processes import ProcessId

PARENT = """
import subprocess, sys, time
from stream_jobs.runtime import system
system.LINUX = sys.argv[1] == "linux"
from stream_jobs.runtime.orphan import Guard, die_with_parent
child = subprocess.Popen(["sleep", "60"], preexec_fn=die_with_parent(), start_new_session=True)
guard = Guard(child.pid)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_dies_with_its_supervisor(either_system: str, number: signal.Signals) -> None:
    """However that ends."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, either_system], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = ProcessId.of(int(parent.stdout.readline()))
    assert child is not None
    parent.send_signal(number)
    parent.communicate()
    deadline = time.monotonic() + 15
    while child.runs():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_released_guard_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is stopped on purpose then, and its number may be somebody else's."""
    monkeypatch.setattr(system, "LINUX", False)
    assert die_with_parent() is None
    child = subprocess.Popen(["sleep", "60"])
    guard = Guard(child.pid)
    for _ in range(2):
        guard.release()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)
    child.kill()
    child.wait()
