"""What is allowed in events.yaml but probably not meant."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from stream_jobs.planned.document import PlannedEvent, in_utc, length_of
from stream_jobs.planned.events import PlannedEvents

LONG: Final = timedelta(days=60)
"""What lasts longer is learned as the usual: a planned event is no place for a new level."""
AHEAD: Final = timedelta(days=400)
"""A recurring event that does not begin once within so long never does."""
LEARNED: Final = timedelta(days=400)
"""Forecasts look back as far: what was planned in that time must not teach them a rate."""


def warnings(events: PlannedEvents, now: datetime) -> list[str]:
    """One sentence per finding, in the order of the file; empty when there is nothing to say."""
    together = _together(events, now)
    found = ((event, [*_of(events, event, now), *together.get(event.id, ())]) for event in events)
    return [f"event {event.id!r}: {text}" for event, texts in found for text in texts]


def _together(events: PlannedEvents, now: datetime) -> dict[str, list[str]]:
    """Events that move the same things the same way at one time, by the id of the one that begins first: their factors
    are multiplied. Each pair once."""
    moving = [event for event in events if event.factor != 1]
    begun = sorted(
        (begin, end, number)
        for number, event in enumerate(moving)
        for begin, end in events.stretches(event, now, now + AHEAD)
    )
    until: dict[int, datetime] = {}
    pairs: dict[tuple[int, int], None] = {}
    for begin, end, number in begun:
        until = {other: last for other, last in until.items() if last > begin and other != number}
        pairs |= {(other, number): None for other in until if _alike(moving[other], moving[number])}
        until[number] = end
    said: dict[str, list[str]] = {}
    for first, second in pairs:
        one, two = moving[first], moving[second]
        if (second, first) not in pairs or first < second:
            what = f"holds at the same time as {two.id!r}: their factors are multiplied there"
            said.setdefault(one.id, []).append(f"{what}, to {(one.factor * two.factor).normalize():f}")
    return said


def _alike(one: PlannedEvent, two: PlannedEvent) -> bool:
    """Whether all that the one concerns is concerned by the other, too, and both expect more or both less."""
    nested = one.scope.items() <= two.scope.items() or two.scope.items() <= one.scope.items()
    return nested and (one.factor > 1) == (two.factor > 1)


def _of(events: PlannedEvents, event: PlannedEvent, now: datetime) -> Iterator[str]:
    if event.factor == 1 and not event.allowed_usd:
        yield "factor: 1 is the usual, so it explains nothing"
    yield from _when(events, event, now)
    if not event.scope and (event.factor > 1 or event.allowed_usd):
        yield "scope: none is given: it silences rises of everything, and of everybody"
    for field, condition in event.scope.items():
        kind = "any_of" if condition.any_of is not None else "none_of"
        starred = next((text for text in condition.any_of or condition.none_of or () if "*" in text), None)
        if starred is not None:
            yield f"scope: {field}: {kind} compares {starred!r} as it is written, the * too; a pattern is {{glob: ...}}"


def _when(events: PlannedEvents, event: PlannedEvent, now: datetime) -> Iterator[str]:
    zone = events.zone_of(event)
    start = in_utc(event.from_, zone) if event.from_ is not None else None
    end = in_utc(event.to, zone) if event.to is not None else None
    begun = start if event.every is None else None
    if (end or begun or now) <= now - LEARNED:
        what = f"is over since {event.to}" if end is not None else f"began on {event.from_}"
        yield f"{what}: nothing looks back as far"
    elif event.every is not None and (end is None or end > now):
        begin = max(now, start) if start is not None else now
        until = min(end, begin + AHEAD) if end is not None else begin + AHEAD
        if not events.stretches(event, begin, until):
            yield "every: it never comes on days like these"
        days = event.every.weekdays or event.every.days
        if event.every.lasts is not None and length_of(event.every.lasts) >= timedelta(days=1) and not days:
            yield "every: each lasts until the next one begins: it always holds"
    elif start is not None and end is not None and end - start > LONG and (event.factor != 1 or event.up_to_usd):
        yield f"lasts {(end - start).days} days: what stays is learned as usual after a week; leave out to if it stays"
