"""When an event comes: each time apart, as long as it lasts, by the clocks of its zone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from stream_jobs.planned.document import PlannedEvent, in_utc, length_of

Stretch = tuple[datetime, datetime]
"""From the first instant to the one behind the last, in UTC."""
_DAY: Final = timedelta(days=1)


def occurrences(
    event: PlannedEvent, zone: tzinfo, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime | None]]:
    """(first instant, the one behind the last; None: it is never over) of each time that it holds at some instant of
    [start, end), by their beginnings. Each is whole, whatever of it lies within; those that `every` brings are cut off
    at the event's own from and to, and may overlap. A purchase that comes at once is awaited for a day."""
    first = in_utc(event.from_, zone) if event.from_ is not None else None
    last = in_utc(event.to, zone) if event.to is not None else None
    if event.every is None:
        assert event.from_ is not None
        assert first is not None
        if last is None and not event.lasting:
            last = in_utc(event.from_ + _DAY, zone)  # the same time of the next day: 23 or 25 hours in some nights
        if first < end and (last is None or start < last):
            yield first, last
        return
    lasts = length_of(event.every.lasts) if event.every.lasts is not None else _DAY
    low = start if first is None else max(start, first)
    high = end if last is None else min(end, last)
    if low >= high:
        return
    for day in _days((low - lasts).astimezone(zone).date() - _DAY, high.astimezone(zone).date()):
        if not event.every.begins_on(day):
            continue
        begin = in_utc(datetime.combine(day, event.every.clock), zone)
        over = begin + lasts
        one = begin if first is None else max(first, begin)
        two = over if last is None else min(last, over)
        if one < min(two, high) and low < two:
            yield one, two


def comes_at_once(event: PlannedEvent) -> bool:
    """Whether nothing says over which time what it adds is spread."""
    return event.to is None if event.every is None else event.every.lasts is None


def purchases(event: PlannedEvent, zone: tzinfo, start: datetime, end: datetime) -> Iterator[Stretch]:
    """Over which time what it adds is spread, each time that some of it lies in [start, end); from an instant to the
    same one where all of it comes at once. One whose time of day is before the event's `from` does not come."""
    if event.adds_usd is None:
        return
    at_once = comes_at_once(event)
    first = in_utc(event.from_, zone) if event.from_ is not None else None
    for begin, over in occurrences(event, zone, start, end):
        if event.every is not None and begin == first and not _comes_at(event, begin, zone):
            continue
        if not at_once:
            assert over is not None
            yield begin, over
        elif start <= begin:
            yield begin, begin


def _comes_at(event: PlannedEvent, instant: datetime, zone: tzinfo) -> bool:
    assert event.every is not None
    day = instant.astimezone(zone).date()
    return event.every.begins_on(day) and in_utc(datetime.combine(day, event.every.clock), zone) == instant


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += _DAY
