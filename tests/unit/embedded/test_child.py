"""Child processes: started with a log, stopped, and never left alone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream_jobs.embedded.child import Child, ChildError

OBEDIENT = "from stream_jobs.runtime.orphan import stop_with_parent; stop_with_parent(); print('up', flush=True);"
SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True);" + SLEEP
PARENT = """
import sys, time
from pathlib import Path
from stream_jobs.embedded.child import Child
child = Child("child", ["-c", sys.argv[2]], Path(sys.argv[1]), {})
child.start()
child.wait_ready(lambda: child.log_tail() == "up", 30)
print(child.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_child_stops_when_its_parent_is_killed(tmp_path: Path) -> None:
    """kill -9 of the supervisor closes the pipe it held; nothing is left running."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), OBEDIENT + SLEEP], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not gone(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 15
    while not gone(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_that_exits_at_once_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    """The reason is in the message, not only in a file."""
    child = Child("store", ["-c", "import sys; sys.exit('no such path')"], tmp_path, {})
    child.start()
    with pytest.raises(ChildError, match=r"store exited with code 1:\nno such path"):
        child.wait_ready(lambda: False, 30)
    child.stop()


def test_a_child_that_is_not_ready_in_time_is_reported(tmp_path: Path) -> None:
    """It runs, but does not answer."""
    child = Child("store", ["-c", SLEEP], tmp_path, {})
    child.start()
    with pytest.raises(ChildError, match="not ready after 0 s"):
        child.wait_ready(lambda: False, 0.1)
    child.stop()
    assert child.exit_code() is None


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the timeout; and stopping twice is fine."""
    child = Child("child", ["-c", STUBBORN], tmp_path, {})
    child.start()
    child.wait_ready(lambda: child.log_tail() == "up", 30)
    pid = child.pid
    assert pid is not None
    child.stop(timeout_s=0.1)
    child.stop()
    assert gone(pid)


def test_a_child_can_be_started_again(tmp_path: Path) -> None:
    """With the same arguments, after it died or was stopped."""
    child = Child("child", ["-c", "print('once')"], tmp_path, {})
    for _ in range(2):
        child.start()
        while child.exit_code() is None:
            time.sleep(0.01)
        child.stop()
    assert child.log_tail() == "once\nonce"


def test_addresses_in_the_operators_shell_do_not_reach_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell set up for the cluster must not send the embedded worker there."""
    monkeypatch.setenv("SPENDSTREAM_KAFKA_SASL_USERNAME", "cluster")
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_URL", "http://cluster:8123")
    code = "import os; print(sorted(n for n in os.environ if n.startswith('SPENDSTREAM_')), os.environ['MINE'])"
    child = Child("child", ["-c", code], tmp_path, {"MINE": "1", "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "here"})
    child.start()
    while child.exit_code() is None:
        time.sleep(0.01)
    child.stop()
    assert child.log_tail() == "['SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS'] 1"


def test_keys_reach_only_the_children_that_are_given_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store answers whoever asks: what does not need a key does not have it in its environment."""
    for name in ("SPENDSTREAM_ORIGIN_KEYS", "SPENDSTREAM_ORIGIN_KEYS_FILE", "SPENDSTREAM_SIGNING_KEY", "OTHER"):
        monkeypatch.setenv(name, "value")
    code = "import os; print(sorted(n for n in os.environ if n.startswith(('SPENDSTREAM_', 'OTHER'))), flush=True);"
    for given, expected in (
        ({}, "['OTHER']"),
        ({"SPENDSTREAM_ORIGIN_KEYS": "v"}, "['OTHER', 'SPENDSTREAM_ORIGIN_KEYS']"),
    ):
        log_dir = tmp_path / str(len(given))
        log_dir.mkdir()
        child = Child("child", ["-c", code + OBEDIENT + SLEEP], log_dir, given)
        child.start()
        try:
            child.wait_ready(lambda child=child: child.log_tail().endswith("up"), 30)  # type: ignore[misc]
            assert expected in child.log_tail()
        finally:
            child.stop()


TWICE = """
import signal, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print('up', flush=True)
while not asked:
    time.sleep(0.01)
time.sleep(0.5)
print(f'asked {len(asked)} times', flush=True)
"""


def test_a_child_that_was_asked_to_stop_is_asked_no_second_time(tmp_path: Path) -> None:
    """While it finishes; and one that starts again can be asked again."""
    child = Child("child", ["-c", TWICE], tmp_path, {})
    for _ in range(2):
        child.start()
        child.wait_ready(lambda: child.log_tail().endswith("up"), 30)
        child.ask_to_stop()
        child.ask_to_stop()
        child.stop()
        assert child.log_tail().endswith("asked 1 times")
