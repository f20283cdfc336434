"""Instants as a scan writes them: ISO 8601 in UTC."""

from stream_jobs.base.instants import from_unix_micros

MINUTE_MICROS = 60_000_000


def of_minute(minute: int) -> str:
    """Of a minute since 1970."""
    return of_micros(minute * MINUTE_MICROS)


def of_micros(micros: int) -> str:
    """As short as it is exact: '2026-01-31T08:00:00Z'."""
    return from_unix_micros(micros).isoformat().replace("+00:00", "Z")
