"""What the period after the present one begins with: services are told before it begins, and so none of them takes the
amount of all values for one's own until the job has said more."""

from collections.abc import Set

from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.series.calendar import Period, Window
from stream_jobs.series.facts import Values


class NextPeriod:
    """Of one budget. Immutable."""

    def __init__(self, budgets: Budgets, budget: Budget, current: Period) -> None:
        """`period` is None where none follows, or the budget is not in force by then; a window has none. `credited`:
        whose amount is another one by then."""
        calendar = budgets.calendar_of(budget)
        after = None if isinstance(calendar, Window) else calendar.next(current)
        self.period = after if after is not None and budgets.in_force(budget, after.start) else None
        self.current = current
        self.credited: Set[Values] = frozenset()
        self._budgets, self._budget = budgets, budget
        self._policy = budgets.unit_of(budget, current.start).kept_pico(budgets.amount_pico(budget, current.start))
        self._of_most: int | None = None
        if self.period is not None:
            self.credited = budgets.credits.values_in(budget.id, calendar, self.period)
            self._of_most = self._said(self.period, budgets.amount_pico(budget, self.period.start))

    def kept(self, values: Values) -> int | None:
        """Its amount for these, with credits and without what will be carried over, as it is kept (1e-12); None where
        it is what the policy says of all."""
        if self.period is None or not (values in self.credited or self._budget.has_own_amount(values)):
            return self._of_most
        stated = self._budgets.amount_pico(self._budget, self.period.start, values)
        return self._said(self.period, stated + self._budgets.credit_pico(self._budget, self.period, values))

    def _said(self, period: Period, amount: int) -> int | None:
        kept = self._budgets.unit_of(self._budget, period.start).kept_pico(amount)
        return None if kept == self._policy else kept
