"""The first line of a file to be scanned."""

import re
from io import BytesIO
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.timed_csv.columns import Columns, Mode, read_columns

FILE = Path("usage.csv")


def columns_of(line: bytes, mode: Mode | None = None) -> Columns:
    return read_columns(BytesIO(line), FILE, mode)


@pytest.mark.parametrize(
    ("line", "mode", "separator", "has_series"),
    [
        (b"time,value\n", "gauge", ",", False),
        (b"time,events,cost\r\n", "cost", ",", False),
        (b"\xef\xbb\xbfTime;Series;Value\n", "gauge", ";", True),
        (b"series\tcost\tevents\ttime\n", "cost", "\t", True),
        (b'"timestamp","value"\n', "gauge", ",", False),
        (b"time,value,events,cost", "cost", ",", False),
    ],
)
def test_meaning(line: bytes, mode: Mode, separator: str, has_series: bool) -> None:
    """Names in any order and case, three separators, with a byte order mark, with or without a line end."""
    columns = columns_of(line)
    assert (columns.mode, columns.separator, columns.has_series) == (mode, separator, has_series)
    assert columns.header_bytes == len(line)


def test_forced() -> None:
    """`--mode gauge` reads `value` of a file that has all of them."""
    columns = columns_of(b"time,value,events,cost\n", "gauge")
    assert (columns.numbers, columns.ignored) == (("value",), ["events", "cost"])


def test_more_columns() -> None:
    """What tells more is read, what is not known is ignored by name, be it twice."""
    columns = columns_of(b"time,events,cost,cost_squares,capped_cost,note,note\n")
    assert columns.numbers == ("events", "cost", "cost_squares", "capped_cost")
    assert columns.ignored == ["note", "note"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"", "is empty"),
        (b"\n", "no first line"),
        (b"a,b\n", "time and events and cost (or value) missing; its columns are: a, b"),
        (b"time,cost\n", "events (or value) missing"),
        (b"value\n", "time missing"),
        (b"time,time,value\n", "time more than once"),
        (b"\xff\xfet\x00", "UTF-16"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"time,\xff\n", "byte 6 is no UTF-8"),
        (b"x" * 70_000, "more than 65,536 bytes"),
    ],
)
def test_refused(line: bytes, says: str) -> None:
    """With what is wrong, and what a first line has to be."""
    with pytest.raises(ConfigError, match=re.escape(says)):
        columns_of(line)


def test_forced_and_missing() -> None:
    """A mode that the columns do not serve is refused."""
    with pytest.raises(ConfigError, match="events, cost missing, to read it as requests"):
        columns_of(b"time,value\n", "cost")


def test_costs_as_values() -> None:
    """`--mode gauge` takes the cost where there is no value, and adds it up."""
    columns = columns_of(b"time,events,cost\n", "gauge")
    assert (columns.numbers, columns.ignored, columns.adds_up) == (("value",), ["events"], True)
    assert not columns_of(b"time,value,cost\n", "gauge").adds_up


@pytest.mark.parametrize(
    ("line", "series"),
    [(b"time,value,budget\n", [2]), (b"time,value,budget,series\n", [3]), (b"budget,TIME,Value\n", [0])],
)
def test_other_names(line: bytes, series: list[int]) -> None:
    """Whoever asks for it has a column under another name too; the name itself goes first. Nobody else has."""
    columns = read_columns(BytesIO(line), FILE, "gauge", {"budget": "series"})
    assert [place for place, name in enumerate(columns.names) if name == "series"] == series
    assert columns_of(b"time,value,budget\n").ignored == ["budget"]
