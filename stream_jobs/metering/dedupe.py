"""Dropping what was booked before, by `event_id` alone, and recognising corrections by `revision`.

What is booked is read from the ledger itself, so the knowledge survives restarts, rebalances and lost state.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from stream_jobs.blocks.model import Block, SourceRecord
from stream_jobs.blocks.side_tables import DuplicateRecord


class Booked(NamedTuple):
    """What the ledger knows of an event."""

    revision: int  # the highest
    since: datetime  # when the first was booked


class BookedEvents(Protocol):
    """The ledger's answer to: which of these events are booked?"""

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        """Only what other blocks booked: the entries of `block` itself do not make its events duplicates."""


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


@dataclass(slots=True)
class Deduplicated(Generic[E]):
    """The events of a block, sorted by what must be booked for them."""

    new: list[E] = field(default_factory=list)
    corrections: list[E] = field(default_factory=list)  # a higher revision than the one booked
    duplicates: list[DuplicateRecord] = field(default_factory=list)  # the same or a lower revision


def deduplicate(events: Iterable[E], booked: Mapping[str, Booked], block: Block) -> Deduplicated[E]:
    """Keep of each event the highest revision, once. Of equal copies within a block the first is kept.

    `events` in offset order; `booked` is what the ledger knows of them.
    """
    result = Deduplicated[E]()
    best: dict[str, E] = {}
    for decoded in events:
        event_id = decoded.event_id
        kept = best.get(event_id)
        if kept is None:
            best[event_id] = decoded
        elif decoded.revision > kept.revision:
            result.duplicates.append(_duplicate(kept, block.fixed_at))
            best[event_id] = decoded
        else:
            result.duplicates.append(_duplicate(decoded, block.fixed_at))
    for event_id, decoded in best.items():
        known = booked.get(event_id)
        if known is None:
            result.new.append(decoded)
        elif decoded.revision > known.revision:
            result.corrections.append(decoded)
        else:
            result.duplicates.append(_duplicate(decoded, known.since))
    result.duplicates.sort(key=lambda duplicate: duplicate.record.offset)
    return result


def _duplicate(event: Identified, booked_since: datetime) -> DuplicateRecord:
    return DuplicateRecord(event.record, event.event_id, event.revision, event.source, booked_since)
