"""What became of records: asked by their offsets, because that is what the pipeline accounts by."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from spendstream.kafka_client import OUTCOME_TOPIC, USAGE_TOPIC
from spendstream_traffic.replay.ranges import ERA, Range, SentRanges

_RANGES_PER_QUERY: Final = 100
_BOOKED: Final = {
    USAGE_TOPIC: "SELECT count(), countIf(unpriced_reason != '') FROM ledger WHERE entry_kind = 'charge'",
    OUTCOME_TOPIC: "SELECT count(), 0 FROM outcomes WHERE entry_kind = 'charge'",
}


@dataclass(frozen=True, slots=True)
class FateCounts:
    """Every record ends as one of the first three; `unpriced` are among the booked."""

    booked: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unpriced: int = 0

    @property
    def known(self) -> int:
        return self.booked + self.duplicates + self.quarantined

    def __add__(self, other: "FateCounts") -> "FateCounts":
        return FateCounts(
            self.booked + other.booked,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            self.unpriced + other.unpriced,
        )


class Fates(Protocol):
    """Where fates are looked up. Both may raise RetryError when the store does not answer."""

    def finished_to(self, topic: str) -> dict[int, int]:
        """By partition, the offset before which everything is booked, dropped or quarantined."""

    def count(self, sent: SentRanges) -> FateCounts:
        """The fates known so far of exactly these offsets."""


class Rows(Protocol):
    """The part of a store client that is needed here."""

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[object, ...]]: ...


class StoreFates:
    """Fates from the ledger, the duplicates and the quarantine: `topic_ids` are those of each era, see ranges.ERA."""

    def __init__(self, store: Rows, *topic_ids: str) -> None:
        self._store = store
        self._topic_ids = topic_ids

    def finished_to(self, topic: str) -> dict[int, int]:
        ends: dict[int, int] = {}
        for era, topic_id in enumerate(self._topic_ids):
            rows = self._store.rows(
                "SELECT partition, max(last_offset) + 1 FROM block_receipts "
                "WHERE topic = {topic:String} AND topic_id = {topic_id:String} GROUP BY partition",
                {"topic": topic, "topic_id": topic_id},
            )
            ends |= {era * ERA + _number(partition): _number(offset) for partition, offset in rows}
        return ends

    def count(self, sent: SentRanges) -> FateCounts:
        total = FateCounts()
        for partition, ranges in _batches(sent):
            where = (
                "topic_id = {topic_id:String} AND partition = {partition:UInt32} "
                "AND offset BETWEEN {low:UInt64} AND {high:UInt64} "
                "AND arrayExists((a, b) -> offset BETWEEN a AND b, {firsts:Array(UInt64)}, {lasts:Array(UInt64)})"
            )
            parameters: dict[str, Any] = {
                "topic_id": self._topic_ids[partition // ERA],
                "partition": partition % ERA,
                "low": ranges[0][0],
                "high": ranges[-1][1],
                "firsts": [first for first, _ in ranges],
                "lasts": [last for _, last in ranges],
            }
            ((booked, unpriced),) = self._store.rows(f"{_BOOKED[sent.topic]} AND {where}", parameters)
            ((duplicates,),) = self._store.rows(f"SELECT count() FROM duplicates WHERE {where}", parameters)
            ((quarantined,),) = self._store.rows(f"SELECT count() FROM quarantine WHERE {where}", parameters)
            total += FateCounts(_number(booked), _number(duplicates), _number(quarantined), _number(unpriced))
        return total


def _batches(sent: SentRanges) -> Iterator[tuple[int, tuple[Range, ...]]]:
    for partition, ranges in sent.partitions.items():
        for start in range(0, len(ranges), _RANGES_PER_QUERY):
            yield partition, ranges[start : start + _RANGES_PER_QUERY]


def _number(value: object) -> int:
    return int(str(value))
