"""Stretches of the period that stand out against the same hours of earlier weeks."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.report.unusual import unusual_spans

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
BUCKETS = (MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)


def _pace(at: datetime) -> int:
    """USD an hour of a company that works from 8 to 19 on workdays, and has a nightly batch at 2."""
    if at.hour == 2:
        return 300
    if at.weekday() >= 5:
        return 5
    return 100 if 8 <= at.hour < 19 else 4


def _traffic(
    start: datetime, end: datetime, bucket: timedelta, pace: Callable[[datetime], int] = _pace
) -> dict[datetime, Decimal]:
    """Costs per bucket, 20 % up or down by chance."""
    chance = random.Random(7)
    found = {}
    for number in range((end - start) // bucket):
        begin = start + bucket * number
        hours = max(1, bucket // HOUR)
        whole = sum(pace(begin + HOUR * hour) for hour in range(hours))
        share = min(Decimal(1), Decimal(bucket // MINUTE) / 60)
        found[begin] = whole * share * (80 + chance.randrange(41)) / 100
    return found


def _spans(
    costs: dict[datetime, Decimal], first: datetime, start: datetime, end: datetime, bucket: timedelta, rows: Any = ()
) -> Any:
    buckets = [start + bucket * number for number in range((end - start) // bucket)]
    return unusual_spans(costs, first, buckets, bucket, lambda *_: rows)


@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("weeks", [2, 4, 8])
def test_nights_weekends_and_what_runs_every_night_are_usual(bucket: timedelta, weeks: int) -> None:
    """An ordinary week has nothing unusual, neither its days, which cost 25 times its nights, nor its batch."""
    first = MONDAY - 7 * weeks * DAY
    costs = _traffic(first, MONDAY + 7 * DAY, bucket)
    spans, unjudged = _spans(costs, first, MONDAY, MONDAY + 7 * DAY, bucket)
    assert spans == ()
    assert unjudged == 0


@pytest.mark.parametrize("bucket", BUCKETS[:3])
@pytest.mark.parametrize("day", [1, 5])
def test_a_burst_at_night_is_found_though_days_cost_more(bucket: timedelta, day: int) -> None:
    """An hour at night that costs 60 USD where 4 or 5 are usual: less than any hour by day, and it has its driver."""
    first = MONDAY - 28 * DAY
    costs = _traffic(first, MONDAY + 7 * DAY, bucket)
    night = MONDAY + day * DAY + 23 * HOUR
    for number in range(HOUR // bucket):
        costs[night + bucket * number] = Decimal(60) * (bucket // MINUTE) / 60
    rows = [("big", Decimal(2), Decimal(12_000)), ("culprit", Decimal(58), Decimal(60))]
    (span,), _ = _spans(costs, first, MONDAY, MONDAY + 7 * DAY, bucket, rows)
    assert (span.start, span.end) == (night, night + HOUR)
    assert span.cost == 60
    assert 3 < span.usual_cost < 6
    assert {driver.name for driver in span.drivers} == {"culprit"}


def test_weeks_with_a_burst_do_not_make_it_usual() -> None:
    """Two bursts in the earlier weeks at the same hour: the median does not move."""
    first = MONDAY - 56 * DAY
    costs = _traffic(first, MONDAY + DAY, HOUR)
    for weeks in (0, 2, 5):
        costs[MONDAY + 4 * HOUR - 7 * weeks * DAY] = Decimal(90)
    (span,), _ = _spans(costs, first, MONDAY, MONDAY + DAY, HOUR)
    assert span.start == MONDAY + 4 * HOUR


def test_what_varies_much_is_not_unusual_when_it_varies() -> None:
    """An hour that cost between 5 and 400 USD in the last weeks may cost 500."""
    first = MONDAY - 56 * DAY
    costs = _traffic(first, MONDAY + DAY, HOUR)
    at = MONDAY + 4 * HOUR
    for number, cost in enumerate((5, 400, 20, 300, 10, 90, 160, 240), 1):
        costs[at - 7 * number * DAY] = Decimal(cost)
    costs[at] = Decimal(500)
    assert _spans(costs, first, MONDAY, MONDAY + DAY, HOUR)[0] == ()


def test_three_times_nearly_nothing_is_nearly_nothing() -> None:
    """An hour in which nothing is ever spent: a cent is not unusual, a hundred dollars are."""
    first = MONDAY - 28 * DAY
    costs = _traffic(first, MONDAY + DAY, HOUR, lambda at: 0 if at.hour < 6 else 50)
    costs[MONDAY + 3 * HOUR] = Decimal("0.01")
    assert _spans(costs, first, MONDAY, MONDAY + DAY, HOUR)[0] == ()
    costs[MONDAY + 3 * HOUR] = Decimal(100)
    (span,), _ = _spans(costs, first, MONDAY, MONDAY + DAY, HOUR)
    assert (span.start, span.usual_cost) == (MONDAY + 3 * HOUR, 0)


@pytest.mark.parametrize(("days", "unjudged"), [(0, 24), (3, 24), (6, 0), (14, 0)])
def test_too_little_history_is_told(days: int, unjudged: int) -> None:
    """A Monday with fewer than four workdays before it cannot be judged, however much an hour of it costs."""
    monday = MONDAY + 7 * DAY
    first = monday - days * DAY
    costs = _traffic(first, monday + DAY, HOUR)
    costs[monday + 3 * HOUR] = Decimal(10_000)
    spans, unknown = _spans(costs, first, monday, monday + DAY, HOUR)
    assert unknown == unjudged
    assert len(spans) == (0 if unjudged else 1)


def test_an_hour_of_the_ledgers_first_day_is_not_compared_with_the_time_before_it() -> None:
    """What nothing is known of is no zero."""
    spans, unknown = _spans({MONDAY: Decimal(5)}, MONDAY, MONDAY, MONDAY + HOUR, MINUTE)
    assert (spans, unknown) == ((), 60)


def test_only_the_most_expensive_spans_are_named_in_the_order_of_time() -> None:
    """A page with thirty warnings says nothing."""
    first = MONDAY - 28 * DAY
    costs = _traffic(first, MONDAY + DAY, HOUR)
    for hour, cost in ((1, 901), (4, 902), (10, 903), (20, 904)):
        costs[MONDAY + hour * HOUR] = Decimal(cost)
    spans, _ = _spans(costs, first, MONDAY, MONDAY + DAY, HOUR)
    assert [int(span.cost) for span in spans] == [902, 903, 904]
