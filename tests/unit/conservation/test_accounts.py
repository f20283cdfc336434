"""What the log adds to the store's accounts: each of its differences by name, and none where there is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.conservation.accounts import (
    DIFFERENCES,
    EXPLAINED,
    Accounts,
    HourAccount,
    PartitionLog,
    PartitionProgress,
    TopicLog,
    with_log,
)

NOW = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)
HOUR = NOW.replace(minute=0)
EARLIER = HourAccount("t", "id", 0, HOUR - timedelta(hours=1), received=100, booked=90, duplicates=6, quarantined=4)


def log(start: int = 0, end: int = 100, topic_id: str = "id") -> TopicLog:
    return TopicLog("t", topic_id, {0: PartitionLog(start, end)})


def progress(finished_to: int = 100, **facts: object) -> dict[tuple[str, int], PartitionProgress]:
    return {("id", 0): PartitionProgress(finished_to, **facts)}  # type: ignore[arg-type]


def with_one(name: str) -> HourAccount:
    changes: dict[str, Any] = {name: 1}
    return replace(EARLIER, **changes)


def named(hours: list[HourAccount]) -> list[tuple[datetime, dict[str, int]]]:
    return [(hour.hour, hour.names) for hour in hours if hour.names]


def test_a_log_that_is_booked_to_its_end_adds_nothing() -> None:
    """No hour appears out of nothing."""
    assert with_log([EARLIER], [log()], progress(), NOW) == [EARLIER]


def test_what_waits_in_kafka_is_in_flight_now() -> None:
    """It belongs to the current hour; what the store knew as taken is part of it, not beside it."""
    taken = replace(EARLIER, in_flight=10)
    hours = with_log([taken], [log(end=150)], progress(), NOW)
    assert named(hours) == [(HOUR, {"in_flight": 50})]
    assert all(hour.closes for hour in hours)


def test_a_partition_that_nobody_books_is_all_in_flight() -> None:
    """No finished block yet: everything the log holds waits."""
    hours = with_log([], [log(start=20, end=50)], {}, NOW)
    assert named(hours) == [(HOUR, {"in_flight": 30, "before_first": 20})]


def test_records_that_kafka_deleted_before_they_were_booked() -> None:
    """The log begins behind the last finished block: they are lost, and it is said so."""
    hours = with_log([EARLIER], [log(start=130, end=150)], progress(), NOW)
    assert named(hours) == [(HOUR, {"expired_unread": 30, "in_flight": 20})]
    assert not all(hour.closes for hour in hours)


def test_a_gap_that_kafka_no_longer_holds_was_left_by_its_retention() -> None:
    """The part of a gap before the log's start is gone; the rest was skipped although it is there."""
    gap = replace(EARLIER, gap=20)
    hours = with_log([gap], [log(start=45)], progress(holes=((30, 50),)), NOW)
    assert named(hours) == [(EARLIER.hour, {"gap": 5, "expired_unread": 15})]
    hours = with_log([gap], [log(start=60)], progress(holes=((30, 50),)), NOW)
    assert named(hours) == [(EARLIER.hour, {"expired_unread": 20})]


def test_a_log_that_ends_before_what_was_booked_has_lost_records() -> None:
    """A broker that came back without its last records: producers believe they are there."""
    hours = with_log([EARLIER], [log(end=80)], progress(), NOW)
    assert named(hours) == [(HOUR, {"log_lost": 20})]


def test_records_that_the_log_holds_and_no_row_tells_were_skipped() -> None:
    """A finished block that covers an offset without a row, and Kafka has a record there."""
    hours = with_log([EARLIER], [log()], progress(skipped=2), NOW)
    assert named(hours) == [(HOUR, {"skipped": 2})]


def test_what_was_taken_from_a_topic_that_is_gone_is_abandoned() -> None:
    """An earlier hour's unfinished block of a deleted topic cannot be redone; a fresh one may still be on its way."""
    hours = with_log([replace(EARLIER, in_flight=7)], [log(end=0, topic_id="new")], {}, NOW)
    assert named(hours) == [(EARLIER.hour, {"abandoned": 7})]
    fresh = replace(EARLIER, in_flight=7, hour=HOUR)
    assert named(with_log([fresh], [log(end=0, topic_id="new")], {}, NOW)) == [(HOUR, {"in_flight": 7})]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_does_not_close(name: str) -> None:
    """Each of them alone is reason enough to look."""
    assert not with_one(name).closes
    assert not Accounts(NOW, [EARLIER, with_one(name)]).closes


@pytest.mark.parametrize("name", EXPLAINED)
def test_an_explanation_closes(name: str) -> None:
    """What retention dropped is missing from the sum, and that is all right."""
    assert replace(with_one(name), difference=int(name == "ttl_dropped")).closes


def test_an_unnamed_difference_does_not_close() -> None:
    """The sums disagree and nothing says why."""
    assert not replace(EARLIER, difference=1).closes


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_every_offset_of_the_log_is_booked_waiting_or_lost(start: int, length: int, finished_to: int) -> None:
    """Between the last finished block and the log's end nothing is left out: the figures add up to the distance."""
    end = start + length
    (hour,) = with_log([replace(EARLIER, hour=HOUR)], [log(start, end)], progress(finished_to), NOW)
    assert finished_to + hour.expired_unread + hour.in_flight - hour.log_lost == max(end, start)


def test_the_totals_are_the_sums() -> None:
    """Over all partitions and hours, name by name."""
    accounts = Accounts(NOW, [EARLIER, replace(EARLIER, partition=1, in_flight=5)])
    assert {name: number for name, number in accounts.totals().items() if number} == {
        "received": 200,
        "booked": 180,
        "duplicates": 12,
        "quarantined": 8,
        "in_flight": 5,
    }
