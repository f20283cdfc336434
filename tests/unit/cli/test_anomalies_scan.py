"""`spendstream anomalies scan`."""

import argparse
import json
from pathlib import Path

import pytest

from stream_jobs.cli import run_command


def scan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command(argparse.ArgumentParser(prog="spendstream"), ["anomalies", "scan", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def usage(folder: Path) -> str:
    values = [10.0 + number % 7 for number in range(300)]
    values[250] = 90.0
    path = folder / "usage.csv"
    path.write_text("time,value\n" + "".join(f"{number * 300},{value}\n" for number, value in enumerate(values)))
    return str(path)


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object with the findings, and nothing else on stdout."""
    code, out, err = scan(capsys, usage(tmp_path), "--json", "--scores", str(tmp_path / "scores.csv"))
    assert (code, err) == (0, "")
    assert [one["direction"] for one in json.loads(out)["findings"]] == ["up"]
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 301


def test_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each finding; that there is none is said as well."""
    _, out, _ = scan(capsys, usage(tmp_path))
    assert "spike ↑" in out
    quiet = tmp_path / "quiet.csv"
    quiet.write_text("time,value\n0,1\n")
    assert scan(capsys, str(quiet))[1] == "nothing unusual\n"


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n", b"time,value\n0,\xff\n", b"time,value\nx,1\n", b"time,events,cost\n0,-1,1\n"]
)
def test_wrong_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    """Exit code 2, one message on stderr, nothing on stdout."""
    path = tmp_path / "usage.csv"
    path.write_bytes(content)
    code, out, err = scan(capsys, str(path), "--json")
    assert (code, out) == (2, "")
    assert "usage.csv" in err


def test_ignored_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Are named on stderr."""
    path = tmp_path / "usage.csv"
    path.write_text("time,value,colour\n0,1,red\n")
    assert "ignored: colour" in scan(capsys, str(path), "--json")[2]
