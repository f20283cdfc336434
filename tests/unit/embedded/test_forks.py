"""Processes that a server forks: what they run, how they end, and what becomes of them when it does."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from stream_jobs.embedded.child import Process
from stream_jobs.embedded.forks import LOST, Forks, Request
from stream_jobs.runtime import system
from stream_jobs.runtime.processes import ProcessId, private_bytes
from stream_jobs.runtime.retry import wait_until

pytestmark = [
    pytest.mark.xdist_group("test_forks"),
    pytest.mark.skipif(not system.LINUX, reason="there only are programs: other systems do not fork"),
]
READS: list[str] = ["price", "-"]
"""A command that waits for its standard input."""


class Forking:
    """A server, and what was forked of it."""

    def __init__(self, folder: Path) -> None:
        self.forks = Forks(folder, folder)
        self.forks.start()
        self.server = ProcessId.of(int((folder / "worker-server").read_text("ascii").split()[0]))
        self.folder = folder

        self.inputs: list[IO[bytes]] = []

    def run(self, *arguments: str, name: str = "one", **environment: str) -> Process:
        with (self.folder / name).open("ab") as out:
            process = self.forks.fork(name, arguments, {"PATH": os.defpath, **environment}, out)
        assert process is not None
        assert process.stdin is not None
        self.inputs.append(process.stdin)
        return process

    def stop(self) -> None:
        self.forks.stop()
        for one in self.inputs:  # of a test that failed before it closed its own
            one.close()

    def said(self, name: str = "one") -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    forking = Forking(tmp_path_factory.mktemp("forks"))
    yield forking
    forking.stop()
    assert forking.server is not None
    assert not forking.server.runs()


def close(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()


def open_files(process: Process) -> list[str]:
    """What a process has open; a file that it closes while they are read is open no more."""
    found = []
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    return found


def test_it_runs_a_command_and_tells_how_it_ended(forking: Forking) -> None:
    done = forking.run("--version", name="version")
    assert done.wait(30) == 0
    assert forking.said("version").startswith("spendstream ")
    close(done)
    refused = forking.run("worker", "nonsense", name="refused")
    assert refused.wait(30) == 2
    assert "invalid choice: 'nonsense'" in forking.said("refused")
    close(refused)


def test_its_input_environment_and_name_are_its_own(forking: Forking) -> None:
    process = forking.run(*READS, name="own", SPENDSTREAM_ORIGIN_KEYS="secret")
    assert process.stdin is not None
    assert process.poll() is None
    assert wait_until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "own\n", 10)
    assert os.getsid(process.pid) == process.pid
    assert not [one for one in open_files(process) if one.startswith("socket:")], "the supervisor is the server's only"
    process.stdin.write(b"nothing\n")
    close(process)
    assert process.wait(30) == 0
    assert "not_json" in forking.said("own")


def test_what_was_loaded_is_shared(forking: Forking) -> None:
    process = forking.run(*READS, name="shares")
    assert private_bytes(process.pid) < 40 * 2**20
    close(process)
    assert process.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_signal_ends_it(forking: Forking, number: int) -> None:
    process = forking.run(*READS, name="signalled")
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "S", 10)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.send_signal(number)
    assert process.wait(30) == (130 if number == signal.SIGINT else -number)
    process.kill()  # nobody is there any more
    close(process)


def test_several_run_side_by_side_and_each_ends_as_it_does(forking: Forking) -> None:
    running = [forking.run(*READS, name=f"many{number}") for number in range(6)]
    for process in running[::2]:
        process.kill()
    for process in running[1::2]:
        close(process)
    assert [process.wait(30) for process in running] == [-9, 0] * 3
    for process in running[::2]:
        close(process)


def test_what_is_too_long_to_ask_for_is_left_to_programs(forking: Forking) -> None:
    with (forking.folder / "long").open("ab") as out:
        assert forking.forks.fork("long", READS, {"PATH": "x" * Request.BYTES}, out) is None
    after = forking.run("--version", name="after")
    assert after.wait(30) == 0
    close(after)


def test_a_server_that_died_leaves_its_processes_running(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are ended as before, no more are forked, and it is said."""
    forking = Forking(tmp_path)
    process = forking.run(*READS)
    assert forking.server is not None
    os.kill(forking.server.pid, signal.SIGKILL)
    assert wait_until(lambda: forking.server is not None and not forking.server.runs(), 10)
    assert process.poll() is None
    with (tmp_path / "two").open("ab") as out:
        assert forking.forks.fork("two", READS, {}, out) is None
    assert "nothing forks them" in caplog.text
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == LOST
    close(process)
    forking.forks.stop()


def test_one_that_does_not_start_is_told_of_with_what_it_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "faust.py").write_text("raise ImportError('no such thing here')\n", encoding="utf-8")
    forks = Forks(tmp_path, tmp_path)
    forks.start()
    with (tmp_path / "one").open("ab") as out:
        assert forks.fork("one", READS, {}, out) is None
    assert "no such thing here" in caplog.text
    forks.stop()


def test_with_more_than_one_thread_it_does_not_fork(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that the other thread held would stay locked for ever."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
        encoding="utf-8",
    )
    forks = Forks(tmp_path, tmp_path)
    forks.start()
    with (tmp_path / "one").open("ab") as out:
        assert forks.fork("one", READS, {}, out) is None
    assert "it has 2 threads" in caplog.text
    forks.stop()


def test_other_systems_start_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "LINUX", False)
    forks = Forks(tmp_path, tmp_path)
    forks.start()
    with (tmp_path / "one").open("ab") as out:
        assert forks.fork("one", READS, {}, out) is None
    forks.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]
