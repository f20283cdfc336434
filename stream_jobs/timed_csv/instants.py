"""Instants as a scan writes them: ISO 8601 in UTC."""

from datetime import datetime

from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.timed_csv.cells import FIRST, LAST

MINUTE_MICROS = 60_000_000


def instant_within(at: datetime) -> int:
    """In microseconds since 1970. Raises ValueError for one that no file may hold either."""
    micros = unix_micros(at)
    if not FIRST <= micros < LAST:
        raise ValueError("is not between 1970 and 2200")
    return micros


def of_minute(minute: int) -> str:
    """Of a minute since 1970."""
    return of_micros(minute * MINUTE_MICROS)


def of_micros(micros: int) -> str:
    """As short as it is exact: '2026-01-31T08:00:00Z'."""
    return from_unix_micros(micros).isoformat().replace("+00:00", "Z")
