"""One run: what it is of, and until when it may write, by the clock of the store.

The assignment of the deltas' one partition says who forecasts. Who lost it without knowing (a process that stood still)
may be in the middle of a run: what it still sends is refused by the server after the run's deadline, and until then is
a whole run of its own, older than the next one's, or rows that no completing row ever makes visible.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stream_jobs.forecasts.grid import Grid, Step


@dataclass(frozen=True, slots=True)
class Lease:
    """Of one run."""

    run: datetime  # when it began, by the store's clock; what all its rows are marked with
    grain: Step
    known_until: datetime  # all that happened by then is in the ledger: the cell that holds it is the first to forecast
    due_at: datetime  # when the next run should be there, at the latest
    not_after: datetime  # by the store's clock: the server refuses inserts from then on

    def token(self, table: str, part: int) -> str:
        """A repeated insert of the same part changes nothing."""
        return f"{table} {self.grain} {self.run.isoformat()} {part}"


def leased(now: datetime, grid: Grid, known_until: datetime, *, limit_s: float, slack_s: float) -> Lease:
    """For a run that begins `now`, by the store's clock. `slack_s`: so long after a cell is over the next is due."""
    next_due = grid.start(grid.cell_at(known_until) + 1) + timedelta(seconds=slack_s)
    return Lease(now, grid.step, known_until, next_due, now + timedelta(seconds=limit_s))
