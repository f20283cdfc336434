"""A CSV file as arrays."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_jobs.base.errors import ConfigError
from stream_jobs.timed_csv.reading import BLOCK_BYTES, MAX_SERIES, read
from tests.fuzz import examples
from tests.unit.timed_csv.files import refusal, rows_of, written


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_forms(tmp_path: Path, end: str, mark: str, separator: str) -> None:
    """Line ends, byte order marks, separators, quotes and empty lines make no difference."""
    lines = ["time,series,value", '2026-01-01T00:00Z,"a",1.5', "", "2026-01-01T00:01Z, b ,-2", ""]
    rows = rows_of(tmp_path, mark + end.join(lines).replace(",", separator))
    assert rows.names == ["a", "b"]
    assert rows.series.tolist() == [0, 1]
    assert rows.numbers["value"].tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("time,value\n", "has no rows"),
        ("time,value\n2026-01-01T00:00Z,1\n\n2026-01-01T00:01Z,x\n", "usage.csv, line 4: value 'x' is no number"),
        ("time,value\n2026-01-01T00:00Z,1\nyesterday,2\n", "line 3: time 'yesterday' is no instant"),
        ("time,value\n2026-01-01T00:00Z,1\n\n2026-01-01T00:01Z\n", "line 4: Expected 2 columns, got 1"),
        ("time,events,cost\n2026-01-01T00:00Z,-1,1\n", "line 2: events '-1' is less than 0"),
        ("time,events,cost\n2026-01-01T00:00Z,,1\n", "line 2: events '' is empty"),
        ("time,value\n2026-01-01T00:00Z,nan\n", "no finite number"),
        (b"time,series,value\n2026-01-01T00:00Z,\xff,1\n", "line 2: series is no UTF-8"),
        (f"time,series,value\n2026-01-01T00:00Z,{'x' * 2000},1\n", "more than 1000 characters"),
        ('time,value\n2026-01-01T00:00Z,"' + "x" * (2 * BLOCK_BYTES), "quotation mark is never closed"),
    ],
)
def test_refused(tmp_path: Path, content: str | bytes, says: str) -> None:
    """With the line as an editor counts it, and what is wrong there."""
    assert says in refusal(tmp_path, content)


def test_line_in_a_later_block(tmp_path: Path) -> None:
    """Lines are counted through the whole file."""
    good = "2026-01-01T00:00:00Z,1.00000\n" * 300_000
    assert "line 300002: value 'x'" in refusal(tmp_path, f"time,value\n{good}2026-01-01T00:00:00Z,x\n")


def test_too_many_series(tmp_path: Path) -> None:
    """More series than can be judged side by side are refused."""
    lines = "".join(f"0,s{number},1\n" for number in range(MAX_SERIES + 1))
    assert "more than 20,000 series" in refusal(tmp_path, f"time,series,value\n{lines}")


def test_no_file(tmp_path: Path) -> None:
    """What is no file is named."""
    with pytest.raises(ConfigError, match="it is a folder"):
        read(tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "none")


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from([b"", b"time,value\n", b"time,series,events,cost\n", b"time;value\n"]))
def test_hostile(tmp_path: Path, garbage: bytes, head: bytes) -> None:
    """Whatever a file holds, it is read or refused with a text that names it."""
    path = written(tmp_path, head + garbage)
    try:
        rows = read(path)
    except ConfigError as error:
        assert "usage.csv" in str(error)  # noqa: PT017 - either answer is right
    else:
        assert len(rows.micros) > 0
