"""What is said of budgets at one instant after the other, each by what lies before it alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from spendstream_schemas.budget_feed import END_OF_TOTALS
from stream_jobs.cli.forecast_amounts import Planned
from stream_jobs.cli.forecast_spend import LocalDays, Spend, instant_of
from stream_jobs.forecasting.breach import NEVER, Breach, Days, breach_of
from stream_jobs.forecasting.daily import METHOD, standing
from stream_jobs.forecasting.day_ahead import DayAhead
from stream_jobs.forecasting.day_outlook import MOST_DAYS, DayOutlook
from stream_jobs.forecasting.protocol import State, evaluate
from stream_jobs.series.calendar import Period, Window

Told = Callable[[int, int], None]
ENDLESS_DAYS: Final = 365  # that are looked ahead where a period has no end
HALF_A_DAY_S: Final = 12 * 3600
NAMES: Final = ("p10", "p50", "p90")


@dataclass(slots=True)
class _Zone:
    days: LocalDays
    places: dict[str, int]
    instants: list[datetime]
    outlook: DayOutlook | None = None
    ahead: dict[int, DayAhead] = field(default_factory=dict)


def evaluations(
    plan: Sequence[Planned], spend: Spend, at: Sequence[datetime | date], told: Told = lambda _done, _of: None
) -> Iterator[dict[str, Any]]:
    """In the order of time, of all budgets at each instant. `at`: what was asked for, in any order; a date is the
    beginning of that day where the budget is."""
    zones: dict[str, _Zone] = {}
    for key in dict.fromkeys(planned.zone.key for planned in plan):
        inside = [planned for planned in plan if planned.zone.key == key]
        zones[key] = _zone(inside, spend, at)
    states = [State()] * len(plan)
    asked = sorted(
        (instant, number) for number, planned in enumerate(plan) for instant in zones[planned.zone.key].instants
    )
    for done, (instant, number) in enumerate(asked):
        planned = plan[number]
        states[number], answer = _evaluate(planned, zones[planned.zone.key], instant, states[number])
        yield answer
        if done % 256 == 0:
            told(done, len(asked))
    told(len(asked), len(asked))


def _zone(plan: Sequence[Planned], spend: Spend, at: Sequence[datetime | date]) -> _Zone:
    names = [planned.name for planned in plan if planned.name in set(spend.names)]
    days = LocalDays(spend, names, plan[0].zone)
    instants = sorted({instant_of(one, plan[0].zone) for one in at})
    found = _Zone(days, {name: place for place, name in enumerate(names)}, instants)
    first, end = days.panel.first, days.panel.origin
    origins = {min(days.date_of(instant), end) for instant in instants if days.date_of(instant) > first}
    if names and origins:
        longest = max((_horizon(planned, instant, days) for planned in plan for instant in instants), default=0)
        found.outlook = DayOutlook(days.panel, min(longest, MOST_DAYS), asked=origins)
    return found


def _horizon(planned: Planned, instant: datetime, days: LocalDays) -> int:
    period = _period(planned, instant)
    if isinstance(period, str):
        return 0
    if period.end >= END_OF_TOTALS:
        return MOST_DAYS
    today = days.date_of(instant)
    late = max(0, today - days.panel.origin)
    return min(days.date_of(period.end) - today + late + 10, MOST_DAYS)


def _period(planned: Planned, instant: datetime) -> Period | str:
    """Or why there is none that days can be forecast to the end of."""
    if isinstance(planned.calendar, Window):
        return "a rolling period has no end"
    if not planned.in_force(instant):
        return "the budget is not in force"
    period = planned.calendar.period_at(instant)
    if period is None:
        return "its calendar has no period that holds this instant"
    if (period.end - period.start).total_seconds() < HALF_A_DAY_S:
        return "an hour's end is nothing that days can tell"
    return period


def _evaluate(planned: Planned, zone: _Zone, instant: datetime, state: State) -> tuple[State, dict[str, Any]]:
    answer: dict[str, Any] = {"budget": planned.name, "at": instant, "period": None, "amount": planned.amount}
    nothing = {"spent": None, "probability": None, "dates": _named(NEVER), "total": _named(NEVER), "alert": "none"}
    nothing |= {"label": "refused", "method": "none"}
    period = _period(planned, instant)
    if isinstance(period, str):
        return state, answer | nothing | {"why": period}
    answer["period"] = {"start": period.start, "end": period.end}
    place, days, today = zone.places.get(planned.name), zone.days, zone.days.date_of(instant)
    if place is None:
        return state, answer | nothing | {"why": planned.note or "the file has no spend of it"}
    if zone.outlook is None or today <= days.first_known[place]:
        return state, answer | nothing | {"why": "no whole day of it is known yet"}
    origin = min(today, days.panel.origin)
    if origin not in zone.ahead:  # evaluations come in the order of time
        zone.ahead = {origin: zone.outlook.ahead(origin, _longest(zone))}
    found = _Standing(planned, period, days, zone.ahead[origin], place, today, instant)
    label, why = standing(zone.ahead[origin], place, today - origin)
    breach = found.breach(refused=label == "refused")
    exceeded = found.spent > found.amount
    chance = None if breach is None or found.endless else breach.probability
    elapsed = instant - period.start
    state, did = evaluate(
        state,
        period=planned.calendar.period_key(period),
        length=period.end - period.start,
        elapsed=elapsed,
        chance=chance,
        exceeded=exceeded,
    )
    notes = [why, planned.note, *found.notes()]
    told = {
        "spent": _amount(found.spent),
        "probability": 1.0 if exceeded else None if chance is None else round(chance, 6),
        "dates": found.dates(breach),
        "total": _named(NEVER if breach is None or found.endless else tuple(map(_amount, breach.total))),
        "alert": did,
        "label": label,
        "method": "none" if label == "refused" else METHOD,
        "why": "; ".join(note for note in notes if note),
    }
    return state, answer | told


def _longest(zone: _Zone) -> int:
    assert zone.outlook is not None
    return zone.outlook.horizon


class _Standing:
    """Of a budget whose spend is known, at an instant."""

    def __init__(
        self,
        planned: Planned,
        period: Period,
        days: LocalDays,
        ahead: DayAhead,
        series: int,
        today: int,
        instant: datetime,
    ) -> None:
        self._days, self._ahead, self._series, self._today = days, ahead, series, today
        self._start = days.date_of(period.start)
        self.amount = float(planned.amount) * (1 + 1e-12)  # sums of floats
        self.endless = period.end >= END_OF_TOTALS
        ends = today + ENDLESS_DAYS if self.endless else days.date_of(period.end)
        self._missing = days.unknown(series, self._start, today)
        self._left = min(ends - today + self._missing, ahead.horizon)
        self.endless |= self._left < ends - today
        self._known_today, self._over = days.today(series, today, instant)
        self.spent = days.spent(series, self._start, today) + self._known_today

    def breach(self, *, refused: bool) -> Breach | None:
        if refused:
            return None
        sums = self._ahead.sums(self._series, self._left)
        passed = self._over * float(self._ahead.rate[self._series, 0]) if self._over else 0.0
        return breach_of(self.spent, self.amount, sums, passed)

    def dates(self, breach: Breach | None) -> dict[str, Any]:
        if self.spent > self.amount:
            day = self._days.passed_on(self._series, self._start, self._today, self.amount)
            return _named((date.fromordinal(self._today if day is None else day),) * 3)
        days: Days = NEVER if breach is None else breach.days
        late = (None if day is None else self._today + max(0, day - self._missing) for day in days)
        return _named(tuple(None if day is None else date.fromordinal(day) for day in late))

    def notes(self) -> list[str]:
        found = []
        first = int(self._days.first_known[self._series])
        if first > self._start:
            found.append(f"what was spent before {date.fromordinal(first)} is not in the file")
        if self._missing:
            plural = "day of the period is" if self._missing == 1 else "days of the period are"
            found.append(f"{self._missing} {plural} not known and forecast, too")
        if self.endless:
            found.append(f"no end within {ENDLESS_DAYS} days: dates are of these alone")
        return found


def _named(three: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(NAMES, three, strict=True))


def _amount(value: float) -> Decimal:
    return Decimal(f"{value:.12g}")
