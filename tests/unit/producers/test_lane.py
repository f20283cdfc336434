"""`lane`: what one topic does with delivery reports. The client is a list of what was handed to it: the embedded
broker makes every topic it is asked for, so it cannot refuse one.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, Message, Producer

from spendstream.lane import InFlightLimit, Lane, Record
from spendstream.spool import Spool
from spendstream.stats import Counters

NO_MESSAGE = cast("Message", None)


class Handed:
    """Takes messages as a client does, and keeps their delivery reports."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def produce(self, topic: str, *, value: bytes, key: bytes, on_delivery: Any) -> None:
        self.records.append(on_delivery)

    @property
    def keys(self) -> list[bytes]:
        return [record.key for record in self.records]

    @property
    def client(self) -> Producer:
        return cast("Producer", self)


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def lane(tmp_path: Path, counters: Counters) -> Lane:
    return Lane("topic", Spool(tmp_path, 1 << 20, 1 << 18), InFlightLimit(100, 1 << 20), counters, None, durable=False)


def add(lane: Lane, *numbers: int) -> None:
    for number in numbers:
        lane.add(f"k{number}".encode(), b"v")


def clock(lane: Lane) -> Callable[[], float]:
    """A time after every pause the lane has set itself."""
    return lambda: lane._topic_retry_at + 1


def test_a_refused_topic_pauses_and_everything_goes_out_in_order(lane: Lane, counters: Counters) -> None:
    """Unknown topic: what was with the client and what came since is spooled in order, and offered again later."""
    handed = Handed()
    add(lane, 0, 1, 2)
    lane.pump(handed.client, 1.0)
    for record in handed.records:
        record(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), NO_MESSAGE)
    add(lane, 3)
    again = Handed()
    lane.pump(again.client, 1.0)
    assert again.keys == []  # paused
    assert (lane.in_memory, lane.spool_records, lane.client_failure) == (0, 4, None)
    lane.pump(again.client, clock(lane)())
    assert again.keys == [b"k0", b"k1", b"k2", b"k3"]
    for record in again.records:
        record(None, NO_MESSAGE)
    assert (lane.unsettled, lane.away, counters.delivered, counters.replayed) == (0, False, 4, 4)
    assert counters.keyed()[2] == {"topic_refused": 1}


def test_who_counts_what_is_unsettled_misses_nothing_on_its_way() -> None:
    """`flush` looks at any instant: also while messages go to the client, are told of, fail and come back."""
    told: list[int] = []
    moving = Lane(
        "topic", None, InFlightLimit(100, 1 << 20), Counters(), lambda _: told.append(moving.unsettled), False
    )
    seen: list[int] = []

    class Watched(Handed):
        def produce(self, topic: str, *, value: bytes, key: bytes, on_delivery: Any) -> None:
            seen.append(moving.unsettled)
            super().produce(topic, value=value, key=key, on_delivery=on_delivery)

    class Returning(deque[Record]):
        def appendleft(self, record: Record) -> None:
            seen.append(moving.unsettled)
            super().appendleft(record)

    moving.pending = Returning()
    add(moving, 0, 1, 2)
    failing, lost, taking = Watched(), Watched(), Watched()
    moving.pump(failing.client, 1.0)
    for record in failing.records:
        record(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), NO_MESSAGE)
    moving.pump(lost.client, clock(moving)())
    moving.client_gone()
    moving.pump(taking.client, clock(moving)())
    assert seen == [3] * (3 * 3 + 2 * 3)  # handed over three times, taken back twice
    arrived = cast("Message", SimpleNamespace(partition=lambda: 0, offset=lambda: 0))
    for record in taking.records:
        record(None, arrived)
    assert told == [3, 2, 1]
    assert moving.unsettled == 0


def test_a_message_the_broker_will_never_take_is_dropped_and_counted(lane: Lane, counters: Counters) -> None:
    """It does not hold up the others for ever."""
    handed = Handed()
    add(lane, 0, 1)
    lane.pump(handed.client, 1.0)
    handed.records[0](KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), NO_MESSAGE)
    handed.records[1](None, NO_MESSAGE)
    assert lane.unsettled == 0
    assert counters.keyed()[1] == {"refused_by_broker": 1}


def test_reports_of_a_client_that_was_given_up_change_nothing(lane: Lane, counters: Counters) -> None:
    """After client_gone a late report is neither counted nor believed; the message is sent again."""
    handed = Handed()
    add(lane, 0, 1)
    lane.pump(handed.client, 1.0)
    lane.client_gone()
    handed.records[0](None, NO_MESSAGE)
    handed.records[1](KafkaError(KafkaError._PURGE_QUEUE), NO_MESSAGE)
    assert counters.delivered == 0
    again = Handed()
    lane.pump(again.client, 2.0)
    assert again.keys == [b"k0", b"k1"]
    assert lane.spool_records == 2


def test_a_lost_client_rewinds_the_spool_to_what_is_not_acknowledged(lane: Lane) -> None:
    """Of four spooled messages in flight one was acknowledged: the other three go again, in order."""
    lane.away = True
    add(lane, 0, 1, 2, 3)
    handed = Handed()
    lane.pump(handed.client, 1.0)
    handed.records[1](None, NO_MESSAGE)
    lane.client_gone()
    again = Handed()
    lane.pump(again.client, 2.0)
    assert again.keys == [b"k0", b"k2", b"k3"]


def test_an_unproven_broker_is_offered_a_few_messages_only(lane: Lane) -> None:
    """Until one delivery got through, at most 64 are in flight."""
    add(lane, *range(90))
    handed = Handed()
    for _ in range(3):
        lane.pump(handed.client, 1.0)
    assert len(handed.records) == 64
    handed.records[0](None, NO_MESSAGE)
    lane.pump(handed.client, 1.0)
    assert len(handed.records) == 90


def test_what_a_given_up_client_says_late_changes_nothing(lane: Lane) -> None:
    """Its messages are with the next client by then: they are neither failed nor arrived."""
    first, second = Handed(), Handed()
    add(lane, 1)
    lane.pump(first.client, 0.0)
    lane.client_gone()
    lane.pump(second.client, clock(lane)())
    assert second.keys == [b"k1"]
    first.records[0](KafkaError(KafkaError._PURGE_INFLIGHT), NO_MESSAGE)
    first.records[0](None, NO_MESSAGE)
    assert (lane.in_flight, lane.unsettled, lane.client_failure) == (1, 1, None)
