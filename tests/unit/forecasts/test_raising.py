"""Whether people are told, from run to run."""

from datetime import UTC, datetime, timedelta

from stream_jobs.base.instants import EPOCH
from stream_jobs.forecasts.raising import NOT_YET, Kept, next_kept
from stream_jobs.series.calendar import Period

MONTH = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
DAY = timedelta(days=1)
TENTH = MONTH.start + 9 * DAY


def day(before: Kept, at: datetime, chance: float, key: str = "2026-11", *, exceeded: bool = False) -> Kept:
    return next_kept(before, "day", at, key, MONTH, chance=chance, exceeded=exceeded)


def test_people_are_told_at_the_second_day_running_and_no_more_once_it_is_cleared() -> None:
    """Since when stands beside it as long as it holds."""
    first = day(NOT_YET, TENTH, 0.9)
    assert first.raised_since == EPOCH
    second = day(first, TENTH + DAY, 0.85)
    assert second.raised_since == TENTH + DAY
    third = day(second, TENTH + 2 * DAY, 0.5)
    assert third.raised_since == TENTH + DAY
    cleared = day(third, TENTH + 3 * DAY, 0.3)
    assert cleared.raised_since == EPOCH


def test_a_run_that_somebody_asked_for_decides_nothing() -> None:
    """Nor one that a restart makes: two within the hour are not two days running."""
    first = day(NOT_YET, TENTH, 0.9)
    assert day(first, TENTH + timedelta(hours=1), 0.9) == first
    hour = next_kept(first, "hour", TENTH + timedelta(hours=1), "2026-11", MONTH, chance=0.9, exceeded=False)
    assert hour.raised_since == TENTH + timedelta(hours=1)


def test_a_new_period_begins_anew_at_once() -> None:
    """However short ago the last evaluation was."""
    raised = day(day(NOT_YET, TENTH, 0.9), TENTH + DAY, 0.9)
    fresh = day(raised, TENTH + DAY + timedelta(hours=1), 0.9, "2026-12")
    assert fresh.raised_since == EPOCH


def test_a_state_that_cannot_be_read_is_none() -> None:
    """Whatever the store holds."""
    for broken in ("{", "[]", '{"period": 3}', '"x"', "1"):
        assert day(Kept(broken, EPOCH, EPOCH), TENTH, 0.9).raised_since == EPOCH
