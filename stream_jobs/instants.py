"""Instants in UTC, from clients that leave it out and from what people write."""

from datetime import UTC, datetime


def as_utc(instant: datetime) -> datetime:
    """In UTC; without an offset it is UTC already. Raises ValueError at the ends of the calendar."""
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{instant} is out of range in UTC") from None


def parse_utc(text: str) -> datetime:
    """An ISO 8601 date or timestamp; without an offset it is UTC. Raises ValueError."""
    return as_utc(datetime.fromisoformat(text))
