"""When people are told that a budget will be exceeded: the rule, as a state and what happens to it.

Raised when the chance is 0.8 or more at two evaluations running; cleared when it falls below 0.4. Not before the third
day of a period, nor within the first tenth of a shorter one. Once per period. What has been exceeded in fact is an
alert of its own: then this one is neither raised nor cleared, and one that was raised is held until the period ends.
"""

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Final, Literal

Did = Literal["none", "raised", "held", "cleared"]
RAISE_AT: Final = 0.8
CLEAR_BELOW: Final = 0.4
RUNNING: Final = 2  # evaluations
FIRST_DAYS: Final = timedelta(days=2)
FIRST_SHARE: Final = 10  # of a shorter period: a tenth


@dataclass(frozen=True, slots=True)
class State:
    """Of one budget. Everything starts anew with a period."""

    period: str = ""  # whatever tells periods apart
    running: int = 0  # evaluations with a chance of RAISE_AT or more, up to the last one
    raised: bool = False
    over: bool = False  # it was raised and cleared: no more in this period

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def state_of(kept: dict[str, Any]) -> State:
    """What `to_dict` gave, from whoever kept it. Raises ValueError for anything else."""
    try:
        state = State(**kept)
    except TypeError as error:
        raise ValueError(f"no state of a forecast's alert: {error}") from None
    kinds = {"period": str, "running": int, "raised": bool, "over": bool}
    for name, kind in kinds.items():
        if type(getattr(state, name)) is not kind:
            raise ValueError(f"no state of a forecast's alert: {name} is no {kind.__name__}")
    return state


def evaluate(
    state: State, *, period: str, length: timedelta, elapsed: timedelta, chance: float | None, exceeded: bool
) -> tuple[State, Did]:
    """The state after an evaluation, and what it did. `chance` is None where nothing can be said: nothing changes."""
    if state.period != period:
        state = State(period)
    if chance is None:
        return state, "held" if state.raised else "none"
    running = state.running + 1 if chance >= RAISE_AT else 0
    state = replace(state, running=min(running, RUNNING))
    if state.raised:
        if chance < CLEAR_BELOW and not exceeded:
            return replace(state, raised=False, over=True), "cleared"
        return state, "held"
    early = elapsed < min(FIRST_DAYS, length / FIRST_SHARE)
    if running < RUNNING or early or state.over or exceeded:
        return state, "none"
    return replace(state, raised=True), "raised"
