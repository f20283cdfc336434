"""`spendstream forecast --file` as a user meets it."""

import argparse
import json
from pathlib import Path

import pytest

from stream_jobs.cli import run_command


def forecast(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command(argparse.ArgumentParser(prog="spendstream"), ["forecast", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def usage(folder: Path) -> str:
    path = folder / "usage.csv"
    rows = [f"{hour * 3600},{10 + hour % 24}" for hour in range(24 * 16)]
    path.write_text("time,value\n" + "\n".join(rows) + "\n")
    return str(path)


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, and nothing else on stdout; what repeats every day is expected to go on."""
    code, out, err = forecast(capsys, "--file", usage(tmp_path), "--horizon", "24h", "--json")
    assert (code, err) == (0, "")
    (only,) = json.loads(out)["forecasts"]
    assert [step["p50"] for step in only["steps"]] == pytest.approx([10 + hour for hour in range(24)], rel=0.01)
    assert only["label"] == "steady"


def test_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each series and origin, with its label or why there is no forecast."""
    _, out, _ = forecast(capsys, "--file", usage(tmp_path), "--origin", "1970-01-03", "--origin", "1970-01-01")
    assert "cold start" in out
    assert "its first row is not before the origin" in out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--horizon", "soon"), "72h or 90d"),
        (("--origin", "yesterday"), "is not a timestamp"),
        (("--horizon", "25h", "--step", "1d"), "whole number of days"),
    ],
)
def test_wrong_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], why: str
) -> None:
    """Exit code 2, one message that says what to write."""
    code, out, err = forecast(capsys, "--file", usage(tmp_path), *arguments)
    assert (code, out) == (2, "")
    assert why in err


def test_a_file_without_values_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("time,amount\n0,1\n")
    code, _, err = forecast(capsys, "--file", str(path))
    assert code == 2
    assert "value missing" in err
    assert "--mode" not in err


def test_ignored_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Are named on stderr."""
    path = tmp_path / "usage.csv"
    path.write_text("time,value,colour\n0,1,red\n")
    assert "ignored: colour" in forecast(capsys, "--file", str(path), "--json")[2]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--at", "2026-01-01"), "--at: only with --budgets"),
        (("--spend", "x.csv"), "--spend: only with --budgets"),
        (("--origin", "2026-01-01"), "--origin: only with --file"),
        (("--budgets", "b.csv", "--spend", "s.csv", "--horizon", "3d"), "--horizon: not with --budgets"),
        (("--budgets", "b.csv", "--spend", "s.csv", "--file", "f.csv"), "--file: not with --budgets"),
        (("--file", "f.csv", "--origin", "9999-12-31"), "is not between 1970 and 2200"),
        (("--budgets", "b.csv", "--spend", "s.csv", "--at", "9999-12-31"), "is not between 1970 and 2200"),
        (("--budgets", "b.csv", "--spend", "s.csv", "--at", "0001-01-01"), "is no instant"),
    ],
)
def test_what_would_be_passed_over_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], why: str
) -> None:
    code, _, err = forecast(capsys, *arguments)
    assert code == 2
    assert why in err
