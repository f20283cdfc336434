"""Records that wait in Kafka: more than booking should leave there, or with booking standing still."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.base.readable import clock, took
from stream_jobs.blocks.progress import booked_to
from stream_jobs.conservation.log import JOB_OF, first_record, topic_log
from stream_jobs.data_quality.finding import Finding, Result, command, decades, result
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.runtime.kafka import LogEnds
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

CHECK: Final = "consumer_lag"
_STALLED: Final = 20
"""Levels above any number of records that merely wait."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records of one partition that are not booked yet."""

    topic: str
    topic_id: str
    partition: int
    next_offset: int  # the first of them
    records: int
    since: datetime  # nothing was booked since then, as far as this process has seen
    oldest: datetime | None = None  # when the first of them was made, if that was looked up and it says so

    @property
    def key(self) -> tuple[str, int]:
        return self.topic_id, self.partition


class Progress:
    """Since when booking stands where it stands. Only what this process has seen counts: clocks of producers do not."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], tuple[int, datetime, bool]] = {}

    def saw(
        self, topic_id: str, partition: int, next_offset: int, waiting: int, now: datetime
    ) -> tuple[datetime, bool]:
        """(Since when nothing was booked though records wait, whether it may have been so before we first looked)."""
        before = self._seen.get((topic_id, partition))
        if waiting and before is not None and before[0] == next_offset:
            state = before
        else:
            state = (next_offset, now, bool(waiting) and before is None)
        self._seen[topic_id, partition] = state
        return state[1:]


class LagCheck:
    """Keeps what it has seen from look to look."""

    def __init__(self, kafka: KafkaSettings, settings: DataQualitySettings) -> None:
        self._kafka = kafka
        self._settings = settings
        self._ends: LogEnds | None = None
        self._progress = Progress()

    def look(self, store: StoreClient, now: datetime) -> Result:
        """Incomplete without an answer of the broker, and until it has looked at a partition for long enough to tell.
        Raises StoreUnavailableError."""
        found: list[Waiting] = []
        complete = True
        for topic in JOB_OF:
            try:
                waiting, known = self._of(store, topic, now)
            except BrokerUnavailableError as error:
                log.warning("cannot see what waits in %s: %s", topic, error)
                known = False
            else:
                found += waiting
            complete &= known
        return result(CHECK, findings(found, self._settings, now), complete=complete)

    def _of(self, store: StoreClient, topic: str, now: datetime) -> tuple[list[Waiting], bool]:
        if self._ends is None:
            self._ends = LogEnds(self._kafka)
        # The ends first: what is booked in between must not look as if it waited.
        there = topic_log(self._kafka, self._ends, topic)
        booked = booked_to(store, topic, there.topic_id)
        found, complete = [], True
        for number, partition in there.partitions.items():
            next_offset = max(booked.get(number, 0), partition.start)
            records = max(0, partition.end - next_offset)
            since, unsure = self._progress.saw(there.topic_id, number, next_offset, records, now)
            item = Waiting(topic, there.topic_id, number, next_offset, records, since)
            if alarming(item, self._settings, now):
                first = first_record(self._kafka, topic, number, next_offset)
                if first is None:
                    continue  # transaction markers take offsets, too; no record waits there
                found.append(Waiting(topic, there.topic_id, number, next_offset, records, since, first[1]))
            elif records and unsure:
                complete = False  # it may stand still for longer than we have looked
        return found, complete


def alarming(item: Waiting, settings: DataQualitySettings, now: datetime) -> bool:
    return item.records >= settings.lag_records or stalled(item, settings, now)


def stalled(item: Waiting, settings: DataQualitySettings, now: datetime) -> bool:
    return item.records > 0 and now - item.since >= timedelta(seconds=settings.stalled_s)


def findings(found: Iterable[Waiting], settings: DataQualitySettings, now: datetime) -> Iterable[Finding]:
    """One for each partition in which too much waits, or too long."""
    for item in found:
        if not alarming(item, settings, now):
            continue
        still = stalled(item, settings, now)
        job = JOB_OF.get(item.topic, "")
        where = f"{item.topic}[{item.partition}]"
        facts = {
            "waiting": f"{item.records:,} records from offset {item.next_offset:,} on",
            "allowed": f"fewer than {settings.lag_records:,} records, and no standstill of "
            f"{took(timedelta(seconds=settings.stalled_s))}",
        }
        if item.oldest is not None:
            facts["oldest"] = f"sent {took(now - item.oldest)} ago, {clock(item.oldest)} UTC"
        if still:
            facts["last booked"] = f"before {clock(item.since)} UTC"
        yield Finding(
            check=CHECK,
            subject=(item.topic, str(item.partition)),
            name="BookingStalled" if still else "ConsumerLag",
            severity="critical" if still else "warning",
            summary=f"{job}: {item.records:,} records wait in {where}, "
            + (f"none was booked for {took(now - item.since)}" if still else "booking does not keep up"),
            facts=facts,
            action=_action(still, item.topic, job),
            causes=_causes(still),
            labels={"topic": item.topic, "partition": str(item.partition), "job": job},
            level=decades(item.records) + (_STALLED if still else 0),
            value=Decimal(item.records),
            since=item.since if still else None,
        )


def _causes(still: bool) -> tuple[str, ...]:
    if still:
        return (
            "no worker of the job runs, or none is in its consumer group",
            "a worker cannot insert into ClickHouse and tries again: its log says why",
            "a record that the job crashes on: the worker's log ends with it",
        )
    return ("more is sent than the workers can book", "workers that were away are catching up")


def _action(still: bool, topic: str, job: str) -> str:
    look = f"{command('status')} and {command('conservation', '--topic', topic)} show where it stands"
    if still:
        return f"Nothing is lost, but budgets do not see this spend. {look}; read the log of the worker of {job}"
    return f"{look}. If it grows: more workers of {job}, up to one for each partition"
