"""How far the past is known: up to which instant everything that reached Kafka is counted.

Nothing that the deltas say tells silence from a delta that has not come: so the ends of Kafka's log are looked at. Once
every record that was in the log at an instant T is in a block that was counted, then all that had reached Kafka by T is
counted, whether that is much or nothing, and a minute is whole that ended GRACE before T. A partition whose booking
lags, a delta that was lost, a broker that does not answer: each of them keeps the watermark where it is. What a service
sends later than GRACE after it happened is late, which nobody can know beforehand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from stream_jobs.base.instants import EPOCH
from stream_jobs.series.delta import Origin

MAX_WAITING: Final = 240
"""Looks at the log that are not reached yet; one a minute, so many hours of lag."""
MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LogLook:
    """Where the log of usage events ended, at some instant after `at`."""

    at: datetime  # by the store's clock, which blocks are booked by
    topic_id: str
    ends: Mapping[int, int]  # by partition, the offset after the last record

    def missing(self, counted: Mapping[Origin, int]) -> dict[int, int]:
        """Partitions with records that are not counted, and the first offset that is not."""
        first = {partition: counted.get(Origin(self.topic_id, partition), 0) for partition in self.ends}
        return {partition: offset for partition, offset in first.items() if offset < self.ends[partition]}


class Watermark:
    """Used by one thread."""

    def __init__(self, grace: timedelta, patience: timedelta) -> None:
        self._grace = grace
        self._patience = patience
        self._reached = EPOCH
        self._waiting: list[LogLook] = []

    @property
    def known_until(self) -> datetime:
        """Everything that had happened by then, and reached Kafka in time, is counted; never goes back."""
        return self._reached - self._grace if self._reached > EPOCH else EPOCH

    @property
    def topic_ids(self) -> set[str]:
        """Of the looks that are not reached."""
        return {look.topic_id for look in self._waiting}

    def looked(self, look: LogLook) -> None:
        """The log was looked at. A topic that was made anew has nothing in it that the one before had: what that held
        and nobody booked is lost, and not waited for."""
        self._waiting = [one for one in self._waiting if one.topic_id == look.topic_id]
        if len(self._waiting) >= MAX_WAITING:
            del self._waiting[1::2]
        self._waiting.append(look)

    def counted(self, offsets: Mapping[Origin, int]) -> None:
        """Everything before these offsets is counted."""
        while self._waiting and not self._waiting[0].missing(offsets):
            self._reached = self._waiting.pop(0).at

    def behind(self, now: datetime, for_s: float) -> LogLook | None:
        """The first look at the log that is not reached though so many seconds have passed since."""
        if self._waiting and now - self._waiting[0].at >= timedelta(seconds=for_s):
            return self._waiting[0]
        return None

    def wants_look(self, minute: int, now: datetime) -> bool:
        """Whether looking at the log now could tell that this minute is whole."""
        whole_at = _end(minute) + self._grace
        if self._reached >= whole_at:
            return False
        return now >= whole_at and not any(one.at >= whole_at for one in self._waiting)

    def whole(self, minute: int) -> bool:
        """Whether everything is counted that had happened in it and reached Kafka in time."""
        return _end(minute) + self._grace <= self._reached

    def given_up(self, minute: int, now: datetime) -> bool:
        """Whether it waited for as long as a minute is waited for, and records for as long: what it held is not
        known. As long as nobody knows whether records wait, nothing is given up."""
        if self.whole(minute) or not self._waiting:
            return False
        return now - self._patience > max(_end(minute) + self._grace, self._waiting[0].at)


def _end(minute: int) -> datetime:
    return EPOCH + (minute + 1) * MINUTE


def minute_of(instant: datetime) -> int:
    """The minute that holds an instant, in minutes since 1970."""
    return (instant - EPOCH) // MINUTE


def start_of(minute: int) -> datetime:
    return EPOCH + minute * MINUTE
