"""Leads a consumer past batches that librdkafka cannot unpack: too large, or no batch at all.

Whoever may write to a topic decides what is in its batches, and not every broker looks inside. librdkafka asks for such
a batch again and again, with an error or without a word, and nothing behind it ever comes. Here reading goes on behind
it: in steps that double, and then by halves back to the first offset that can be read, so that nothing else is missed.
Messages may come twice on the way.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

STUCK_AFTER_S: Final = 3.0
_ASK_TIMEOUT_S: Final = 1.0
BAD_BATCH: Final = frozenset({KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG, KafkaError.INVALID_MSG})


@dataclass(slots=True)
class _Place:
    """Of one partition."""

    next: int | None = None  # the offset that is to come; None: where the partition begins
    quiet_since: float | None = None  # the broker answers since, has more, and nothing has come
    low: int | None = None  # an offset that cannot be read; None: nothing is wrong
    high: int | None = None  # one behind it that can
    step: int = 1


class UnreadableBatches:
    """For one assignment of one topic. `skipped` is told the partition and the offsets that nobody could read."""

    def __init__(self, consumer: Any, topic: str, partitions: int, skipped: Callable[[int, int, int], None]) -> None:
        self._consumer = consumer
        self._topic = topic
        self._skipped = skipped
        self._places = {number: _Place() for number in range(partitions)}
        # Not at once: nothing stands still yet, and a client that only connects would be waited for.
        self._look_at = time.monotonic() + STUCK_AFTER_S / 3

    def pass_by(self, message: Message) -> None:
        """It has come: a message, or an error."""
        partition, offset, error = message.partition(), message.offset(), message.error()
        place = self._places.get(-1 if partition is None else partition)
        if place is None or partition is None or offset is None or offset < 0:
            return
        if error is not None:
            if error.code() in BAD_BATCH:
                self._failed(partition, place, max(offset, place.next or 0))
            return
        place.next, place.quiet_since = offset + 1, None
        if place.low is not None:
            place.high = offset if place.high is None else min(offset, place.high)
            self._narrow(partition, place, there=True)

    def look(self) -> None:
        """Whether something has stood still. Asks the broker, a second at most, once in a while."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + STUCK_AFTER_S / 3
        for partition, place in self._places.items():
            try:
                found = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), _ASK_TIMEOUT_S)
            except KafkaException:
                found = None
            at = None if found is None else max(place.next or 0, found[0])
            if found is None or at is None or at >= found[1]:
                place.quiet_since = None
            elif place.quiet_since is None:
                place.quiet_since = now
            elif now - place.quiet_since >= STUCK_AFTER_S:
                self._failed(partition, place, at)

    def _failed(self, partition: int, place: _Place, at: int) -> None:
        place.low = at if place.low is None else max(at, place.low)
        place.quiet_since = None
        if place.high is not None:
            self._narrow(partition, place, there=False)
            return
        try:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), _ASK_TIMEOUT_S)
        except KafkaException:
            return  # asked again by `look`
        if place.low + 1 >= end:  # there is nothing behind it yet
            self._skipped(partition, place.low, end)
            self._seek(partition, place, end)
            place.low, place.step = None, 1
            return
        self._seek(partition, place, min(place.low + place.step, end - 1))
        place.step *= 2

    def _narrow(self, partition: int, place: _Place, *, there: bool) -> None:
        """`there`: the next that comes is the one behind `high`."""
        assert place.low is not None
        assert place.high is not None
        if place.high - place.low > 1:
            self._seek(partition, place, (place.low + place.high) // 2)
            return
        self._skipped(partition, place.low, place.high)
        if not there:
            self._seek(partition, place, place.high)
        place.low, place.high, place.step = None, None, 1

    def _seek(self, partition: int, place: _Place, offset: int) -> None:
        place.next = offset
        with contextlib.suppress(KafkaException):  # then it goes on standing still, and `look` sees that
            self._consumer.seek(TopicPartition(self._topic, partition, offset))
