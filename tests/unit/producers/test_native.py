"""Locks between our threads and the service's."""

import subprocess
import sys
from pathlib import Path

import spendstream

FORK_WHILE_HELD = """
import os, signal, sys, threading, time
from spendstream import tracked_call, tracking
from spendstream.tracking import Tracker

class Recorder:
    source = "shop"
    def emit(self, event): return True
    def count_trouble(self, kind, detail): print(kind, detail)
    def count_rejected(self, kind, detail): print(kind, detail)

held, lock = threading.Event(), tracked_call.SHARED
def hold():
    with lock:
        held.set()
        time.sleep(0.3)
threading.Thread(target=hold).start()
held.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(10)  # ends a child that waits for a lock that nobody releases
with Tracker(Recorder(), "openai", "gpt-4o", {}, {}) as call:
    call.record({"id": "a", "object": "chat.completion", "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
if pid == 0:
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1])
"""


def test_a_child_finds_our_locks_free() -> None:
    """Whatever a thread of the parent held when it forked; and the parent's are free too."""
    done = subprocess.run(
        [sys.executable, "-c", FORK_WHILE_HELD], timeout=60, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_there_is_one_lock_for_the_process() -> None:
    """A fork takes it while another thread may hold it; with two, what the collector of garbage ends in the middle
    could ask for them in the other order."""
    sources = Path(spendstream.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if "= process_lock()" in path.read_text()] == ["tracked_call.py"]
