"""Cells as arrays."""

import pyarrow as pa
import pytest

from stream_jobs.timed_csv.cells import BadCell, instants, numbers, texts

NOON = 1_767_268_800_000_000  # 2026-01-01T12:00Z


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-01T12:00:00Z", "2026-01-01T12:00Z", "2026-01-01 12:00:00", "2026-01-01T12:00"),
        *("2026-01-01T12:00:00.000", "2026-01-01T13:00:00+01:00", "2026-01-01T13:00+0100", "2026-01-01T07:00:00-05:00"),
        *("2026-01-01T13:00:00.000+01", "1767268800", "1767268800.0", "1767268800000"),
        *("1767268800000000", "20260101T120000Z", "202601011200", "20260101120000"),
    ],
)  # fmt: skip
def test_instant(text: str) -> None:
    """ISO 8601 with and without a zone, and numbers since 1970, alone and beside others."""
    assert instants(pa.array([text])).tolist() == [NOON]
    assert instants(pa.array(["2026-01-01T12:00:00", text, "2026-01-01T12:00:00Z"])).tolist() == [NOON] * 3


@pytest.mark.parametrize("text", ["", "x", "2026-13-01", "NaN", "inf", "2026-01-01T25:00", "2026-02-30T00:00:00Z"])
def test_no_instant(text: str) -> None:
    """Is refused with its row."""
    with pytest.raises(BadCell) as told:
        instants(pa.array(["2026-01-01T12:00:00Z", text]))
    assert told.value.row == 1
    assert "is no instant" in told.value.why


def test_compact_dates_are_no_numbers() -> None:
    """Not of the seventies; and one that is wrong is refused."""
    assert instants(pa.array(["20260101", "20260102"])).tolist() == [NOON - 43_200_000_000, NOON + 43_200_000_000]
    for wrong in ("20260230", "20261301"):
        with pytest.raises(BadCell, match="is no instant"):
            instants(pa.array(["20260101", "20260102", wrong]))


def test_seconds_counted_from_0_are_no_dates() -> None:
    """Though one of them looks like 20 January 1970."""
    counted = list(range(19_700_000, 19_700_400, 60))
    assert instants(pa.array([str(second) for second in counted])).tolist() == [second * 10**6 for second in counted]


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59Z", "2200-01-01T00:00", "-5", "9999-12-31T23:59:59Z"])
def test_instants_out_of_range(text: str) -> None:
    """Before 1970 and from 2200 on no usage was."""
    with pytest.raises(BadCell) as told:
        instants(pa.array([text]))
    assert "between 1970 and 2200" in told.value.why


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *(("", "is empty"), ("NaN", "no finite number"), ("-inf", "no finite number"), ("1e400", "is beyond")),
        *(("-1", "is less than 0"), ("1e16", "is beyond"), ("1_000", "is no number"), ("one", "is no number")),
        *(("1,5", "is no number"), ("9" * 5000, "is beyond"), ("\x1b[2J", "is no number")),
    ],
)  # fmt: skip
def test_no_number(text: str, says: str) -> None:
    """With its row and the reason, and not all of a long cell."""
    with pytest.raises(BadCell) as told:
        numbers(pa.array(["1", text]), "events", least=0)
    assert told.value.row == 1
    assert says in told.value.why
    assert len(told.value.why) < 150


def test_empty_value() -> None:
    """Is a gap; an empty cost is none."""
    assert str(numbers(pa.array(["", "2"]), "value").tolist()) == "[nan, 2.0]"


def test_decimal_comma() -> None:
    """Where semicolons separate."""
    assert numbers(pa.array(["1,5", "2.5"]), "cost", decimal_comma=True).tolist() == [1.5, 2.5]


def test_no_utf8() -> None:
    """Bytes that are no text have a row, too."""
    with pytest.raises(BadCell) as told:
        texts(pa.array([b"a", b"\xff"], pa.binary()), "series")
    assert told.value.row == 1


def test_what_is_no_number_is_shown_as_it_is_written() -> None:
    """With the comma of the file."""
    with pytest.raises(BadCell) as caught:
        numbers(pa.array(["1,5", "19,589.00"]), "cost", decimal_comma=True)
    assert "cost '19,589.00' is no number" in caught.value.why


def test_utc_written_out() -> None:
    """As BigQuery and ClickHouse export instants."""
    found = instants(pa.array(["2026-03-02 00:00:00 UTC", "2026-03-02 00:00:00.5 UTC", "2026-03-02T00:00:01Z"]))
    assert (found - found[0]).tolist() == [0, 500_000, 1_000_000]
    assert instants(pa.array(["2026-03-02T00:00:00Z"]))[0] == found[0]
