"""The vocabulary of booking. Imports nothing of Faust, Kafka or ClickHouse's client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from spendstream_schemas import InvalidReason

if TYPE_CHECKING:
    import pyarrow as pa


class SourceRecord(NamedTuple):
    """One record as the broker holds it. A named tuple, because one is made for every record."""

    offset: int
    timestamp_ms: int | None  # when the producer (or the broker) stamped it
    key: bytes | None
    value: bytes | None
    signature: bytes | None = None  # header `spendstream-signature`; nobody has looked at it


@dataclass(frozen=True, slots=True)
class SourcePartition:
    """A partition of one incarnation of a topic: offsets mean nothing without the topic's id."""

    topic: str
    topic_id: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


@dataclass(frozen=True, slots=True)
class Versions:
    """What a block is computed with."""

    price_book: str = ""
    attribution: str = ""
    sender_rules: str = ""  # their whole text; empty: from before there were any


@dataclass(frozen=True, slots=True)
class Block:
    """One offset range of one partition, fixed once: who redoes it books the same range at the same instant."""

    source: SourcePartition
    first_offset: int
    last_offset: int
    fixed_at: datetime  # the block's `booked_at`, and its clock for "is this event from the future?"; the store's clock
    versions: Versions
    generation: int  # of the group, under which it was fixed: an owner that comes later has a higher one
    redone: bool = field(default=False, compare=False)  # by a later owner: a part of what it books may be there
    refusals: str = field(default="", compare=False)  # records refused for their sender, once that is decided

    @property
    def token(self) -> str:
        """The deduplication token of everything the block inserts. Length prefixes keep distinct parts distinct."""
        source = self.source
        start = f"{len(source.topic)}:{source.topic}:{len(source.topic_id)}:{source.topic_id}:{source.partition}"
        return f"{start}:{self.first_offset}-{self.last_offset}"


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """What became of the records of a block: received = booked + duplicates + quarantined."""

    received: int = 0
    booked: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unpriced: int = 0
    unknown_fields: int = 0


@dataclass(frozen=True, slots=True)
class BlockOutput:
    """What a block writes: rows by table, in the order they are inserted, and the counts of its receipt."""

    counts: BlockCounts
    tables: "Mapping[str, pa.Table]" = field(default_factory=dict)
    refusals: str = ""  # what the block's row keeps, because a redo could not find it out again


@dataclass(frozen=True, slots=True)
class Bundle:
    """The records of one partition that one fetch returned, in offset order.

    `reading` numbers the seeks of the consumer: bundles of one reading follow each other without a gap; one of an
    earlier reading was fetched before a seek and must be dropped, for its records are read again.
    """

    reading: int
    records: list[SourceRecord]


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that cannot be accepted, and why."""

    record: SourceRecord
    reason: InvalidReason
    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class DuplicateRecord:
    """A copy that is dropped, and since when the one that counts is booked."""

    record: SourceRecord
    event_id: str
    revision: int
    source: str
    booked_since: datetime
