"""Where a budget stands in a period, and which thresholds that crosses. Pure functions of numbers and instants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from stream_jobs.base.money import divide_half_even
from stream_jobs.series.calendar import Period

HOUR: Final = timedelta(hours=1)
PERCENT_PLACES: Final = 1_000
"""Percents have up to three decimal places: shares are compared as integers of a thousandth of a percent."""
FORECAST_HYSTERESIS: Final = Decimal("0.95")
"""A forecast that was above a threshold must fall to this share of it before it counts as below: it moves all the
time."""
FORECAST_FROM_SHARE: Final = 10
"""A tenth of a period must have passed before its end is forecast from it."""
NEVER_HOURS: Final = 24 * 366 * 10
"""What lasts longer than that is never used up."""
_MICROSECOND: Final = timedelta(microseconds=1)


class ThresholdKey(NamedTuple):
    """A threshold of a budget."""

    kind: Literal["actual", "forecast"]
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one budget, for one combination of values, in one period. Money is pico-USD."""

    period: Period
    rolling: bool
    amount: int  # of the period, with what was carried over; zero or less when more was carried than there is
    spent: int
    unpriced: int  # events without a price
    held: int  # for those, at what each may have cost; not part of `spent`
    burn: int | None = None  # per hour, lately
    forecast: int | None = None  # what will have been used at the period's end
    exhausted_at: datetime | None = None  # when nothing will be left
    flat: int = 0  # of those without a price, events whose model nobody knows: held at the budget's flat bound

    @property
    def used(self) -> int:
        """Spent and held: what thresholds and policies look at."""
        return self.spent + self.held

    def reaches(self, percent: Decimal, used: int | None = None) -> bool:
        """Whether so much of the amount is used. Nothing used reaches nothing."""
        used = self.used if used is None else used
        return used > 0 and used * 100 * PERCENT_PLACES >= self.amount * int(percent * PERCENT_PLACES)


def projected(standing: Standing, burn: int | None, now: datetime) -> tuple[int | None, datetime | None]:
    """The forecast at the period's end and the instant of exhaustion, if it goes on at `burn` per hour.

    No forecast for a rolling window, which has no end, for a period that is over, or before enough of it has passed.
    """
    period = standing.period
    if burn is None or not period.start <= now < period.end:
        return None, None
    exhausted_at = None
    left = standing.amount - standing.used
    if burn > 0 and left > 0 and left // burn < NEVER_HOURS:
        exhausted_at = now + (left * (HOUR // _MICROSECOND) // burn) * _MICROSECOND
    if standing.rolling:
        return None, exhausted_at
    if exhausted_at is not None and exhausted_at >= period.end:
        exhausted_at = None  # the next period begins before that
    if (now - period.start) * FORECAST_FROM_SHARE < period.end - period.start:
        return None, exhausted_at
    return standing.used + burn * ((period.end - now) // _MICROSECOND) // (HOUR // _MICROSECOND), exhausted_at


def mean_burn(standing: Standing, now: datetime) -> int | None:
    """What is used per hour, over what has passed of the period."""
    passed = min(now, standing.period.end) - standing.period.start
    micros = passed // _MICROSECOND
    return divide_half_even(standing.used * (HOUR // _MICROSECOND), micros) if micros > 0 else None


def crossed_now(
    standing: Standing, actual: Sequence[Decimal], forecast: Sequence[Decimal], before: Mapping[ThresholdKey, datetime]
) -> set[ThresholdKey]:
    """The thresholds that hold now, given those that held before. The forecast stays silent once the amount itself is
    used up: there is nothing left to foretell."""
    found = {ThresholdKey("actual", percent) for percent in actual if standing.reaches(percent)}
    if standing.forecast is not None and not standing.reaches(Decimal(100)):
        for percent in forecast:
            key = ThresholdKey("forecast", percent)
            bound = percent * FORECAST_HYSTERESIS if key in before else percent
            if standing.reaches(bound, standing.forecast):
                found.add(key)
    return found
