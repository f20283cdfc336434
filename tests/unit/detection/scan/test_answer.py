"""What a scan answers."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_jobs.base.errors import ConfigError
from stream_jobs.detection.scan.answer import SCORES, scan_file
from tests.unit.timed_csv.files import written

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


_TIMES = st.one_of(
    st.integers(-10, 4000).map(lambda minute: str(60 * minute)),
    st.sampled_from(
        [
            "",
            "x",
            "nan",
            "1e99",
            "2026-01-31",
            "2026-01-31T08:00Z",
            "2026-01-31 08:00:30.5+02:00",
            "1769846400000",
            "-1",
        ]
    ),
)
_AMOUNTS = st.one_of(
    st.floats(0, 1e6).map(str),
    st.sampled_from(["", "0", "-1", "nan", "inf", "1e15", "1e16", "1e400", "1,5", "0x1", "1_000", "\x00", "\u0661"]),
)
_NAMES = st.sampled_from(["", "a", "ä\u202e", '"q""q"', "=1+1", "\x1b[2J", "a" * 2000])
_LINES = st.lists(st.tuples(_TIMES, _NAMES, _AMOUNTS, _AMOUNTS), max_size=12)


@given(
    head=st.sampled_from(["time,series,events,cost", "TIME,series,events,value", "timestamp,series,value,cost"]),
    lines=_LINES,
    ends=st.sampled_from(["\n", "\r\n", "\n\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    separator=st.sampled_from([",", ";", "\t"]),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_answered_or_refused_with_what_to_do(
    tmp_path: Path, head: str, lines: list[tuple[str, ...]], ends: str, mark: str, separator: str
) -> None:
    """Whatever is in its cells: an answer has the names that stay, finite numbers and instants; a refusal the file."""
    rows = [separator.join(head.split(",")), *(separator.join(line) for line in lines)]
    try:
        told = scan_file(written(tmp_path, mark + ends.join(rows)), scores=tmp_path / "scores.csv")
    except ConfigError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "usage.csv" in refused or "five years" in refused
        return
    for one in told.findings:
        assert list(one) == NAMES
        assert all(math.isfinite(one[name]) for name in ("expected", "actual", "excess", "score"))
    with (tmp_path / "scores.csv").open(newline="") as file:
        assert all(float(row["score"]) >= 0 for row in csv.DictReader(file))


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
