"""Instants in UTC: from clients that leave it out, from what people write, and as numbers; and whose clock counts."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NOT_PLACES: Final = re.compile(r"posix/|right/|posixrules$|localtime$")
"""Names that some machines have in their folder of zones: duplicates, with leap seconds, or not the same everywhere."""


def time_zone(name: str) -> ZoneInfo:
    """By its IANA name. Raises ValueError that says what a name looks like."""
    try:
        if _NOT_PLACES.match(name):
            raise ValueError
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; an IANA name such as Europe/Berlin is needed") from None


def utc_now() -> datetime:
    """By this machine's clock."""
    return datetime.now(UTC)


def as_utc(instant: datetime) -> datetime:
    """In UTC; without an offset it is UTC already. Raises ValueError at the ends of the calendar."""
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{instant} is out of range in UTC") from None


def unix_micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - EPOCH) // _MICROSECOND


def from_unix_micros(micros: int) -> datetime:
    """Raises OverflowError beyond the calendar."""
    return EPOCH + micros * _MICROSECOND


def parse_utc(text: str) -> datetime:
    """An ISO 8601 date or timestamp; without an offset it is UTC. Raises ValueError."""
    return as_utc(datetime.fromisoformat(text))
