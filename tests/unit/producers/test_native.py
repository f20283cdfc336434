"""Locks between our threads and the service's."""

import subprocess
import sys

FORK_WHILE_HELD = """
import os, signal, sys, threading, time
from spendstream import tracked_call, tracking
from spendstream.tracking import Tracker

class Recorder:
    source = "shop"
    def emit(self, event): return True
    def count_trouble(self, kind, detail): print(kind, detail)
    def count_rejected(self, kind, detail): print(kind, detail)

held, lock = threading.Event(), getattr({module}, "{lock}")
def hold():
    with lock:
        held.set()
        time.sleep(0.3)
threading.Thread(target=hold).start()
held.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(10)  # ends a child that waits for a lock that nobody releases
with Tracker(Recorder(), "openai", "gpt-4o", {{}}, {{}}) as call:
    call.record({{"id": "a", "object": "chat.completion", "usage": {{"prompt_tokens": 1, "completion_tokens": 1}}}})
if pid == 0:
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1])
"""


def test_a_child_finds_our_locks_free() -> None:
    """Whatever a thread of the parent held when it forked; and the parent's are free too."""
    for module, lock in (("tracking", "_OPEN"), ("tracked_call", "_SHARED")):
        program = FORK_WHILE_HELD.format(module=module, lock=lock)
        done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), (module, done.stderr)
