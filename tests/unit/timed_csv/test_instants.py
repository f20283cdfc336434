"""Instants as a scan writes them."""

from stream_jobs.timed_csv.instants import of_micros, of_minute


def test_as_short_as_exact() -> None:
    """Seconds always, parts of them where there are some."""
    assert of_minute(29_449_440) == "2025-12-29T00:00:00Z"
    assert of_micros(1_500_000) == "1970-01-01T00:00:01.500000Z"
