"""The course of a budget's period: what is spent of it, cell by cell, and what it will have come to. Plain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from stream_jobs.forecasts.read import Ahead, Band, BudgetAhead
from stream_jobs.forecasts.windows import passed


@dataclass(frozen=True, slots=True)
class Course:
    """By where each cell ends, everything since the period began. Figures are kept: the budget's unit says them."""

    budget: BudgetAhead
    limit: Decimal  # what the period may come to, as of now
    came: Sequence[tuple[datetime, Decimal]]
    ahead: Sequence[tuple[datetime, Band]]  # never less than what was spent when it was forecast

    @property
    def gone(self) -> tuple[datetime | None, datetime | None, datetime | None]:
        """P10, P50 and P90 of when the limit is passed: where the cell begins by whose end it is, and never before it
        was forecast. None: it lasts."""
        begins = [self.came[-1][0] if self.came else self.budget.period_start, *(at for at, _ in self.ahead)]
        early, middle, late = (
            passed(self.limit, [band[place] for _, band in self.ahead], begins) for place in (2, 1, 0)
        )
        run = self.budget.made.run
        return _from(run, early), _from(run, middle), _from(run, late)

    @property
    def is_gone(self) -> bool:
        """More than the limit is spent by now: nothing is foretold of that."""
        return self.budget.spent > self.limit

    @property
    def most(self) -> Decimal:
        """The highest that is drawn of it."""
        return max([self.limit, *(spent for _, spent in self.came), *(band.p90 for _, band in self.ahead)])


def course_of(
    budget: BudgetAhead,
    limit: Decimal,
    starts: Sequence[datetime],
    came: Mapping[datetime, int],
    ahead: Sequence[Ahead],
) -> Course | None:
    """`starts`: of the period's cells before those ahead; `came`: what was booked in these, in 1e-12 of what is
    counted, absent where nothing was. None where nothing of the period is ahead."""
    kept, left = budget.unit.kept, [step for step in ahead if step.at < budget.period_end]
    if not left:
        return None
    ends = [*starts, left[0].at][1:]
    sums, total = [], 0
    for start in starts:
        total += came.get(start, 0)
        sums.append(kept(total))
    bands = [
        Band(*(max(kept(total + round(figure.scaleb(12))), budget.spent) for figure in step.total)) for step in left
    ]
    until = [*(step.at for step in left[1:]), budget.period_end]
    return Course(budget, limit, list(zip(ends, sums, strict=True)), list(zip(until, bands, strict=True)))


def _from(run: datetime, at: datetime | None) -> datetime | None:
    return None if at is None else max(run, at)
