"""How long a receiver asks us to wait."""

from datetime import UTC, datetime

import pytest

from stream_jobs.alerts.notifiers.http import MAX_RETRY_AFTER_S, retry_after_seconds

NOW = datetime(2026, 11, 26, 3, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("9" * 50, MAX_RETRY_AFTER_S),
        ("Thu, 26 Nov 2026 03:00:30 GMT", 30.0),
        ("Thu, 26 Nov 2026 02:00:00 GMT", 0.0),
        ("Thu, 26 Nov 2099 03:00:30 GMT", MAX_RETRY_AFTER_S),
        (".", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """RFC 9110; what cannot be read is as if it were not there, and nobody can make us wait for longer than a day."""
    assert retry_after_seconds(header, NOW) == seconds
