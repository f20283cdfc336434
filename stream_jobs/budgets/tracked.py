"""One budget that is watched: its counters, and where it stands for one combination of values in one period."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.base.money import PICO_PLACES, pico_from_usd
from stream_jobs.budget_terms.document import Budget, Threshold
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budget_terms.units import IN_USD, Unit
from stream_jobs.budgets.next_period import NextPeriod
from stream_jobs.budgets.standing import Lowest, Standing, ThresholdKey, mean_burn
from stream_jobs.series.calendar import Period, Window, first_instant
from stream_jobs.series.counters import Counters, Touched
from stream_jobs.series.facts import Facts, Sums, Values
from stream_jobs.series.measures import places_of
from stream_jobs.series.sums import LedgerSums, Vector

KEEP_PERIODS: Final = timedelta(days=2)
"""How long after its end a period stays in memory."""
_HOURS: Final = timedelta(hours=1)
_MICROSECOND: Final = timedelta(microseconds=1)
BURN_SPANS: Final = (  # of a period of at most so long, the time that "lately" means
    (timedelta(hours=2), timedelta(minutes=10)),
    (timedelta(hours=36), timedelta(hours=1)),
    (timedelta(days=8), timedelta(hours=6)),
    (timedelta(days=32), timedelta(hours=24)),
    (timedelta(days=95), timedelta(hours=72)),
)
LONGEST_BURN_SPAN: Final = timedelta(days=7)


def burn_span(length: timedelta) -> timedelta:
    """Over how much of the past the burn rate of a period of this length is taken."""
    return next((span for longest, span in BURN_SPANS if length <= longest), LONGEST_BURN_SPAN)


def threshold_keys(budget: Budget) -> list[ThresholdKey]:
    """Of all its thresholds."""
    actual = [key_of("actual", threshold) for threshold in budget.thresholds.actual]
    return actual + [key_of("forecast", threshold) for threshold in budget.thresholds.forecast]


def key_of(kind: Literal["actual", "forecast"], threshold: Threshold) -> ThresholdKey:
    nothing = Decimal(0)
    return ThresholdKey(kind, threshold.at_percent or nothing, threshold.at_amount or nothing)


class Tracked:
    """See the module. Used by one thread."""

    def __init__(self, budget: Budget, budgets: Budgets) -> None:
        self.budget = budget
        self.counters = Counters(budgets.series_of(budget))
        self.keys = threshold_keys(budget)
        self.lowest = Lowest(self.keys)
        places = places_of(self.counters.spec.measure)
        self.scale: int = 10 ** (PICO_PLACES - places)  # what is counted of a sum's last place, in 1e-12
        self._budgets = budgets
        self.current: Period | None = None  # by the last `load` or `advance`; a rolling window's moves
        self.in_force = False  # by the last `load` or `advance`
        # Of a budget per value the mean of the period so far is all there is: the minutes of a hundred thousand users
        # are too many to keep.
        self._recent: Counters | None = None
        self._span = timedelta(0)
        self._recent_window: Period | None = None
        self._carried: dict[tuple[int, Values], int] = {}
        self._carried_from = 0
        self._amounts: dict[datetime, int] = {}  # by the start of a period: as stated
        self._next: NextPeriod | None = None

    def uses(self, budgets: Budgets) -> bool:
        """Whether this can go on under other budgets: nothing that concerns it has changed."""
        budget_id = self.budget.id
        return budgets.get(budget_id) == self.budget and budgets.document.model_copy(
            update={"budgets": ()}
        ) == self._budgets.document.model_copy(update={"budgets": ()})

    def use_credits(self, budgets: Budgets) -> None:
        """Those of other budgets under which this goes on."""
        self._budgets, self._next = budgets, None
        self._carried.clear()

    # -- loading and moving on

    def load(self, sums: LedgerSums, vector: Vector, now: datetime) -> None:
        """Everything that is needed at `now`, from the ledger. Raises StoreUnavailableError."""
        self.current = self.counters.calendar.period_at(now)
        self.in_force = self._budgets.in_force(self.budget, now)
        sums.load(self.counters, self._wanted(self.current, now), vector)
        if self.current is not None and not self.budget.per:
            self._span = burn_span(self.current.end - self.current.start)
            window = Window(max(_HOURS, self._span))
            self._recent = Counters(replace(self.counters.spec, calendar=window))
            sums.load(self._recent, self._recent.cells_of(window.period_at(now)), vector)
        self._carried.clear()

    def read_anew(self, sums: LedgerSums, vector: Vector) -> set[tuple[int, Values]]:
        """Everything that is loaded, from the ledger. Returns what is different. Raises StoreUnavailableError, and then
        may be repeated."""
        before = self.counters.copy()
        for counters in (self.counters, self._recent):
            if counters is not None:
                sums.load(counters, counters.cells, vector)
        self._carried.clear()
        return self.counters.differences(before)

    def _wanted(self, current: Period | None, now: datetime) -> list[int]:
        """The cells of the current period, and of the one before it until that is long over; back to where carrying
        over began."""
        calendar = self.counters.calendar
        if current is None:
            return []
        if self.counters.rolling:
            return self.counters.cells_of(current)
        before = calendar.previous(current)
        first = current.start if before is None or before.end <= now - KEEP_PERIODS else before.start
        if self.budget.carry_over is not None:
            since = first_instant(self._budgets.zone_of(self.budget), self.budget.carry_over.since)
            holds_it = calendar.period_at(since)
            self._carried_from = unix_micros(since if holds_it is None else holds_it.start)
            first = min(first, since)
        return [unix_micros(bound) for bound in calendar.boundaries(first, current.end)[:-1]]

    def load_missing(self, cells: set[int], sums: LedgerSums, vector: Vector, now: datetime) -> set[int]:
        """Load cells that something late came for; of a rolling window, only what is still in it. Returns which."""
        if self.counters.rolling:
            window = self.counters.calendar.period_at(now)
            assert window is not None
            cells = {cell for cell in cells if window.start <= from_unix_micros(cell) < window.end}
        wanted = sorted(cell for cell in cells if not self.counters.is_loaded(cell))
        sums.load(self.counters, wanted, vector)
        self._carried.clear()
        return set(wanted)

    def advance(
        self, sums: LedgerSums, vector: Vector, now: datetime, horizon: int | None = None
    ) -> tuple[bool, set[Values]]:
        """Move on to `now`. Returns whether another period began, and the values that time itself has changed.
        `horizon` as in LedgerSums.load_new."""
        changed: set[Values] = set()
        if self._recent is not None and (recent := self._recent.calendar.period_at(now)) != self._recent_window:
            assert recent is not None
            self._recent.forget(recent.start)
            sums.load_new(self._recent, self._recent.cells_of(recent), vector, horizon)
            self._recent_window = recent
        current = self.counters.calendar.period_at(now)
        if current == self.current:
            return False, changed
        # Of a window history keeps a row per hour.
        anew = (
            not self.counters.rolling
            or self.current is None
            or current is None
            or current.end.hour != self.current.end.hour
        )
        if current is not None:
            sums.load_new(self.counters, self._wanted(current, now), vector, horizon)
            if self.counters.rolling:
                changed = self.counters.forget(current.start)
                if anew:
                    changed = changed | self.counters.values_in(current)
            elif self.budget.carry_over is not None and self.budget.per:
                cells = map(from_unix_micros, self.counters.cells)
                changed = {values for cell in cells for values in self.counters.values_in(Period(cell, cell))}
        self.current = current
        self._carried.clear()
        self._amounts.clear()
        if anew or not self.budget.per:
            changed = changed | self.told_anyway()
        return True, changed

    def carries_into(self, cell: int) -> list[Period]:
        """The periods after it, up to the current one, whose amounts depend on what it leaves."""
        if self.budget.carry_over is None or self.counters.rolling or cell < self._carried_from or not self.current:
            return []
        bound = unix_micros(self.current.start)
        found = (self.counters.cell_of(from_unix_micros(one)) for one in self.counters.cells if cell < one <= bound)
        return [period for period in found if period is not None]

    def comes_into_force(self, now: datetime) -> bool:
        """Whether it does so with this call, by its valid_from."""
        before, self.in_force = self.in_force, self._budgets.in_force(self.budget, now)
        return self.in_force and not before

    def forget_old(self, now: datetime) -> None:
        """Drop periods that are long over, unless what they left is still carried."""
        if not self.counters.rolling:
            before = now - KEEP_PERIODS
            if self.budget.carry_over is not None:
                before = min(before, from_unix_micros(self._carried_from))
            self.counters.forget(before)

    def told_anyway(self) -> set[Values]:
        """The values that stand somewhere in the present period before anything is spent: all of a budget that is per
        nothing; of one per value those with an amount of their own, in the file or by a credit. Whoever asks for them
        would else take the amount of all others for theirs."""
        if self.current is None:
            return set()
        if not self.budget.per:
            return {()}
        found: set[Values] = {(value,) for value in self.budget.amounts if value}
        if not self.counters.rolling:
            credited = self._budgets.credits.values_in(self.budget.id, self.counters.calendar, self.current)
            credited |= self._after(self.current).credited  # what stands now says what comes next
            # It may have had other fields in `per` when they were credited.
            found |= {values for values in credited if len(values) == len(self.budget.per)}
        return found

    def is_next(self, period: Period) -> bool:
        """Whether it follows the present one, which then says what it begins with."""
        return self.current is not None and self._after(self.current).period == period

    def _after(self, current: Period) -> NextPeriod:
        if self._next is None or self._next.current != current:
            self._next = NextPeriod(self._budgets, self.budget, current)
        return self._next

    # -- counting

    def add(self, facts: Facts) -> Touched:
        if self._recent is not None:
            self._recent.add(facts)  # what is not loaded there is not recent
        touched = self.counters.add(facts)
        if self.current is None or any(cell < unix_micros(self.current.start) for cell, _ in touched.changed):
            self._carried.clear()
        return touched

    def correct(self, sums: LedgerSums, vector: Vector) -> set[tuple[int, Values]]:
        """Read anew what corrections have added. Returns what is different. Raises StoreUnavailableError."""
        asked = [(one, sums.corrected(one, vector)) for one in (self.counters, self._recent) if one is not None]
        # Nothing fails from here on: what is different is found once.
        changed = [one.correct(corrections) for one, corrections in asked]
        self._carried.clear()
        return changed[0]

    # -- where it stands

    @property
    def counts_since(self) -> datetime | None:
        """When the first period began whose entries count in the present one; None of a window, and without one."""
        if self.current is None or self.counters.rolling:
            return None
        return self.current.start if self.budget.carry_over is None else from_unix_micros(self.counters.cells[0])

    def period_of(self, cell: int) -> Period | None:
        """The period that a cell counts for: its own, or the window as it is now."""
        return self.current if self.counters.rolling else self.counters.cell_of(from_unix_micros(cell))

    def counts_in(self, period: Period, now: datetime) -> bool:
        """Whether the budget is in force now, or was when the period ended."""
        return self._budgets.in_force(self.budget, min(now, period.end - _MICROSECOND))

    def holds(self, period: Period) -> bool:
        """Whether all of the period is in memory."""
        return all(map(self.counters.is_loaded, self.counters.cells_of(period)))

    def standing(self, period: Period, values: Values, now: datetime) -> Standing:
        """Of a period whose cells are loaded."""
        return self.standing_of(period, values, self.counters.total(period, values), now)

    def standing_of(self, period: Period, values: Values, sums: Sums, now: datetime) -> Standing:
        """Of a period that holds these sums."""
        rolling = self.counters.rolling
        amount = self._amount(period, values)
        unit = self._budgets.unit_of(self.budget, period.start)
        credit = self._budgets.credit_pico(self.budget, period, values)
        standing = Standing(
            period,
            rolling,
            amount + credit,
            sums.amount * self.scale,
            sums.unpriced,
            self.held(sums),
            flat=sums.flat,
            unit=unit,
            credit=credit,
            next_kept=self._after(period).kept(values) if period == self.current and not rolling else None,
        )
        if not period.start <= now < period.end:
            return standing
        return standing.foretold(self._burn(standing, values, now), now)

    def as_kept(self, sums: Sums) -> Sums:
        """As BudgetHistory.recorded gives it, in 1e-12 of what is kept: cut where no column holds it."""
        unit = IN_USD if self.budget.measure == "cost" else Unit(self.budget.measure)
        spent, held = (pico_from_usd(unit.kept(pico)) for pico in (sums.amount * self.scale, self.held(sums)))
        return Sums(spent, sums.unpriced, held)

    def _burn(self, standing: Standing, values: Values, now: datetime) -> int | None:
        if self._recent is None:
            return mean_burn(standing, now)
        window = self._recent.calendar
        assert isinstance(window, Window)
        since = now - self._span if standing.rolling else max(now - self._span, standing.period.start)
        since = max(window.period_at(now).start, window.step_start(since + window.step - _MICROSECOND))  # whole steps
        lately = self._recent.total_since(since, values)
        span = max(now - since, timedelta(minutes=1))
        used = lately.amount * self.scale + self.held(lately)
        return max(0, used) * (_HOURS // _MICROSECOND) // (span // _MICROSECOND)

    def held(self, sums: Sums) -> int:
        """For events without a price: what each may have cost where its model is known, else the budget's flat bound.
        Pico-USD. A quota counts whatever has a price and what has none: it holds nothing."""
        if self.budget.measure != "cost":
            return 0
        bounds = sums.flat * self._budgets.unpriced_upper_bound_pico(self.budget) if sums.flat > 0 else 0
        return max(0, sums.held) + bounds

    def _amount(self, period: Period, values: Values) -> int:
        amount = self._stated(period.start, values)
        carry = self.budget.carry_over
        return amount if carry is None or self.counters.rolling else amount + self._carried_into(period, values)

    def _stated(self, start: datetime, values: Values) -> int:
        if self.budget.amounts:
            return self._budgets.amount_pico(self.budget, start, values)
        if start not in self._amounts:  # of all values the same
            self._amounts[start] = self._budgets.amount_pico(self.budget, start)
        return self._amounts[start]

    def _carried_into(self, period: Period, values: Values) -> int:
        """What the periods before it left, from the one on that holds the date on which carrying over begins."""
        key = (unix_micros(period.start), values)
        if key in self._carried:
            return self._carried[key]
        carry = self.budget.carry_over
        assert carry is not None
        bound = unix_micros(period.start)
        carried = 0
        for cell in self.counters.cells:
            if not self._carried_from <= cell < bound:
                continue
            self._carried[cell, values] = carried
            earlier = self.counters.cell_of(from_unix_micros(cell))
            assert earlier is not None
            total = self.counters.total(earlier, values)
            used = total.amount * self.scale + self.held(total)
            # What was credited is part of its period's amount, and what is left of it is carried on like the rest.
            left = self._budgets.amount_pico(self.budget, earlier.start, values) + carried - used
            left += self._budgets.credit_pico(self.budget, earlier, values)
            carried = max(0, left) if carry.unused else 0
            carried += min(0, left) if carry.overspend else 0
            if carry.max is not None:
                most = self._budgets.unit_of(self.budget, earlier.start).pico(carry.max)
                carried = max(-most, min(most, carried))
        self._carried[key] = carried
        return carried
