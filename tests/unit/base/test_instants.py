"""Instants in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from stream_jobs.base.instants import as_utc, parse_utc


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_without_an_offset_it_is_utc(text: str, instant: datetime) -> None:
    """Dates and timestamps; an offset is converted."""
    assert parse_utc(text) == instant
    assert parse_utc(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00+10:00", "9999-12-31T23:00-10:00"])
def test_what_is_no_instant_is_a_value_error(text: str) -> None:
    """Also where the calendar ends before UTC is reached."""
    with pytest.raises(ValueError, match=r"."):
        parse_utc(text)


def test_a_client_that_leaves_utc_out_is_understood() -> None:
    """The same instant, said three ways."""
    naive = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - what is tested
    east = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert as_utc(naive) == as_utc(naive.replace(tzinfo=UTC)) == as_utc(east)
