"""Folders and files are their owner's alone, whatever the umask; what is another user's is refused."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendstream.cli import main
from spendstream.private import make_private
from spendstream.private import open_private as open_private_of_sdk
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.private import open_private, private_folder
from stream_jobs.embedded.datadir import DataDir

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is another user's")
NOBODY = 65534


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def wide(folder: Path) -> list[str]:
    """What others may read, write or enter."""
    found = (folder, *folder.rglob("*"))
    return [str(path) for path in found if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_data_folder_is_its_owners(umask: int, tmp_path: Path) -> None:
    """With the parents that had to be made."""
    folder = DataDir(tmp_path / "a" / "b" / "data")
    if umask == 0o777:
        pytest.skip("a command's umask is ours: private_umask")
    folder.open()
    folder.close()
    assert wide(tmp_path / "a") == []


def test_a_folder_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    """And all of ours that is in it; what a link leads to, and what is not ours, stays as it is."""
    data = tmp_path / "data"
    for name in ("store/deep", "logs", "config/overlays"):
        (data / name).mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("x")
    for path in (
        data / "store/deep/f",
        data / "logs/x.log",
        data / "credentials",
        data / "config/a.yaml",
        data / "own",
    ):
        path.write_text("x")
    (data / "store" / "link").symlink_to(elsewhere)
    for path in (elsewhere, data, *data.rglob("*")):
        path.chmod(0o777)
    folder = DataDir(data)
    folder.open()
    folder.close()
    assert wide(data) == [str(data / "own")]
    assert mode(data / "store/deep/f") == 0o700
    assert mode(elsewhere) == 0o777


@ROOT_ONLY
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    """Data folder, demo and spool: who owns it could read and change everything. The message says what to do."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "demo").write_text("made by 'spendstream demo'")
    os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(ConfigError, match=r"belongs to another user.*chown -R"):
        DataDir(theirs).open()
    assert main(["demo", "--data-dir", str(theirs)]) == 2
    assert (theirs / "demo").exists()
    with pytest.raises(PermissionError, match="belongs to another user"):
        make_private(theirs)


@ROOT_ONLY
def test_another_users_link_is_not_followed(tmp_path: Path) -> None:
    """In a folder that all may write to somebody may have put it there."""
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "file").write_text("precious")
    for name, to in (("link", target), ("out", tmp_path / "file")):
        (tmp_path / name).symlink_to(to)
        os.lchown(tmp_path / name, NOBODY, NOBODY)
    with pytest.raises(ConfigError, match="is a link that another user"):
        private_folder(tmp_path / "link")
    with pytest.raises(PermissionError, match="is a link that another user"):
        make_private(tmp_path / "link")
    arguments = ["simulate", "--duration", "1m", "--rate", "1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert (tmp_path / "file").read_text() == "precious"
    os.chown(tmp_path / "file", NOBODY, NOBODY)
    with pytest.raises(ConfigError, match="belongs to another user"):
        open_private(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_ones_own_link_is_followed(tmp_path: Path) -> None:
    """It is where one wants it."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with open_private(tmp_path / "link") as file:
        file.write(b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


def test_files_that_commands_write_are_their_owners(umask: int, tmp_path: Path) -> None:
    """A new one, and one that others could read before, which is emptied."""
    old = tmp_path / "old.jsonl"
    old.write_text("x" * 100_000)
    old.chmod(0o666)
    for out in (old, tmp_path / "new.jsonl"):
        labels = tmp_path / f"{out.name}.labels"
        arguments = ["simulate", "--duration", "1m", "--rate", "1", "--incident", "spike"]
        assert main([*arguments, "--out", str(out), "--labels", str(labels)]) == 0
        assert mode(out) == mode(labels) == 0o600
        assert b"xx" not in out.read_bytes()
    assert os.umask(umask) == umask, "the command gives it back"


def test_devices_and_pipes_are_what_they_are(tmp_path: Path) -> None:
    """--out /dev/null, or a pipe."""
    with open_private(Path("/dev/null")) as file:
        file.write(b"x")
    assert mode(Path("/dev/null")) == 0o666
    command = [sys.executable, "-m", "spendstream", "simulate", "--duration", "1m", "--rate", "1", "--out"]
    done = subprocess.run([*command, "/dev/stdout"], capture_output=True, check=True, timeout=60, cwd=tmp_path)
    assert done.stdout.startswith(b"{")


def test_the_sdk_makes_private_folders_and_files(umask: int, tmp_path: Path) -> None:
    """Under any umask of the service, which stays what it was."""
    folder = tmp_path / "a" / "b"
    make_private(folder)
    assert mode(folder) == mode(folder.parent) == 0o700
    os.close(open_private_of_sdk(folder / "f", os.O_WRONLY | os.O_CREAT))
    assert mode(folder / "f") == 0o600
    folder.chmod(0o755)
    (folder / "f").chmod(0o644)
    make_private(folder)
    os.close(open_private_of_sdk(folder / "f", os.O_WRONLY | os.O_CREAT))
    assert (mode(folder), mode(folder / "f")) == (0o700, 0o600)
    assert os.umask(umask) == umask


def test_the_sdk_refuses_what_others_can_replace(tmp_path: Path) -> None:
    """A folder in one that all may write to, and that does not keep them from renaming it; /tmp does."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(PermissionError, match="others can replace"):
        make_private(shared / "spool")
    shared.chmod(0o1777)
    make_private(shared / "spool")


def test_the_sdk_follows_no_link_for_a_file(tmp_path: Path) -> None:
    """Not even one's own: nothing puts one there."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="symbolic"):
        open_private_of_sdk(tmp_path / "link", os.O_WRONLY | os.O_CREAT)
