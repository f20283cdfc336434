"""What a scan answers."""

import csv
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.detection.scan.answer import SCORES, scan_file
from tests.unit.detection.scan.files import written

NAMES = [
    "series",
    "start",
    "detected_at",
    "end",
    "direction",
    "kind",
    "expected",
    "actual",
    "excess",
    "score",
    "severity",
]


def steps(values: list[float]) -> str:
    return "time,value\n" + "".join(f"{number * 300},{value}\n" for number, value in enumerate(values))


def test_finding(tmp_path: Path) -> None:
    """Has the names that stay, instants in UTC, and no end while it stands."""
    values = [10.0 + number % 7 for number in range(500)]
    values[400] = 90.0
    values[-1] = -80.0
    told = scan_file(written(tmp_path, steps(values))).findings
    assert [list(one) for one in told] == [NAMES, NAMES]
    assert [(one["series"], one["direction"], one["end"] is None) for one in told] == [
        ("", "up", False),
        ("", "down", True),
    ]
    assert (told[0]["start"], told[0]["detected_at"]) == ("1970-01-02T09:20:00Z", "1970-01-02T09:25:00Z")
    assert told[0]["excess"] == told[0]["actual"] - told[0]["expected"]


def test_scores_are_those_of_the_rows(tmp_path: Path) -> None:
    """One for each row, in the file's order, with its own time to the second."""
    out = tmp_path / "scores.csv"
    scan_file(written(tmp_path, "time,value\n90,1\n7,2\n60,1\n"), scores=out)
    with out.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(SCORES)
    assert [row[0] for row in rows[1:]] == ["1970-01-01T00:01:30Z", "1970-01-01T00:00:07Z", "1970-01-01T00:01:00Z"]


def test_scores_of_cost(tmp_path: Path) -> None:
    """One for each minute, also of those without a row."""
    out = tmp_path / "scores.csv"
    scan_file(written(tmp_path, "time,events,cost\n0,1,1\n180,1,1\n"), scores=out)
    assert len(out.read_text().splitlines()) == 5


def test_notes(tmp_path: Path) -> None:
    """What was ignored or joined is said."""
    notes = scan_file(written(tmp_path, "time,value,colour\n0,1,red\n1,2,blue\n")).notes
    assert notes == ["ignored: colour", "1 values share a minute with others: the mean counts"]


def test_scores_that_cannot_be_written(tmp_path: Path) -> None:
    """Are an error, and nothing half written stays."""
    path = written(tmp_path, steps([1.0, 2.0]))
    with pytest.raises(ConfigError, match=r"--scores .*cannot be written"):
        scan_file(path, scores=tmp_path / "none" / "scores.csv")
    with pytest.raises(ConfigError, match="line 1"):
        scan_file(written(tmp_path, "x\n"), scores=tmp_path / "scores.csv")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["usage.csv"]
