"""The embedded store as a process: it starts with a clear word, stops cleanly, and loses nothing to kill -9."""

import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.tables import insert
from tests.store_server import StoreProcess, ledger_rows
from tests.unprivileged import PREFIX

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    store = StoreProcess(tmp_path / "store").wait_ready()
    yield store
    store.kill()


def run_server(*arguments: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-m", "stream_jobs.store.server", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    """Every insert that was answered before kill -9 is there afterwards, once, in ledger and rollups."""
    folder = tmp_path / "store"
    store = StoreProcess.made(folder)
    answered: list[int] = []
    in_flight = threading.Event()

    def produce() -> None:
        with store.connect() as client:
            try:
                for number in range(10_000):
                    insert(client, "ledger", ledger_rows(100, first=100 * number), f"block-{number}")
                    answered.append(number)
                    if number == 10:
                        in_flight.set()
            except StoreUnavailableError:
                in_flight.set()

    thread = threading.Thread(target=produce)
    thread.start()
    assert in_flight.wait(60)
    store.kill()
    thread.join(60)
    again = StoreProcess(folder).wait_ready()
    try:
        with again.connect() as client:
            # The block in flight may be in or not, and may be cut between the tables: its redo settles it.
            for number in (answered[-1], answered[-1] + 1):
                insert(client, "ledger", ledger_rows(100, first=100 * number), f"block-{number}")
            expected = 100 * (answered[-1] + 2)
            for sql in (
                "SELECT count() FROM ledger",
                "SELECT uniqExact(event_id) FROM ledger",
                "SELECT count() FROM booked_ids",
                "SELECT sum(events) FROM cost_1m",
                "SELECT sum(events) FROM cost_1h",
                "SELECT sum(events) FROM cost_1d",
            ):
                assert client.command(sql) == expected, sql
    finally:
        again.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(store: StoreProcess, number: int) -> None:
    """SIGTERM and SIGINT end it with code 0, even while a query runs; the same folder opens again."""
    store.migrated()
    slow = f"{store.url}/?query=SELECT%20sum(sleepEachRow(1))%20FROM%20numbers(1000)%20SETTINGS%20max_block_size=1"
    curl = subprocess.Popen(["curl", "-sS", slow], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with store.connect() as client:
        insert(client, "ledger", ledger_rows(5), "a")
        began = time.monotonic()
        running = "SELECT count() > 1 FROM system.processes WHERE query LIKE '%(sleepEachRow(1))%'"  # and itself
        while client.command(running) != 1:
            assert time.monotonic() - began < 20
            time.sleep(0.02)
    store.process.send_signal(number)
    assert store.process.wait(30) == 0
    curl.communicate(timeout=10)
    again = StoreProcess(store.folder).wait_ready()
    try:
        with again.connect() as client:
            assert client.command("SELECT count() FROM ledger") == 5
    finally:
        assert again.stop() == 0


def test_two_processes_never_open_one_folder(store: StoreProcess) -> None:
    """The second says who holds it. (A stale lock can't exist: the kernel drops it with its process.)"""
    result = run_server("--path", str(store.folder), "--port", "0")
    assert result.returncode == 2
    assert f"already open in another process (pid {store.process.pid})" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """The message names the port and the option to change; nothing is written into the folder."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_server("--path", str(tmp_path / "store"), "--port", str(port))
    assert result.returncode == 2
    assert f"port {port}: Address already in use" in result.stderr
    assert "--clickhouse-port" in result.stderr
    assert not (tmp_path / "store" / "data").exists()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file in the folder's place, and a name the engine can't take, are said in one line."""
    (tmp_path / "file").write_text("")
    odd = tmp_path / "what?"
    for path, message in ((tmp_path / "file", "File exists"), (odd, "cannot use a path with any of")):
        result = run_server("--path", str(path), "--port", "0")
        assert result.returncode == 2
        assert message in result.stderr
        assert "Traceback" not in result.stderr


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    """No permission to write is said before the engine starts."""
    folder = tmp_path / "store"
    folder.mkdir(mode=0o500)
    result = run_server("--path", str(folder), "--port", "0", prefix=PREFIX)
    assert result.returncode == 2
    assert "Permission denied" in result.stderr


def test_it_stops_when_its_supervisor_dies(tmp_path: Path) -> None:
    """kill -9 of the parent leaves no store behind: its end of the pipe on stdin closes."""
    port = free_port()
    folder = tmp_path / "store"
    script = f"""
import subprocess, sys, time
command = [sys.executable, "-m", "stream_jobs.store.server", "--path", {str(folder)!r}, "--port", "{port}"]
store = subprocess.Popen(command, stdin=subprocess.PIPE)
print(store.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    began = time.monotonic()
    while "listening" not in parent.stdout.readline():
        assert time.monotonic() - began < 60
    parent.kill()
    parent.wait()
    parent.stdout.close()
    while _alive(pid):
        assert time.monotonic() - began < 60
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_password_is_for_the_owner_only(store: StoreProcess) -> None:
    """Made once with mode 0600; a file that others can read is refused at the next start."""
    credentials = store.folder / "credentials"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    password = credentials.read_text()
    assert store.stop() == 0
    credentials.chmod(0o644)
    result = run_server("--path", str(store.folder), "--port", "0")
    assert result.returncode == 2
    assert "chmod 600" in result.stderr
    credentials.chmod(0o600)
    again = StoreProcess(store.folder).wait_ready()
    again.kill()
    assert credentials.read_text() == password
