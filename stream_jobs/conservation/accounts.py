"""The accounts of a topic partition's hours, from what the store holds and what the log says. Plain functions.

The store's part is the view `conservation`, which says what each name means; the log adds what only Kafka knows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Final

DIFFERENCES: Final = (
    *("rows_missing", "rows_extra", "receipt_missing", "gap", "overlap", "unbalanced"),
    *("expired_unread", "skipped", "log_lost", "abandoned"),
)
"""Something was lost, doubled or not accounted for: an operator must look."""
EXPLAINED: Final = ("in_flight", "ttl_dropped", "taken_back", "superseded", "no_record", "before_first")
"""Nothing is wrong; the figures just need it to close."""


@dataclass(frozen=True, slots=True)
class HourAccount:
    """What became of the records of one topic partition whose blocks were fixed in one hour."""

    topic: str
    topic_id: str
    partition: int
    hour: datetime  # its beginning
    received: int = 0
    booked: int = 0
    duplicates: int = 0
    quarantined: int = 0
    in_flight: int = 0
    difference: int = 0
    rows_missing: int = 0
    rows_extra: int = 0
    receipt_missing: int = 0
    gap: int = 0
    overlap: int = 0
    unbalanced: int = 0
    ttl_dropped: int = 0
    taken_back: int = 0
    superseded: int = 0
    no_record: int = 0
    before_first: int = 0
    expired_unread: int = 0  # Kafka's retention deleted them before they were booked
    skipped: int = 0  # Kafka holds records at offsets that a finished block covers, and there are no rows for them
    log_lost: int = 0  # the log ends before what was booked from it
    abandoned: int = 0  # taken, not finished, and their topic is gone

    @property
    def names(self) -> dict[str, int]:
        """Everything that is not 0, differences first."""
        return {name: value for name in (*DIFFERENCES, *EXPLAINED) if (value := getattr(self, name))}

    @property
    def closes(self) -> bool:
        """Whether nothing was lost, doubled or left unaccounted for."""
        named = any(getattr(self, name) for name in DIFFERENCES)
        return not named and self.difference == self.ttl_dropped


@dataclass(frozen=True, slots=True)
class PartitionLog:
    """Where a partition begins and ends in Kafka, and what the job's consumer group has committed."""

    start: int
    end: int
    committed: int | None = None


@dataclass(frozen=True, slots=True)
class TopicLog:
    """The partitions of one incarnation of a topic."""

    topic: str
    topic_id: str
    partitions: Mapping[int, PartitionLog]


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far the finished blocks of a partition go, the offsets between them that none covers (end exclusive), and
    offsets for which Kafka turned out to hold a record that has no row."""

    finished_to: int
    holes: tuple[tuple[int, int], ...] = ()
    skipped: int = 0


@dataclass(slots=True)
class Accounts:
    """Every hour looked at. `kafka_error` says why the log was not asked; then in_flight is only what was taken."""

    since: datetime
    hours: list[HourAccount] = field(default_factory=list)
    kafka_error: str | None = None

    @property
    def closes(self) -> bool:
        return all(hour.closes for hour in self.hours)

    def totals(self) -> dict[str, int]:
        counted = [item.name for item in fields(HourAccount) if item.type in (int, "int") and item.name != "partition"]
        return {name: sum(getattr(hour, name) for hour in self.hours) for name in counted}


def with_log(
    hours: Iterable[HourAccount],
    logs: Iterable[TopicLog],
    progress: Mapping[tuple[str, int], PartitionProgress],
    now: datetime,
) -> list[HourAccount]:
    """Add what the log knows: it belongs to the hour of `now`, for the records are there now.

    `progress` is by topic id and partition and must have been read before the logs, or what was booked in between would
    look as if the log had lost it.
    """
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    table = {(hour.topic_id, hour.partition, hour.hour): hour for hour in hours}
    topics = {log.topic: log for log in logs}
    for key, hour in table.items():
        log = topics.get(hour.topic)
        if log is None:
            continue
        if log.topic_id != hour.topic_id:
            # The topic was deleted and made again. What is fresh may just be on its way out of a broker that is being
            # replaced; nobody can read the rest any more.
            if hour.in_flight and hour.hour < this_hour:
                table[key] = replace(hour, in_flight=0, abandoned=hour.in_flight)
        elif hour.partition in log.partitions:
            table[key] = _classified(hour, log.partitions[hour.partition], progress)
    for log in topics.values():
        for partition, there in log.partitions.items():
            key = (log.topic_id, partition, this_hour)
            known = table.get(key) or HourAccount(log.topic, log.topic_id, partition, this_hour)
            done = progress.get((log.topic_id, partition))
            found = _now(known, there, done)
            if key in table or found != known:
                table[key] = found
    return sorted(table.values(), key=lambda hour: (hour.topic, hour.topic_id, hour.partition, hour.hour))


def _classified(
    hour: HourAccount, there: PartitionLog, progress: Mapping[tuple[str, int], PartitionProgress]
) -> HourAccount:
    """What was taken and is not finished is part of what the log still holds: it is counted there. A gap whose records
    Kafka no longer holds was left by retention."""
    done = progress.get((hour.topic_id, hour.partition))
    expired = 0
    if done is not None and hour.gap:
        in_holes = sum(end - begin for begin, end in done.holes)
        gone = sum(max(0, min(end, there.start) - begin) for begin, end in done.holes)
        # The view knows how large the holes of an hour are, not which: all of them have gone, or this many of them.
        expired = hour.gap if gone == in_holes else min(hour.gap, gone)
    return replace(hour, in_flight=0, gap=hour.gap - expired, expired_unread=expired)


def _now(hour: HourAccount, there: PartitionLog, done: PartitionProgress | None) -> HourAccount:
    if done is None:
        return replace(hour, in_flight=there.end - there.start, before_first=there.start)
    return replace(
        hour,
        in_flight=max(0, there.end - max(done.finished_to, there.start)),
        expired_unread=hour.expired_unread + max(0, there.start - done.finished_to),
        log_lost=max(0, done.finished_to - there.end),
        skipped=done.skipped,
    )
