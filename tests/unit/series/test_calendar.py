"""Periods: what begins when, in zones whose clocks jump."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from spendstream_schemas.budget_feed import END_OF_TOTALS
from stream_jobs.base.instants import time_zone
from stream_jobs.series import calendar
from stream_jobs.series.calendar import Calendar, Period, Window

MICROSECOND = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(found: Calendar, since: str, until: str) -> list[str]:
    return [f"{instant:%dT%H:%M}" for instant in found.boundaries(at(since), at(until))]


def period_at(found: Calendar, text: str) -> Period:
    period = found.period_at(at(text))
    assert period is not None
    return period


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("Europe/Berlin", "2024-03-31", "2024-03-30T23:00", 23),
        ("Europe/Berlin", "2024-10-27", "2024-10-26T22:00", 25),
        ("America/Havana", "2024-11-03", "2024-11-03T04:00", 25),  # midnight comes twice: the first one
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00", 23),  # the clock jumps over midnight
        ("America/Santiago", "2024-09-08", "2024-09-08T04:00", 23),
        ("Asia/Beirut", "2024-10-26", "2024-10-25T21:00", 25),  # at midnight the clock shows 23:00 again
        ("Australia/Lord_Howe", "2024-10-06", "2024-10-05T13:30", 23.5),  # half an hour
        ("Asia/Kathmandu", "2024-10-06", "2024-10-05T18:15", 24),
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30", 25),  # put back at 00:01: the day had begun
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30", 23.5),  # the clock jumps from 23:30 to 00:30
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00", 24),  # there was no 30th
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00", 24),
    ],
)
def test_a_day_begins_with_the_first_instant_of_its_date(zone: str, day: str, start: str, hours: float) -> None:
    """Instants worked out by hand from the rules of the zones, of years that no new rule changes any more."""
    days = calendar.days(ZoneInfo(zone))
    period = Period(at(start), at(start) + timedelta(hours=hours))
    for instant in (period.start, period.start + timedelta(minutes=5), period.end - MICROSECOND):
        assert days.period_at(instant) == period
    assert days.period_key(period) == day


def test_no_period_is_made_for_a_date_that_was_skipped() -> None:
    """Samoa went from the 29th to the 31st."""
    days = calendar.days(ZoneInfo("Pacific/Apia"))
    period = period_at(days, "2011-12-29T12:00")
    following = days.next(period)
    assert following is not None
    assert days.period_key(following) == "2011-12-31"
    assert days.previous(following) == period


def test_the_repeated_minutes_of_a_day_that_had_begun_belong_to_it() -> None:
    """St John's put its clock back at 00:01: for 59 minutes it showed the day before again."""
    days = calendar.days(ZoneInfo("America/St_Johns"))
    assert days.period_key(period_at(days, "2006-10-29T03:00")) == "2006-10-29"
    assert days.period_key(period_at(days, "2006-10-29T02:29")) == "2006-10-28"


def test_an_hour_that_comes_twice_is_two_periods() -> None:
    """The offset in the key tells them apart."""
    hours = calendar.hours(ZoneInfo("Europe/Berlin"))
    first, second = period_at(hours, "2024-10-27T00:30"), period_at(hours, "2024-10-27T01:30")
    assert hours.next(first) == second
    assert hours.period_key(first) == "2024-10-27T02+02:00"
    assert hours.period_key(second) == "2024-10-27T02+01:00"


@pytest.mark.parametrize(
    ("zone", "since", "until", "expected"),
    [
        ("Europe/Berlin", "2024-03-31T00:10", "2024-03-31T02:00", ["31T00:00", "31T01:00", "31T02:00"]),
        ("Asia/Kathmandu", "2024-03-31T00:10", "2024-03-31T02:00", ["30T23:15", "31T00:15", "31T01:15", "31T02:15"]),
        # 02:00 becomes 01:30: the hour from 01 is whole, and comes again for half an hour.
        (
            "Australia/Lord_Howe",
            "2024-04-06T14:00",
            "2024-04-06T16:30",
            ["06T14:00", "06T15:00", "06T15:30", "06T16:30"],
        ),
        # 02:00 becomes 02:30: the hour from 02 has only its second half.
        (
            "Australia/Lord_Howe",
            "2024-10-05T14:30",
            "2024-10-05T17:00",
            ["05T14:30", "05T15:30", "05T16:00", "05T17:00"],
        ),
    ],
)
def test_hours_are_those_of_the_local_clock(zone: str, since: str, until: str, expected: list[str]) -> None:
    """Zones of half and quarter hours, and a shift by half an hour."""
    assert starts(calendar.hours(ZoneInfo(zone)), since, until) == expected


@pytest.mark.parametrize(
    ("found", "instant", "start", "end", "key"),
    [
        (calendar.weeks(ZoneInfo("UTC")), "2026-11-26T14:00", "2026-11-23", "2026-11-30", "2026-W48"),
        (calendar.weeks(ZoneInfo("UTC")), "2027-01-01T00:00", "2026-12-28", "2027-01-04", "2026-W53"),
        (calendar.weeks(ZoneInfo("UTC"), 6), "2026-11-26T14:00", "2026-11-22", "2026-11-29", "2026-11-22+7d"),
        (calendar.months(ZoneInfo("UTC")), "2028-02-29T23:59", "2028-02-01", "2028-03-01", "2028-02"),
        (calendar.months(ZoneInfo("UTC")), "2026-12-31T23:59", "2026-12-01", "2027-01-01", "2026-12"),
        (calendar.days(ZoneInfo("UTC")), "2028-02-29T23:59", "2028-02-29", "2028-03-01", "2028-02-29"),
        (calendar.quarters(ZoneInfo("UTC")), "2026-11-26T14:00", "2026-10-01", "2027-01-01", "2026-Q4"),
        (calendar.quarters(ZoneInfo("UTC"), 4), "2026-11-26T14:00", "2026-10-01", "2027-01-01", "FY2026-04-Q3"),
        (calendar.quarters(ZoneInfo("UTC"), 2), "2027-01-26T14:00", "2026-11-01", "2027-02-01", "FY2026-02-Q4"),
        (calendar.quarters(ZoneInfo("UTC"), 4, 6), "2027-01-05T23:00", "2026-10-06", "2027-01-06", "FY2026-04-06-Q3"),
        (calendar.quarters(ZoneInfo("UTC"), 4, 6), "2027-01-06T00:00", "2027-01-06", "2027-04-06", "FY2026-04-06-Q4"),
        (calendar.years(ZoneInfo("UTC")), "2028-12-31T23:00", "2028-01-01", "2029-01-01", "2028"),
        (calendar.years(ZoneInfo("UTC"), 4, 6), "2027-04-05T23:00", "2026-04-06", "2027-04-06", "FY2026-04-06"),
    ],
)
def test_longer_periods(found: Calendar, instant: str, start: str, end: str, key: str) -> None:
    """Weeks by ISO or from another day, leap days, fiscal quarters and years."""
    period = Period(at(start), at(end))
    assert found.period_at(at(instant)) == period
    assert found.period_key(period) == key


def test_a_listed_calendar_has_the_periods_of_its_list() -> None:
    """The last date ends the last period; before and after there is none."""
    dates = [date(2026, 2, 2), date(2026, 3, 2), date(2026, 3, 30), date(2026, 5, 4)]
    found = calendar.listed(ZoneInfo("Europe/Berlin"), "retail", dates)
    assert found.period_at(at("2026-02-01T22:59")) is None
    first = period_at(found, "2026-02-01T23:00")
    assert found.period_key(first) == "retail/2026-02-02"
    assert found.previous(first) is None
    last = period_at(found, "2026-05-03T21:59")
    assert last == Period(at("2026-03-29T22:00"), at("2026-05-03T22:00"))
    assert found.next(last) is None
    assert starts(found, "2020-01-01", "2026-03-02") == ["01T23:00", "01T23:00", "29T22:00"]
    assert starts(found, "2026-04-01", "2030-01-01") == ["29T22:00", "03T22:00"]
    assert starts(found, "2020-01-01", "2021-01-01") == starts(found, "2027-01-01", "2028-01-01") == []
    with pytest.raises(ValueError, match="at least two rising dates"):
        calendar.listed(ZoneInfo("UTC"), "x", [date(2026, 1, 1), date(2026, 1, 1)])


def test_a_listed_date_that_was_skipped_begins_an_empty_period() -> None:
    """Nothing can fall into it, and the keys of the others stay theirs."""
    dates = [date(2011, 12, 29), date(2011, 12, 30), date(2011, 12, 31), date(2012, 1, 1)]
    found = calendar.listed(ZoneInfo("Pacific/Apia"), "x", dates)
    keys = [found.period_key(period_at(found, text)) for text in ("2011-12-30T09:59", "2011-12-30T10:00")]
    assert keys == ["x/2011-12-29", "x/2011-12-31"]


def test_a_total_is_one_period_and_nothing_else() -> None:
    """From its first local date on; without an end up to one that the store still holds."""
    berlin = ZoneInfo("Europe/Berlin")
    never = calendar.total(berlin, date(2026, 4, 1))
    period = Period(at("2026-03-31T22:00"), END_OF_TOTALS)
    assert never.period_at(period.start) == never.period_at(at("2049-12-31")) == period
    assert never.period_at(period.start - MICROSECOND) is never.period_at(period.end) is None
    assert (never.previous(period), never.next(period)) == (None, None)
    assert never.period_key(period) == "since-2026-04-01"
    assert never.boundaries(at("2020-01-01"), at("2027-01-01")) == list(period)
    assert never.boundaries(at("2020-01-01"), period.start) == []
    ends = calendar.total(berlin, date(2026, 4, 1), date(2027, 4, 1))
    assert ends.period_at(at("2026-12-01")) == Period(period.start, at("2027-03-31T22:00"))
    assert ends.period_key(period_at(ends, "2026-12-01")) == "2026-04-01/2027-04-01"


@pytest.mark.parametrize(("length", "step_minutes"), [(1, 1), (6, 1), (7, 15), (72, 15), (73, 60), (24 * 366, 60)])
def test_a_window_moves_in_steps(length: int, step_minutes: int) -> None:
    """It ends with the step that holds the instant, so it never misses what is newest."""
    window = Window(timedelta(hours=length))
    step = timedelta(minutes=step_minutes)
    instant = at("2026-11-26T14:37:22.5")
    period = window.period_at(instant)
    assert window.step == step
    assert period.end - step <= instant < period.end
    assert period.end - period.start == timedelta(hours=length)
    assert window.next(period) == Period(period.start + step, period.end + step)
    assert window.previous(window.next(period) or period) == period
    assert window.boundaries(instant, instant + 2 * step) == [period.end + (index - 1) * step for index in range(4)]
    assert window.boundaries(period.end, period.end + step) == [period.end, period.end + step]


def test_the_key_of_a_window_says_its_length_and_end() -> None:
    """Two windows of different length have different keys at every moment."""
    window = Window(timedelta(days=1))
    assert window.period_key(window.period_at(at("2026-11-26T14:37"))) == "24h@2026-11-26T14:45Z"
    for length in (timedelta(0), timedelta(minutes=90), timedelta(hours=-1)):
        with pytest.raises(ValueError, match="whole hours or days"):
            Window(length)


@pytest.mark.parametrize("name", ["Berlin", "", "/etc/passwd", "../x", "Europe", "right/UTC", "localtime", "x" * 300])
def test_what_is_no_zone_is_refused(name: str) -> None:
    """With the same words whatever the machine's folder of zones holds."""
    with pytest.raises(ValueError, match="an IANA name such as"):
        time_zone(name)


def test_a_year_cannot_begin_on_a_day_that_some_months_lack() -> None:
    """The quarter after 31 January would begin when?"""
    with pytest.raises(ValueError, match="1st to the 28th"):
        calendar.quarters(ZoneInfo("UTC"), 1, 31)
