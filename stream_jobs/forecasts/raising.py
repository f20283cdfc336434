"""Whether people are told that a budget will be exceeded: the protocol, from run to run. Plain.

Not each run decides: one that somebody asked for, or that a restart makes, comes too soon after the last.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from stream_jobs.base.instants import EPOCH
from stream_jobs.forecasting.protocol import State, evaluate, state_of
from stream_jobs.forecasts.grid import Step
from stream_jobs.series.calendar import Period

SPACING: Final[dict[Step, timedelta]] = {"hour": timedelta(minutes=50), "day": timedelta(hours=20)}
"""Between two evaluations, at least."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one threshold, as the last run left it."""

    state: str  # JSON of the protocol's state
    raised_since: datetime  # EPOCH: it is not
    evaluated_at: datetime


NOT_YET: Final = Kept("", EPOCH, EPOCH)


def next_kept(
    before: Kept, grain: Step, run: datetime, key: str, period: Period, *, chance: float, exceeded: bool
) -> Kept:
    """As this run leaves it. `chance`: that the period passes the threshold; `exceeded`: it has. A state that cannot be
    read counts as none: at worst people are told once more."""
    try:
        state = state_of(json.loads(before.state)) if before.state else State()
    except ValueError:
        state = State()
    if state.period == key and run - before.evaluated_at < SPACING[grain]:
        return before
    state, did = evaluate(
        state,
        period=key,
        length=period.end - period.start,
        elapsed=run - period.start,
        chance=chance,
        exceeded=exceeded,
    )
    since = {"raised": run, "held": before.raised_since}.get(did, EPOCH)
    return Kept(json.dumps(state.to_dict()), since, run)
