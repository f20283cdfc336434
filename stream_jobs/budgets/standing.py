"""Where a budget stands in a period, and which thresholds that crosses. Pure functions of numbers and instants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from spendstream_schemas.budget_feed import END_OF_TOTALS
from stream_jobs.base.money import divide_half_even
from stream_jobs.budget_terms.units import IN_USD, Unit
from stream_jobs.budgets.outlook import Outlook
from stream_jobs.series.calendar import Period

HOUR: Final = timedelta(hours=1)
PERCENT_PLACES: Final = 1_000
"""Percents have up to three decimal places: shares are compared as integers of a thousandth of a percent."""
FORECAST_HYSTERESIS: Final = Decimal("0.95")
"""What it comes to at the rate of lately must fall to this share of a threshold that it was above before it counts as
below: it moves all the time."""
FORECAST_FROM_SHARE: Final = 10
"""A tenth of a period must have passed before its end is forecast from it."""
WINDOW_KEY: Final = "window"
"""The period key of a rolling window, which has no periods."""
MOST_PERCENT: Final = 10**5
"""Of a threshold that is foretold."""
NEVER_HOURS: Final = 24 * 366 * 10
"""What lasts longer than that is never used up."""
_MICROSECOND: Final = timedelta(microseconds=1)
_THOUSANDTH: Final = Decimal(1).scaleb(-3)


class ThresholdKey(NamedTuple):
    """A threshold of a budget: percents of the amount, or an amount in the budget's unit; the other one is 0."""

    kind: Literal["actual", "forecast"]
    percent: Decimal
    amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one budget, for one combination of values, in one period. Amounts are 1e-12 of what is counted: pico-USD."""

    period: Period
    rolling: bool
    amount: int  # of the period, with credits and what was carried over; zero or less where nothing may be spent
    spent: int
    unpriced: int  # events without a price
    held: int  # for those, at what each may have cost; not part of `spent`
    burn: int | None = None  # per hour, lately
    forecast: int | None = (
        None  # what will have been used at the period's end, at this rate: no forecast but a rule of three
    )
    exhausted_at: datetime | None = None  # when nothing will be left, at this rate
    flat: int = 0  # of those without a price, events whose model nobody knows: held at the budget's flat bound
    unit: Unit = IN_USD  # what the budget is stated in
    credit: int = 0  # what the amount has of credits, or less for cuts
    next_kept: int | None = (
        None  # as it is kept: what the next period begins with, where the policy says another amount
    )
    outlook: Outlook | None = None  # what the job 'forecasts' says, of this amount

    @property
    def endless(self) -> bool:
        """Whether there is no end whose figures could be foretold."""
        return self.rolling or self.period.end >= END_OF_TOTALS

    @property
    def used(self) -> int:
        """Spent and held: what thresholds and policies look at."""
        return self.spent + self.held

    def foretold(self, burn: int | None, now: datetime) -> "Standing":
        """The same, with what it comes to if it goes on at `burn` per hour."""
        forecast, exhausted_at = projected(self, burn, now)
        return Standing(
            *(self.period, self.rolling, self.amount, self.spent, self.unpriced, self.held),
            *(burn, forecast, exhausted_at, self.flat, self.unit, self.credit),
            self.next_kept,
            self.outlook,
        )

    @property
    def band(self) -> tuple[int, int, int] | None:
        """P10, P50 and P90 of what will have been used at the period's end: at least what is used by now, which the
        forecast may not have known. None: there is no forecast that is up to date."""
        outlook = self.outlook
        if outlook is None or outlook.is_stale:
            return None
        p10, p50, p90 = (
            max(self.used, self.unit.pico(self.unit.stated(kept))) for kept in (outlook.p10, outlook.p50, outlook.p90)
        )
        return p10, p50, p90

    @property
    def expected(self) -> int | None:
        """What will have been used at the period's end: by the forecast, and where there is none at the present
        rate."""
        return self.forecast if self.band is None else self.band[1]

    def percent_of(self, key: ThresholdKey) -> Decimal:
        """What a threshold is of the amount, as forecasts name it; 0: they say nothing of it."""
        if not key.amount:
            return key.percent.quantize(_THOUSANDTH)
        of = self.unit.pico(key.amount) * 100
        if not 0 < of < self.amount * MOST_PERCENT:
            return Decimal(0)
        return (Decimal(of) / Decimal(self.amount)).quantize(_THOUSANDTH)

    def reaches(self, percent: Decimal, used: int | None = None) -> bool:
        """Whether so much of the amount is used. Nothing used reaches nothing."""
        used = self.used if used is None else used
        return used > 0 and used * 100 * PERCENT_PLACES >= self.amount * int(percent * PERCENT_PLACES)

    def crosses(self, key: ThresholdKey, used: int | None = None, share: Decimal = Decimal(1)) -> bool:
        """Whether so much is used that the threshold is crossed, or this share of it. As integers, exactly."""
        if not key.amount:
            return self.reaches(key.percent * share, used)
        used = self.used if used is None else used
        return used > 0 and used * 100 >= self.unit.pico(key.amount) * int(share * 100)


def projected(standing: Standing, burn: int | None, now: datetime) -> tuple[int | None, datetime | None]:
    """The forecast at the period's end and the instant of exhaustion, if it goes on at `burn` per hour.

    No forecast for what has no end, for a period that is over, or before enough of it has passed.
    """
    period = standing.period
    if burn is None or not period.start <= now < period.end:
        return None, None
    exhausted_at = None
    left = standing.amount - standing.used
    if burn > 0 and left > 0 and left // burn < NEVER_HOURS:
        exhausted_at = now + (left * (HOUR // _MICROSECOND) // burn) * _MICROSECOND
    if standing.endless:
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


class Lowest:
    """The lowest of some thresholds: most users of a hundred thousand are below it, and none of them has to be looked
    at one threshold after the other."""

    def __init__(self, keys: Sequence[ThresholdKey]) -> None:
        self._only_percents = not any(key.amount for key in keys)
        self._actual, self._forecast = (
            min((int(key.percent * PERCENT_PLACES) for key in keys if key.kind == kind), default=None)
            for kind in ("actual", "forecast")
        )

    def is_above(self, standing: Standing) -> bool:
        """Whether it is certain that none of the thresholds holds that did not hold before."""
        amount, forecast = standing.amount, standing.forecast
        if amount < 0 or not self._only_percents or (standing.outlook is not None and standing.outlook.is_raised):
            return False
        used = standing.used
        if self._actual is not None and used > 0 and used * 100 * PERCENT_PLACES >= amount * self._actual:
            return False
        return (
            self._forecast is None
            or forecast is None
            or forecast <= 0
            or forecast * 100 * PERCENT_PLACES < amount * self._forecast
        )


def crossed_now(
    standing: Standing, keys: Sequence[ThresholdKey], before: Mapping[ThresholdKey, datetime]
) -> set[ThresholdKey]:
    """The thresholds of these that hold now, given those that held before. The forecast stays silent once the amount
    itself is used up, or the one that it is about: there is nothing left to foretell."""
    found = {key for key in keys if key.kind == "actual" and standing.crosses(key)}
    if not standing.reaches(Decimal(100)):
        for key in keys:
            is_used = key.amount and standing.crosses(key)
            if key.kind == "forecast" and not is_used and _is_foretold(standing, key, is_open=key in before):
                found.add(key)
    return found


def _is_foretold(standing: Standing, key: ThresholdKey, *, is_open: bool) -> bool:
    """By the forecast, where there is one that is up to date, else at the rate of lately. `is_open`: people are told.
    What a forecast has raised that is stale by now is held: for want of a newer one nothing gets smaller."""
    outlook = standing.outlook
    if outlook is not None and (chance := outlook.chances.get(standing.percent_of(key))) is not None:
        if not outlook.is_stale:
            return chance.holds(is_open=is_open)
        if is_open and chance.raised_since is not None:
            return True
    share = FORECAST_HYSTERESIS if is_open else Decimal(1)
    return standing.forecast is not None and standing.crosses(key, standing.forecast, share)
