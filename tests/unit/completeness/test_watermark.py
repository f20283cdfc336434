"""How far the past is known."""

from datetime import UTC, datetime, timedelta

from stream_jobs.completeness.watermark import MAX_WAITING, LogLook, Watermark, minute_of, start_of
from stream_jobs.series.delta import Origin

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
S, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LAST = minute_of(NOON) - 1  # ends at noon


def watermark() -> Watermark:
    return Watermark(20 * S, HOUR)


def counted(*ends: int) -> dict[Origin, int]:
    return {Origin("topic", partition): end for partition, end in enumerate(ends)}


def test_a_minute_is_whole_once_all_is_counted_that_was_in_the_log_after_it() -> None:
    """Of every partition, and however little that is: so an idle installation notices silence."""
    mark = watermark()
    mark.looked(LogLook(NOON + 20 * S, "topic", {0: 10, 1: 5}))
    mark.counted(counted(10, 4))
    assert not mark.whole(LAST)
    mark.counted(counted(12, 5))
    assert mark.whole(LAST)
    assert not mark.whole(LAST + 1)
    mark.looked(LogLook(NOON + 80 * S, "topic", {0: 12, 1: 5}))
    mark.counted(counted(12, 5))
    assert mark.whole(LAST + 1)


def test_a_partition_that_nobody_wrote_to_holds_nothing_up() -> None:
    """It has an end of 0, and one with records that are not counted has not."""
    mark = watermark()
    mark.looked(LogLook(NOON + 20 * S, "topic", {0: 0, 1: 0}))
    mark.counted({})
    assert mark.whole(LAST)
    mark.looked(LogLook(NOON + 80 * S, "topic", {0: 0, 1: 1}))
    mark.counted({})
    assert not mark.whole(LAST + 1)


def test_who_looked_too_early_knows_nothing_of_the_minute() -> None:
    """What happens at its end takes its time to reach Kafka."""
    mark = watermark()
    mark.looked(LogLook(NOON + 19 * S, "topic", {0: 0}))
    mark.counted({})
    assert not mark.whole(LAST)


def test_the_log_is_looked_at_once_for_a_minute_and_not_before_its_grace_is_over() -> None:
    """And again for the next one, also while the first look is not reached."""
    mark = watermark()
    assert not mark.wants_look(LAST, NOON + 19 * S)
    assert mark.wants_look(LAST, NOON + 20 * S)
    mark.looked(LogLook(NOON + 20 * S, "topic", {0: 1}))
    assert not mark.wants_look(LAST, NOON + 70 * S)
    assert mark.wants_look(LAST + 1, NOON + 80 * S)
    mark.counted(counted(1))
    assert not mark.wants_look(LAST, NOON + 90 * S)


def test_a_topic_that_was_made_anew_is_not_waited_for() -> None:
    """Nobody books any more what it held."""
    mark = watermark()
    mark.looked(LogLook(NOON + 20 * S, "topic", {0: 10}))
    mark.looked(LogLook(NOON + 80 * S, "other", {0: 0}))
    mark.counted(counted(3))
    assert mark.whole(LAST)


def test_a_minute_is_given_up_only_after_records_have_waited_for_so_long() -> None:
    """As long as nobody has looked, or all that was seen is counted, nothing is."""
    mark = watermark()
    assert not mark.given_up(LAST, NOON + 9 * HOUR)
    mark.looked(LogLook(NOON + 9 * HOUR, "topic", {0: 1}))
    assert not mark.given_up(LAST, NOON + 10 * HOUR)
    assert mark.given_up(LAST, NOON + 10 * HOUR + S)
    assert not mark.given_up(minute_of(NOON + 10 * HOUR), NOON + 10 * HOUR + S)
    mark.counted(counted(1))
    assert not mark.given_up(LAST, NOON + 10 * HOUR + S)


def test_who_is_behind_is_said_after_some_seconds() -> None:
    """With the first look that is not reached."""
    mark = watermark()
    look = LogLook(NOON, "topic", {0: 7, 1: 2})
    mark.looked(look)
    assert mark.behind(NOON + 4 * S, 5) is None
    assert mark.behind(NOON + 5 * S, 5) is look
    assert look.missing(counted(3)) == {0: 3, 1: 0}
    assert mark.topic_ids == {"topic"}


def test_a_lag_of_days_keeps_few_looks() -> None:
    """The first and the last of them."""
    mark = watermark()
    for number in range(10 * MAX_WAITING):
        mark.looked(LogLook(NOON + number * MINUTE, "topic", {0: number + 1}))
    assert len(mark._waiting) <= MAX_WAITING + 1
    mark.counted(counted(1))
    assert mark.whole(minute_of(NOON - MINUTE) - 1)
    mark.counted(counted(10**6))
    assert mark.whole(minute_of(NOON + (10 * MAX_WAITING - 1) * MINUTE) - 2)


def test_minutes_are_numbered_from_1970() -> None:
    """Also before it."""
    assert start_of(minute_of(NOON + 59 * S)) == NOON
    assert minute_of(datetime(1969, 12, 31, 23, 59, 30, tzinfo=UTC)) == -1


def test_the_past_is_known_until_a_grace_before_the_last_look_that_was_reached() -> None:
    """Nothing is known before the first."""
    mark = watermark()
    assert minute_of(mark.known_until) == 0
    mark.looked(LogLook(NOON + 20 * S, "topic", {0: 10}))
    mark.looked(LogLook(NOON + 80 * S, "topic", {0: 12}))
    mark.counted(counted(11))
    assert mark.known_until == NOON
    mark.counted(counted(12))
    assert mark.known_until == NOON + MINUTE
