"""Dropping what was booked before, by `event_id` alone, and recognising corrections by `revision` and source.

What is booked is read from the ledger itself, so the knowledge survives restarts, rebalances and lost state.

A higher revision counts from the source of the entry that it corrects, and from sources that may correct it. Whatever
else has the id of an event that is known is a copy: dropped, and on record with its source.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from stream_jobs.ledger.known import Booked
from stream_jobs.origin.judge import Judge
from stream_jobs.origin.standing import Held, standing_charge
from stream_jobs.streams.model import Block, DuplicateRecord, RejectedRecord, SourceRecord


class BookedEvents(Protocol):
    """The ledger's answer to: which of these events are booked, and with which entries?"""

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        """Only what other blocks booked: the entries of `block` itself do not make its events duplicates."""

    def held(self, event_ids: Collection[str], block: Block) -> Mapping[str, list[Held]]:
        """Of these events what other blocks charged, and took back, before this one."""

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        """All rows of these events that other blocks booked, oldest first."""


class Identified(Protocol):
    """What makes an event the one it is."""

    @property
    def record(self) -> SourceRecord: ...
    @property
    def event_id(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def source(self) -> str: ...


E = TypeVar("E", bound=Identified)
_NOTHING: Final[Mapping[str, Held]] = {}


@dataclass(slots=True)
class Deduplicated(Generic[E]):
    """The events of a block, sorted by what must be booked for them."""

    new: list[E] = field(default_factory=list)
    corrections: list[E] = field(default_factory=list)  # a higher revision than the one that stands
    duplicates: list[DuplicateRecord] = field(default_factory=list)  # the same or a lower revision
    refused: list[RejectedRecord] = field(default_factory=list)  # for their sender


def in_question(events: Iterable[Identified], booked: Mapping[str, Booked], judge: Judge) -> set[str]:
    """Events of which it matters whose they are. Of all others the revision alone decides, whoever sent it."""
    return {
        event.event_id
        for event in events
        if (known := booked.get(event.event_id)) is not None
        and (event.revision > known.revision or known.several or judge.is_protected(event.source))
    }


def decided(
    events: list[E], booked: Mapping[str, Booked], ledger: BookedEvents, block: Block, judge: Judge
) -> Deduplicated[E]:
    """`deduplicate` with what the ledger holds of those for which it matters; `events` in any order."""
    events.sort(key=lambda event: event.record.offset)
    held = ledger.held(in_question(events, booked, judge), block)
    charges = {event_id: standing_charge(entries, judge.rules) for event_id, entries in held.items()}
    standing = {event_id: charge for event_id, charge in charges.items() if charge is not None}
    return deduplicate(events, booked, block, judge, standing)


def deduplicate(
    events: Iterable[E],
    booked: Mapping[str, Booked],
    block: Block,
    judge: Judge,
    standing: Mapping[str, Held] = _NOTHING,
) -> Deduplicated[E]:
    """Keep of each event the highest revision that counts, once. Of equal copies within a block the first is kept.

    `events` in offset order, and each is judged as if it came alone: how a topic is cut into blocks does not matter.
    `booked` is what the ledger knows of them, `standing` the charge that counts of those that are `in_question`, where
    the ledger still has it; nothing that is gone can be corrected, so what comes then is a new event's charge.
    """
    result = Deduplicated[E]()
    best: dict[str, E] = {}
    fresh: set[str] = set()  # events that are to be charged and correct nothing
    for event in events:
        event_id = event.event_id
        kept, known = best.get(event_id), booked.get(event_id)
        if kept is not None:
            owner, revision, since = kept.source, kept.revision, block.fixed_at
        elif known is not None:
            held = standing.get(event_id)
            owner, revision = (held.source, held.revision) if held else ("", known.revision)
            since = known.since
        else:
            fresh.add(event_id)
            best[event_id] = event
            continue
        allowed = not owner or judge.may_correct(event.source, owner)
        if event.revision <= revision:
            if allowed or judge.settled is not None or not judge.is_protected(event.source):
                result.duplicates.append(_duplicate(event, since))
            else:
                result.refused.append(judge.taken(event.record, event.source, owner))
        elif not allowed and judge.settled is None:
            result.refused.append(judge.foreign_revision(event.record, event.revision, event.source, owner))
        else:
            if not allowed:
                # The block did not refuse it, so nobody else's event was there yet: it was charged as a new one.
                fresh.add(event_id)
            if kept is not None:
                result.duplicates.append(_duplicate(kept, since))
            best[event_id] = event
    for event_id, event in best.items():
        (result.new if event_id in fresh else result.corrections).append(event)
    result.duplicates.sort(key=lambda duplicate: duplicate.record.offset)
    return result


def _duplicate(event: Identified, booked_since: datetime) -> DuplicateRecord:
    return DuplicateRecord(event.record, event.event_id, event.revision, event.source, booked_since)
