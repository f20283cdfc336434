"""The data folder: made, checked, held by one process."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.datadir import MIN_FREE_BYTES, DataDir, write_whole
from tests import unprivileged

HOLDER = """
import sys, time
from pathlib import Path
from stream_jobs.embedded.datadir import DataDir
folder = DataDir(Path(sys.argv[1]))
folder.open()
print("open", flush=True)
time.sleep(60)
"""


def test_it_is_made_and_can_be_opened_again(tmp_path: Path) -> None:
    """Folders for the store, the logs and the broker; closing gives the lock back."""
    for _ in range(2):
        folder = DataDir(tmp_path / "a" / "b")
        folder.open()
        assert all(path.is_dir() for path in (folder.store, folder.logs, folder.broker))
        folder.close()
        folder.close()


def test_a_second_instance_is_refused_with_the_firsts_pid_until_that_is_killed(tmp_path: Path) -> None:
    """The message names the process; after kill -9 the lock is stale and the folder opens without a hand."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(ConfigError, match=rf"process {holder.pid}\) uses .*--data-dir"):
            DataDir(tmp_path).open()
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    folder = DataDir(tmp_path)
    folder.open()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    folder.close()


def test_a_folder_that_may_not_be_written_says_what_to_do(tmp_path: Path) -> None:
    """No permission."""
    tmp_path.chmod(0o500)
    done = unprivileged.python(
        "from pathlib import Path; from stream_jobs.embedded.datadir import DataDir; "
        f"DataDir(Path({str(tmp_path / 'data')!r})).open()"
    )
    assert re.search(r"ConfigError: no permission to write .*--data-dir", done.stderr)


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_file_in_its_place_says_what_to_do(tmp_path: Path, inside: str) -> None:
    """The path, or one above it, is a file."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="is not a folder; choose another with --data-dir"):
        DataDir(tmp_path / "file" / inside).open()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(("free", "refused"), [(MIN_FREE_BYTES, False), (MIN_FREE_BYTES - 1, True)])
def test_a_full_disk_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, refused: bool
) -> None:
    """Below the minimum it does not start, and the lock is given back."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    folder = DataDir(tmp_path)
    if refused:
        with pytest.raises(ConfigError, match="MiB free on the disk"):
            folder.open()
    else:
        folder.open()
        folder.close()
    monkeypatch.undo()
    folder.open()
    folder.close()


@pytest.mark.parametrize("marker", [b"2\n", b"\xff\xfe", b""])
def test_a_folder_of_another_layout_is_left_alone(tmp_path: Path, marker: bytes) -> None:
    """A newer version's data, or what is no marker of ours, is refused with its layout."""
    (tmp_path / "layout").write_bytes(marker)
    with pytest.raises(ConfigError, match="has layout"):
        DataDir(tmp_path).open()
    assert (tmp_path / "layout").read_bytes() == marker


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the middle, it leaves what was there before; what it left of its own is no obstacle the next time."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "credentials"
    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "secret", 0o600)
    assert not path.exists()
    monkeypatch.undo()
    write_whole(path, "secret", 0o600)
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
