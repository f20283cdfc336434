"""What the system says of a process, by /proc and by `ps` alike."""

import os
import subprocess
import sys
import time

import pytest

from stream_jobs.runtime import system
from stream_jobs.runtime.processes import (
    ProcessId,
    address_bytes,
    private_bytes,
    proportional_bytes,
    resident_bytes,
)

pytestmark = pytest.mark.usefixtures("either_system")
ALLOCATE = "held = bytearray(64 * 1024 * 1024); print('up', flush=True); input()"


def start(code: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_a_process_runs_until_it_ends() -> None:
    """One that has ended and is not yet waited for does not run; nor does another one of the same number."""
    process = start("print('up', flush=True); input()")
    found = ProcessId.of(process.pid)
    assert found is not None
    assert found.runs()
    assert not ProcessId(found.pid, found.began - 1000).runs()
    process.kill()
    deadline = time.monotonic() + 10
    while found.runs():
        assert time.monotonic() < deadline, "a zombie does not run"
    assert ProcessId.of(process.pid) is None
    process.communicate()
    assert ProcessId.of(process.pid) is None
    assert not found.runs()


def test_a_process_is_the_same_at_every_look() -> None:
    """However often and whenever it is asked."""
    found = ProcessId.of(os.getpid())
    assert found is not None
    for _ in range(5):
        time.sleep(0.3)
        assert found.runs()


def test_memory_is_what_the_process_holds() -> None:
    """In bytes; 0 of a process that has gone."""
    process = start(ALLOCATE)
    assert 64 * 2**20 <= resident_bytes(process.pid) < 128 * 2**20
    process.communicate("\n")
    assert resident_bytes(process.pid) == 0


def test_memory_of_its_own_and_its_share_of_what_others_have_too() -> None:
    """What a process has made is its own; it shares at least the interpreter. Address space is told on Linux only."""
    process = start(ALLOCATE)
    resident = resident_bytes(process.pid)
    for own in (private_bytes(process.pid), proportional_bytes(process.pid)):
        assert 64 * 2**20 <= own <= resident + 2**20
    assert address_bytes(process.pid) >= resident if system.LINUX else address_bytes(process.pid) == 0
    process.communicate("\n")
    assert (private_bytes(process.pid), proportional_bytes(process.pid), address_bytes(process.pid)) == (0, 0, 0)
