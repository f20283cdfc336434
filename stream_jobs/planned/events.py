"""Which events hold for a scope at an instant or over a stretch of time, and what they expect there."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from spendstream_schemas.scope import Condition
from stream_jobs.base.documents import PlacedProblem, blaming, checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there
from stream_jobs.base.instants import unix_micros
from stream_jobs.base.yaml_files import read_yaml
from stream_jobs.planned.document import FILE_NAME, EventsDocument, PlannedEvent, in_utc, is_skipped
from stream_jobs.planned.occurring import Stretch, comes_at_once, occurrences

SETTLES: Final = timedelta(days=14)
"""What lasts for good is the usual by then: detectors learn a level within a week, and need a second one to know it by
the days of the week. From then on nothing is silenced by it."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What events make of a stretch: usage from `least` to `most` times the usual is planned. Weighted by time, so an
    event that holds for half of a stretch moves it half as far; of several at once the factors are multiplied."""

    least: float = 1.0  # at most 1
    most: float = 1.0  # at least 1
    events: tuple[PlannedEvent, ...] = ()


NOTHING: Final = Expectation()


class PlannedEvents:
    """All events of the file, checked against each other. Immutable; iterates in the order of the file."""

    def __init__(self, document: EventsDocument) -> None:
        """Raises ConfigError with everything that does not fit together."""
        self.document = document
        self._by_id = {event.id: event for event in document.events}
        problems: list[str] = []
        seen: set[str] = set()
        for number, event in enumerate(document.events):
            place = ("events", number)
            if event.id in seen:
                problems.append(PlacedProblem(f"event {event.id!r}: another one has this id", (*place, "id")))
            seen.add(event.id)
            zone = self.zone_of(event)
            given = [(key, at) for key, at in (("from", event.from_), ("to", event.to)) if at is not None]
            skipped = [(key, at) for key, at in given if is_skipped(at, zone)]
            for key, at in skipped:
                what = f"{key} {at} does not exist in {zone.key}: clocks are put forward over it"
                problems.append(PlacedProblem(f"event {event.id!r}: {what}", (*place, key)))
            ends = [in_utc(at, zone) for _, at in given]
            # in the file's zone, and with an offset in one of the two
            if len(ends) == 2 and ends[0] >= ends[1] and not skipped:
                problems.append(PlacedProblem(f"event {event.id!r}: from is not before to", (*place, "to")))
        if problems:
            raise ConfigError(problems)

    @cached_property
    def version(self) -> str:
        """Hash of the content: comments, layout and short forms do not change it."""
        content = json.dumps(self.document.model_dump(mode="json", exclude_none=True), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def __iter__(self) -> Iterator[PlannedEvent]:
        return iter(self.document.events)

    def __len__(self) -> int:
        return len(self.document.events)

    def get(self, event_id: str) -> PlannedEvent | None:
        return self._by_id.get(event_id)

    def zone_of(self, event: PlannedEvent) -> ZoneInfo:
        return ZoneInfo(event.timezone or self.document.timezone)

    def stretches(self, event: PlannedEvent, start: datetime, end: datetime) -> list[Stretch]:
        """When what comes is planned and not the usual yet, within [start, end), rising, apart from each other: of one
        that lasts for good its first `SETTLES`."""
        found: list[Stretch] = []
        for begin, over in occurrences(event, self.zone_of(event), start, end):
            finish = begin + SETTLES if over is None else over
            one, two = max(start, begin), min(end, finish)
            if one >= two:
                continue
            if found and one <= found[-1][1]:  # it lasts longer than until the next one
                found[-1] = found[-1][0], max(found[-1][1], two)
            else:
                found.append((one, two))
        return found

    def allowed_usd(self, event: PlannedEvent, start: datetime, end: datetime) -> Decimal:
        """What may be spent within [start, end) beyond the usual, whatever its factor: what is new, and each purchase
        that is awaited there; of one that is spread over time as much as lies within."""
        allowed = event.up_to_usd or Decimal(0)
        if event.adds_usd is None:
            return allowed
        at_once = comes_at_once(event)
        for begin, over in occurrences(event, self.zone_of(event), start, end):
            if at_once or over is None:
                allowed += event.adds_usd
            else:
                part = unix_micros(min(over, end)) - unix_micros(max(begin, start))
                allowed += event.adds_usd * part / (unix_micros(over) - unix_micros(begin))
        return allowed

    def during(self, start: datetime, end: datetime) -> tuple[PlannedEvent, ...]:
        """Those that hold at some instant of [start, end), whomever they concern."""
        return tuple(event for event in self if self.stretches(event, start, end))

    def at(self, facts: Mapping[str, str], instant: datetime) -> Expectation:
        """What holds at an instant for those of whom these facts are known."""
        return self.over(facts, instant, instant + timedelta(microseconds=1))

    def over(self, facts: Mapping[str, str], start: datetime, end: datetime) -> Expectation:
        """What holds over [start, end) for those of whom these facts (by ScopeField) are known. An event concerns them
        if every field of its scope is among the facts: a user's team is not known from his name."""
        return self.expectation([event for event in self if concerns(event.scope, facts)], start, end)

    def expectation(self, events: list[PlannedEvent], start: datetime, end: datetime) -> Expectation:
        """Of these events, whomever they concern."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        parts = [(event, self.stretches(event, start, end)) for event in events]
        parts = [(event, stretches) for event, stretches in parts if stretches]
        if not parts:
            return NOTHING
        edges = sorted({start, end, *(edge for _, stretches in parts for stretch in stretches for edge in stretch)})
        least = most = 1.0
        for one, two in pairwise(edges):
            share = (two - one) / (end - start)
            low = high = 1.0
            for event, stretches in parts:
                if any(begin <= one and two <= finish for begin, finish in stretches):
                    low *= min(1.0, float(event.factor))
                    high *= max(1.0, float(event.factor))
            least += (low - 1.0) * share
            most += (high - 1.0) * share
        return Expectation(max(0.0, least), most, tuple(event for event, _ in parts))


def concerns(scope: Mapping[str, Condition], facts: Mapping[str, str]) -> bool:
    """Whether the scope holds for everything that has these facts, whatever else it has."""
    return all(field in facts and condition.holds(facts[field]) for field, condition in scope.items())


def load_events(config_dir: Path | None) -> PlannedEvents:
    """Those of `<config_dir>/events.yaml`; none without the file. Raises ConfigError with everything that is wrong."""
    path = config_dir / FILE_NAME if config_dir is not None else None
    if path is None or not is_there(path):
        return PlannedEvents(EventsDocument())
    source = read_yaml(path)
    document = checked(source, EventsDocument, label="id")
    with blaming(source):
        return PlannedEvents(document)
