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

BLOCKED_BY_THE_SERVICE = """
import os, signal, sys, time
from spendstream import ProducerConfig, UsageProducer
from tests.unit.producers.support import event

came = []
signal.signal(signal.SIGTERM, lambda *_: came.append("now"))
config = ProducerConfig(bootstrap_servers="127.0.0.1:1", source="shop", spool_dir=sys.argv[1])
with UsageProducer(config) as producer:
    assert producer.emit(event("a"))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
    print(came, signal.sigpending() == {signal.SIGTERM})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    print(came)
"""


def test_what_the_service_blocks_waits_for_the_service(tmp_path: Path) -> None:
    """A thread of ours that took the signal would have its handler run where it must not: billiard's workers, of
    Celery, then leave a lock taken that all wait for."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED_BY_THE_SERVICE, str(tmp_path / "spool")],
        cwd=Path(__file__).parents[3],
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[] True\n['now']\n"), done.stderr


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
