"""`spendstream explain`."""

import argparse
import json
from pathlib import Path

import pyarrow.csv as pc
import pytest

from stream_jobs.cli import run_command
from tests.unit.explain.test_why import traffic


def explain(*arguments: str) -> int:
    return run_command(argparse.ArgumentParser(), ["explain", *arguments])


def test_the_cause_is_named_for_machines_and_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Money as decimal strings that add up; a table of plain lines in a pipe."""
    file = tmp_path / "table.csv"
    pc.write_csv(traffic(1, {"requests": ({"user": "u3"}, 20)}), file)
    assert explain("--table", str(file), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sets"][0]["values"] == {"user": "u3"}
    assert isinstance(found["excess"], str)
    assert found["decomposition"]["total"] == found["excess"]
    assert explain("--table", str(file)) == 0
    shown = capsys.readouterr().out
    assert "- user u3: +$" in shown
    assert "\neverything\t" in shown


def test_a_file_that_cannot_be_used_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file, the line and what to do."""
    file = tmp_path / "table.csv"
    file.write_text("model,requests_before,cost_before,requests_after,cost_after\na,1,1,1,\n", encoding="utf-8")
    assert explain("--table", str(file), "--json") == 2
    assert f"{file}:2: cost_after: is empty: write 0 where there was nothing" in capsys.readouterr().err
    assert explain("--table", str(tmp_path / "none.csv")) == 2
    assert explain("--table", str(tmp_path)) == 2
