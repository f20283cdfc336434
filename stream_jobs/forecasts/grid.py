"""The cells that a forecast is made of: hours of UTC, or days of a zone. Plain."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from stream_jobs.base.instants import EPOCH
from stream_jobs.series import calendar
from stream_jobs.series.calendar import Calendar

Step = Literal["hour", "day"]
_HOUR = timedelta(hours=1)
UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells have numbers, as `Panel.first` has them: hours since 1970, or the ordinal of a local date."""

    step: Step
    zone: ZoneInfo = UTC_ZONE

    def __post_init__(self) -> None:
        if self.step == "hour" and self.zone.key != "UTC":
            raise ValueError("hours are those of UTC: a local clock has some twice and others not at all")

    @property
    def calendar(self) -> Calendar:
        return (calendar.hours if self.step == "hour" else calendar.days)(self.zone)

    def cell_at(self, instant: datetime) -> int:
        """The cell that holds it."""
        if self.step == "hour":
            return (instant - EPOCH) // _HOUR
        period = calendar.days(self.zone).period_at(instant)
        assert period is not None
        return period.start.astimezone(self.zone).date().toordinal()

    def start(self, cell: int) -> datetime:
        if self.step == "hour":
            return EPOCH + cell * _HOUR
        return calendar.first_instant(self.zone, date.fromordinal(cell))

    def cells_until(self, first: int, end: datetime) -> int:
        """How many cells from `first` on begin before `end`."""
        if end <= self.start(first):
            return 0
        return self.cell_at(end - timedelta(microseconds=1)) - first + 1
