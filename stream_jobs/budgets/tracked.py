"""One budget that is watched: its counters, and where it stands for one combination of values in one period."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from stream_jobs.budgets.calendar import Period, Window
from stream_jobs.budgets.counters import Counters, Touched
from stream_jobs.budgets.document import Budget
from stream_jobs.budgets.facts import Facts, Values
from stream_jobs.budgets.ledger import LedgerSums, Vector
from stream_jobs.budgets.resolve import Budgets
from stream_jobs.budgets.standing import Standing, mean_burn, projected
from stream_jobs.instants import from_unix_micros, unix_micros

_HOURS: Final = timedelta(hours=1)
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


class Tracked:
    """See the module. Used by one thread."""

    def __init__(self, budget: Budget, budgets: Budgets) -> None:
        self.budget = budget
        self.counters = Counters(budget, budgets.calendar_of(budget))
        self._budgets = budgets
        self.current: Period | None = None  # by the last `load` or `advance`; a rolling window's moves
        # Of a budget per value the mean of the period so far is all there is: the minutes of a hundred thousand users
        # are too many to keep.
        self._recent: Counters | None = None
        self._span = timedelta(0)
        self._recent_window: Period | None = None
        self._carried: dict[tuple[int, Values], int] = {}
        self._carried_from = 0

    def uses(self, budgets: Budgets) -> bool:
        """Whether this can go on under other budgets: nothing that concerns it has changed."""
        budget_id = self.budget.id
        return budgets.get(budget_id) == self.budget and budgets.document.model_copy(
            update={"budgets": ()}
        ) == self._budgets.document.model_copy(update={"budgets": ()})

    # -- loading and moving on

    def load(self, sums: LedgerSums, vector: Vector, now: datetime) -> None:
        """Everything that is needed at `now`, from the ledger. Raises StoreUnavailableError."""
        self.current = self.counters.calendar.period_at(now)
        self._load_cells(self.counters, self._wanted(now), sums, vector)
        if self.current is not None and not self.budget.per:
            self._span = burn_span(self.current.end - self.current.start)
            window = Window(max(_HOURS, self._span))
            self._recent = Counters(self.budget, window)
            self._load_cells(self._recent, self._recent.cells_of(window.period_at(now)), sums, vector)

    def _wanted(self, now: datetime) -> list[int]:
        """The cells of the current period and the one before it; back to where carrying over began."""
        calendar, current = self.counters.calendar, self.current
        if current is None:
            return []
        if self.counters.rolling:
            return self.counters.cells_of(current)
        first = calendar.previous(current) or current
        if self.budget.carry_over is not None:
            zone = self._budgets.zone_of(self.budget)
            since = datetime(*self.budget.carry_over.since.timetuple()[:3], tzinfo=zone)
            first = min(first, calendar.period_at(min(since, now)) or first)
            self._carried_from = unix_micros(max(first, calendar.period_at(since) or first).start)
        return [unix_micros(bound) for bound in calendar.boundaries(first.start, current.end)[:-1]]

    def load_missing(self, cells: set[int], sums: LedgerSums, vector: Vector, now: datetime) -> set[int]:
        """Load cells that something late came for; of a rolling window, only what is still in it. Returns which."""
        if self.counters.rolling:
            window = self.counters.calendar.period_at(now)
            assert window is not None
            cells = {cell for cell in cells if window.start <= from_unix_micros(cell) < window.end}
        wanted = sorted(cell for cell in cells if not self.counters.is_loaded(cell))
        self._load_cells(self.counters, wanted, sums, vector)
        return set(wanted)

    def _load_cells(self, counters: Counters, cells: list[int], sums: LedgerSums, vector: Vector) -> None:
        if cells:
            loaded = sums.sums(self.budget, [(cell, counters.end_of(cell)) for cell in cells], vector)
            counters.load(cells, loaded)
        self._carried.clear()

    def advance(self, sums: LedgerSums, vector: Vector, now: datetime) -> tuple[bool, set[Values]]:
        """Move on to `now`. Returns whether another period began, and the values that time itself has changed."""
        changed: set[Values] = set()
        if self._recent is not None and (recent := self._recent.calendar.period_at(now)) != self._recent_window:
            assert recent is not None
            self._recent.forget(recent.start)
            for cell in self._recent.cells_of(recent):
                if not self._recent.is_loaded(cell):
                    self._load_new(self._recent, cell, sums, vector)
            self._recent_window = recent
        current = self.counters.calendar.period_at(now)
        if current == self.current:
            return False, changed
        if current is not None:
            for cell in self.counters.cells_of(current):
                if not self.counters.is_loaded(cell):
                    self._load_new(self.counters, cell, sums, vector)
            if self.counters.rolling:
                changed = self.counters.forget(current.start)
        self.current = current
        self._carried.clear()
        return True, changed

    def _load_new(self, counters: Counters, cell: int, sums: LedgerSums, vector: Vector) -> None:
        """A cell that has just begun. Events from the future may be in it already."""
        counters.load([cell], sums.sums(self.budget, [(cell, counters.end_of(cell))], vector))

    def forget_old(self, before: datetime) -> None:
        """Drop periods that are long over, unless what they left is still carried."""
        if not self.counters.rolling and self.budget.carry_over is None:
            self.counters.forget(before)

    # -- counting

    def add(self, facts: Facts) -> Touched:
        if self._recent is not None:
            self._recent.add(facts)  # what is not loaded there is not recent
        touched = self.counters.add(facts)
        if touched.changed:
            self._carried.clear()
        return touched

    def correct(self, sums: LedgerSums, vector: Vector) -> set[tuple[int, Values]]:
        """Read anew what corrections have added. Returns what is different. Raises StoreUnavailableError."""
        changed: set[tuple[int, Values]] = set()
        for counters in (self.counters, self._recent):
            if counters is not None and (cells := counters.cells):
                loaded = sums.sums(self.budget, [(cell, counters.end_of(cell)) for cell in cells], vector)
                found = counters.correct(loaded.corrections)
                changed |= found if counters is self.counters else set()
        self._carried.clear()
        return changed

    # -- where it stands

    def period_of(self, cell: int) -> Period | None:
        """The period that a cell counts for: its own, or the window as it is now."""
        return self.current if self.counters.rolling else self.counters.cell_of(from_unix_micros(cell))

    def counts_in(self, period: Period) -> bool:
        """Whether the budget is in force at some instant of the period."""
        last = period.end - timedelta(microseconds=1)
        return self._budgets.in_force(self.budget, period.start) or self._budgets.in_force(self.budget, last)

    def standing(self, period: Period, values: Values, now: datetime) -> Standing:
        """Of a period whose cells are loaded."""
        spent, unpriced = self.counters.total(period, values)
        held = max(0, unpriced) * self._budgets.unpriced_upper_bound_pico(self.budget)
        rolling = self.counters.rolling
        amount = self._amount(period, values)
        standing = Standing(period, rolling, amount, spent, unpriced, held)
        if not period.start <= now < period.end:
            return standing
        burn = self._burn(standing, values, now)
        forecast, exhausted_at = projected(standing, burn, now)
        return replace(standing, burn=burn, forecast=forecast, exhausted_at=exhausted_at)

    def _burn(self, standing: Standing, values: Values, now: datetime) -> int | None:
        if self._recent is None:
            return mean_burn(standing, now)
        passed = now - standing.period.start
        span = self._span if standing.rolling else min(self._span, max(passed, timedelta(minutes=1)))
        spent = self._recent.spent_since(now - span, values)
        return max(0, spent) * (_HOURS // timedelta(microseconds=1)) // (span // timedelta(microseconds=1))

    def _amount(self, period: Period, values: Values) -> int:
        amount = self._budgets.amount_pico(self.budget, period.start, values)
        carry = self.budget.carry_over
        return amount if carry is None or self.counters.rolling else amount + self._carried_into(period, values)

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
            earlier = self.counters.cell_of(from_unix_micros(cell))
            assert earlier is not None
            spent, unpriced = self.counters.total(earlier, values)
            used = spent + max(0, unpriced) * self._budgets.unpriced_upper_bound_pico(self.budget)
            left = self._budgets.amount_pico(self.budget, earlier.start, values) + carried - used
            carried = max(0, left) if carry.unused else 0
            carried += min(0, left) if carry.overspend else 0
            if carry.max is not None:
                most = self._budgets.pico(self.budget, carry.max, earlier.start)
                carried = max(-most, min(most, carried))
        self._carried[key] = carried
        return carried
