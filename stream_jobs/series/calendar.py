"""Periods of budgets: which hour, day, week, month, quarter, year, window or stretch of a list an instant belongs to.

A period begins with the first instant at which the local clock shows its first date (or hour). So where the clock jumps
over midnight, a day begins with the jump; where midnight comes twice, with the first one; and an hour that comes twice
is two periods. All but windows tile time: each instant is in exactly one period. Instants are UTC, of the years 2 to
9998.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from spendstream_schemas.budget_feed import END_OF_TOTALS
from stream_jobs.base.instants import EPOCH

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_MONTHS_OF_YEAR: Final = 12
_UTC: Final = ZoneInfo("UTC")


class Period(NamedTuple):
    """Half-open, in UTC."""

    start: datetime
    end: datetime  # the first instant that no longer belongs to it


class Calendar(ABC):
    """Cuts time into periods. Immutable."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone: Final = zone  # whose clock its periods follow

    @abstractmethod
    def period_at(self, instant: datetime) -> Period | None:
        """The period that holds the instant; None where the calendar has none."""

    @abstractmethod
    def period_key(self, period: Period) -> str:
        """A text that is the same for this period in every process and differs for every other of this calendar."""

    def next(self, period: Period) -> Period | None:
        """The period that begins where this one ends (for a window: the next step's)."""
        return self.period_at(period.end)

    def previous(self, period: Period) -> Period | None:
        """The period that ends where this one begins (for a window: the step before)."""
        return self.period_at(period.start - _MICROSECOND)

    def boundaries(self, since: datetime, until: datetime) -> list[datetime]:
        """The starts of all periods (for a window: of all steps) that hold an instant of [since, until), and the end
        of the last one. Rising, so an instant's period is the one at bisect_right(boundaries, instant) - 1.

        Empty where the calendar has no period there; then, and outside of what it covers, an instant has none.
        """
        period = self.period_at(since)
        found = [] if period is None else [period.start]
        while period is not None:
            found.append(period.end)
            period = self.next(period) if period.end < until else None
        return found


class _Hours(Calendar):
    def period_at(self, instant: datetime) -> Period:
        local = instant.astimezone(self.zone)
        start = instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        start = start.astimezone(UTC)
        # A shift of the clock ends an hour, and begins one: where it is half an hour, both are short.
        begins = _first_shift(self.zone, start, instant) or start
        ends = _first_shift(self.zone, instant, start + _HOUR) or start + _HOUR
        return Period(begins, ends)

    def period_key(self, period: Period) -> str:
        """As 2026-11-26T14+01:00: with the offset, which tells the hours apart that come twice."""
        local = period.start.astimezone(self.zone)
        return f"{local:%Y-%m-%dT%H}{local.isoformat()[19:]}"


class _Dates(Calendar):
    """Periods that begin with a local date."""

    def __init__(
        self,
        zone: ZoneInfo,
        first: Callable[[date], date],
        after: Callable[[date], date],
        key: Callable[[date], str],
    ) -> None:
        """`first` gives the first date of the period that holds a date, `after` that of the next period."""
        super().__init__(zone)
        self._first = first
        self._after = after
        self._key = key

    def period_at(self, instant: datetime) -> Period:
        first = self._first(instant.astimezone(self.zone).date())
        # A clock that was put back over midnight shows the date before, but the period has begun: go on to it.
        while instant >= (end := first_instant(self.zone, self._after(first))):
            first = self._after(first)
        return Period(first_instant(self.zone, first), end)

    def period_key(self, period: Period) -> str:
        return self._key(self._first(period.start.astimezone(self.zone).date()))


class _Total(Calendar):
    """One period, and nothing before or after it."""

    def __init__(self, zone: ZoneInfo, first: date, until: date | None) -> None:
        super().__init__(zone)
        end = END_OF_TOTALS if until is None else min(first_instant(zone, until), END_OF_TOTALS)
        self._period = Period(first_instant(zone, first), end)
        self._key = f"since-{first}" if until is None else f"{first}/{until}"

    def period_at(self, instant: datetime) -> Period | None:
        return self._period if self._period.start <= instant < self._period.end else None

    def period_key(self, period: Period) -> str:
        assert period == self._period
        return self._key

    def boundaries(self, since: datetime, until: datetime) -> list[datetime]:
        return super().boundaries(max(since, self._period.start), until) if until > self._period.start else []


class _Listed(Calendar):
    def __init__(self, zone: ZoneInfo, name: str, dates: Sequence[date]) -> None:
        if len(dates) < 2 or any(one >= two for one, two in pairwise(dates)):
            raise ValueError(f"calendar {name!r}: at least two rising dates are needed")
        super().__init__(zone)
        self._name = name
        self._dates = tuple(dates)
        self._starts = [first_instant(zone, day) for day in dates]

    def period_at(self, instant: datetime) -> Period | None:
        index = bisect_right(self._starts, instant)
        return Period(*self._starts[index - 1 : index + 1]) if 0 < index < len(self._starts) else None

    def period_key(self, period: Period) -> str:
        # The last that starts there: where the clock skipped a date, an empty period starts with the one after it.
        return f"{self._name}/{self._dates[bisect_right(self._starts, period.start) - 1]}"

    def boundaries(self, since: datetime, until: datetime) -> list[datetime]:
        return super().boundaries(max(since, self._starts[0]), until) if until > self._starts[0] else []


class Window(Calendar):
    """The time up to now, of a fixed length. It moves in steps, so that what leaves it can be kept per step."""

    def __init__(self, length: timedelta) -> None:
        """Whole hours. Steps are a minute up to 6 hours, 15 minutes up to 3 days, else an hour."""
        if length < _HOUR or length % _HOUR:
            raise ValueError(f"a window is whole hours or days long, not {length}")
        super().__init__(_UTC)
        self.length: Final = length
        minutes = 1 if length <= 6 * _HOUR else 15 if length <= 3 * _DAY else 60
        self.step: Final = timedelta(minutes=minutes)

    def period_at(self, instant: datetime) -> Period:
        """Ends with the step that holds the instant, and begins the window's length before that."""
        end = self.step_start(instant) + self.step
        return Period(end - self.length, end)

    def step_start(self, instant: datetime) -> datetime:
        """The first instant of the step that holds the instant. Steps are the same in every zone."""
        return EPOCH + (instant - EPOCH) // self.step * self.step

    def previous(self, period: Period) -> Period:
        return Period(period.start - self.step, period.end - self.step)

    def boundaries(self, since: datetime, until: datetime) -> list[datetime]:
        start = self.step_start(since)
        steps = max(1, -((start - until) // self.step))
        return [start + index * self.step for index in range(steps + 1)]

    def period_key(self, period: Period) -> str:
        """As 24h@2026-11-26T14:15Z: its length and end."""
        return f"{self.length // _HOUR}h@{period.end:%Y-%m-%dT%H:%MZ}"


def hours(zone: ZoneInfo) -> Calendar:
    """Hours of the local clock; keys as 2026-11-26T14+01:00."""
    return _Hours(zone)


def days(zone: ZoneInfo) -> Calendar:
    """Keys as 2026-11-26."""
    return _Dates(zone, lambda day: day, lambda first: first + _DAY, date.isoformat)


def weeks(zone: ZoneInfo, first_weekday: int = 0) -> Calendar:
    """Weeks that begin on a weekday (0 is Monday); keys as 2026-W48 (ISO 8601), else as 2026-11-22+7d."""

    def key(first: date) -> str:
        year, week, _ = first.isocalendar()
        return f"{first}+7d" if first_weekday else f"{year}-W{week:02}"

    return _Dates(
        zone, lambda day: day - (day.weekday() - first_weekday) % 7 * _DAY, lambda first: first + 7 * _DAY, key
    )


def months(zone: ZoneInfo) -> Calendar:
    """Keys as 2026-11."""
    return _Dates(zone, lambda day: day.replace(day=1), lambda first: _add_months(first, 1), "{:%Y-%m}".format)


def quarters(zone: ZoneInfo, month: int = 1, day: int = 1) -> Calendar:
    """Quarters of the years that begin on this date; keys as 2026-Q4, or FY2026-04-Q3 in the year from April 2026."""
    return _fiscal(zone, 3, month, day)


def years(zone: ZoneInfo, month: int = 1, day: int = 1) -> Calendar:
    """Years that begin on this date (of the 1st to the 28th); keys as 2026, or FY2026-04-06."""
    return _fiscal(zone, _MONTHS_OF_YEAR, month, day)


def listed(zone: ZoneInfo, name: str, dates: Sequence[date]) -> Calendar:
    """Periods that begin on these rising dates, as in 4-4-5 calendars; the last date only ends the last period.

    Keys as NAME/2026-11-02.
    """
    return _Listed(zone, name, dates)


def total(zone: ZoneInfo, first: date, until: date | None = None) -> Calendar:
    """One period from the first date on, up to `until`; without it, up to END_OF_TOTALS. Keys as since-2026-04-01, or
    2026-04-01/2027-04-01."""
    return _Total(zone, first, until)


def _fiscal(zone: ZoneInfo, length: int, month: int, day: int) -> Calendar:
    if not 1 <= day <= 28:
        raise ValueError("a year begins on a day that every month has: the 1st to the 28th")

    def year_of(when: date) -> date:
        start = date(when.year, month, day)
        return start if when >= start else date(when.year - 1, month, day)

    def first(when: date) -> date:
        start = year_of(when)
        passed = (when.year - start.year) * _MONTHS_OF_YEAR + when.month - start.month - (when.day < day)
        return _add_months(start, passed // length * length)

    def key(when: date) -> str:
        year = year_of(when)
        text = f"{year:%Y}" if (month, day) == (1, 1) else f"FY{year:%Y-%m}" if day == 1 else f"FY{year}"
        quarter = ((when.year - year.year) * _MONTHS_OF_YEAR + when.month - year.month) // length + 1
        return text if length == _MONTHS_OF_YEAR else f"{text}-Q{quarter}"

    return _Dates(zone, first, lambda when: _add_months(when, length), key)


def _add_months(day: date, count: int) -> date:
    years_on, month = divmod(day.month - 1 + count, _MONTHS_OF_YEAR)
    year = day.year + years_on
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@lru_cache(maxsize=4096)
def first_instant(zone: ZoneInfo, day: date) -> datetime:
    """The first instant, in UTC, at which the zone's clock shows this date (or a later one, if it was skipped)."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)  # fold=0: the first, where it comes twice
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    # The clock never shows this midnight. With fold=1 Python takes the offset after the jump, so it lies before it.
    before = midnight.replace(fold=1).astimezone(UTC)
    shift = _first_shift(zone, before, instant)
    assert shift is not None, f"{zone.key}: no shift around {midnight}"
    return shift


def _first_shift(zone: ZoneInfo, low: datetime, high: datetime) -> datetime | None:
    """The first instant in (low, high] with another offset than low; at most one shift lies between the two."""
    offset = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == offset:
        return None
    low, high = low.replace(microsecond=0), high.replace(microsecond=0)
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
