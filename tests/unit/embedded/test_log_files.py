"""Logs of children: bounded in size and number, while the children go on writing."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from stream_jobs.embedded.log_files import rotate
from tests.integration.pipeline import until

WRITER = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def test_a_log_at_its_bound_is_kept_and_begun_anew_under_its_writer(tmp_path: Path) -> None:
    """The writer appends through the file it was given; what it wrote before is in NAME.log.1, then .2, and no more
    files than allowed are kept."""
    path = tmp_path / "worker.log"
    with path.open("ab") as log:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=log, text=True)
    assert writer.stdin is not None
    for number in range(5):
        writer.stdin.write(f"{number}" * 100 + "\n")
        writer.stdin.flush()
        until(lambda: path.stat().st_size == 101, 20, "written")
        rotate([path], max_bytes=102, files=3)
        assert path.stat().st_size == 101, "below the bound"
        rotate([path], max_bytes=101, files=3)
        assert path.stat().st_size == 0
    writer.communicate()
    assert {file.name: file.read_text()[0] for file in tmp_path.iterdir() if file.stat().st_size} == {
        "worker.log.1": "4",
        "worker.log.2": "3",
    }
    assert len(list(tmp_path.iterdir())) == 3


def test_one_file_means_nothing_older_is_kept(tmp_path: Path) -> None:
    """The log is emptied at its bound."""
    path = tmp_path / "store.log"
    path.write_text("x" * 50)
    rotate([path, tmp_path / "not-there.log"], max_bytes=50, files=1)
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [("store.log", 0)]


def test_a_log_that_cannot_be_kept_is_emptied_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk is when a log must not grow."""
    path = tmp_path / "store.log"
    path.write_text("x" * 50)
    (tmp_path / "store.log.1").mkdir()  # stands for whatever keeps the copy from being made
    with caplog.at_level(logging.WARNING):
        rotate([path], max_bytes=50, files=2)
    assert path.stat().st_size == 0
    assert "cannot be kept" in caplog.text
    assert not (tmp_path / "store.log.new").exists()
