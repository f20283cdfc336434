"""`spendstream forecast --budgets --spend`."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.commands import run


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "budgets.csv").write_text("budget,amount\na,200\n")
    rows = "".join(f"{date(2027, 1, 1) + timedelta(days=day)},{10 + day % 3},a\n" for day in range(75))
    (tmp_path / "spend.csv").write_text("time,cost,budget\n" + rows)
    return ["forecast", "--budgets", str(tmp_path / "budgets.csv"), "--spend", str(tmp_path / "spend.csv")]


def test_json(files: list[str]) -> None:
    """One object; amounts are decimal strings, chances numbers, dates dates."""
    done = run(*files, "--json", "--at", "2027-03-10", "2027-03-11T00:00:00Z")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = json.loads(done.stdout)["evaluations"]
    assert list(first) == [
        "budget", "at", "period", "amount", "spent", "probability", "dates", "total", "alert", "label", "method", "why",
    ]  # fmt: skip
    assert (first["at"], first["amount"], first["spent"]) == ("2027-03-10T00:00:00Z", "200", "99")
    assert first["dates"]["p50"] == "2027-03-19"
    assert (first["alert"], second["alert"]) == ("none", "raised")


def test_at_the_end_of_the_data(files: list[str]) -> None:
    """Where no instant is asked for: the day after the last one. For people a line for each."""
    assert json.loads(run(*files, "--json").stdout)["evaluations"][0]["at"] == "2027-03-17T00:00:00Z"
    assert "2027-03-17 00:00:00\ta\t$177.00\t$200.00" in run(*files).stdout


def test_what_does_not_fit_is_said(files: list[str]) -> None:
    """Series without a budget, and rows of the same day, on stderr."""
    with Path(files[-1]).open("a") as spend:
        spend.write("2027-03-01,5,stranger\n2027-03-01,5,a\n")
    done = run(*files, "--json")
    assert "1 of its series have no budget and are left out: stranger" in done.stderr
    assert "1 rows are of an instant" in done.stderr
    assert json.loads(done.stdout)["evaluations"][0]["spent"] == "182"


@pytest.mark.parametrize("more", [["--at", "soon"], ["--at", "2027-02-30"]])
def test_wrong_instants(files: list[str], more: list[str]) -> None:
    done = run(*files, *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no instant" in done.stderr


def test_needs_spend(files: list[str]) -> None:
    done = run(*files[:3])
    assert done.returncode == 2
    assert "--spend" in done.stderr
