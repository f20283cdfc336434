"""One fit, whatever the library behind it: the same input, a bounded answer or a refusal in words."""

import warnings
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from stream_jobs.forecasting.members import ets, prophet_member, stl, theta
from stream_jobs.forecasting.members.history import History, prepare
from stream_jobs.forecasting.members.model import Answer, Floats, MemberName, Options, RefusedError, Step, Task

MEMBERS: Final[Mapping[MemberName, Callable[[History], Floats]]] = {
    "prophet": prophet_member.forecast,
    "ets": ets.forecast,
    "theta": theta.forecast,
    "stl": stl.forecast,
}
BOUND: Final = 5.0
"""Nothing is forecast above so many times the greatest amount of the history, but for declared factors."""


def fit(task: Task) -> Answer:
    """Of one member and series: `fit_and_forecast`, for a worker."""
    return fit_and_forecast(task.member, task.values, task.first, task.step, task.horizon, task.options)


def fit_and_forecast(
    member: MemberName, values: Floats, first: int, step: Step, horizon: int, options: Options | None = None
) -> Answer:
    """Amounts of the `horizon` cells behind the values. `first` is the first cell: hours since 1970 (UTC), or the
    ordinal of a date. What a library can't do is a refusal with its reason. Raises ValueError where arrays don't fit
    together, and MemoryError."""
    options = options or Options()
    try:
        history = prepare(values, first, step, horizon, options)
        if horizon == 0:
            return Answer(np.zeros(0))
        scaled = np.full(horizon, history.filled[-1]) if history.constant else _quietly(MEMBERS[member], history)
        return _bounded(scaled, history, options, _unknown_holidays(member, options))
    except RefusedError as error:
        return Answer(np.zeros(0), refused=str(error))


def _quietly(member: Callable[[History], Floats], history: History) -> Floats:
    """Whatever a library raises is this fit's end, and no one else's."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return member(history)
    except MemoryError:
        raise
    except Exception as error:
        raise RefusedError(f"{type(error).__name__}: {error}") from error


def _unknown_holidays(member: MemberName, options: Options) -> tuple[str, ...]:
    if member != "prophet" or not options.country or prophet_member.knows_holidays(options.country):
        return ()
    return (f"no holidays are known of a country {options.country!r}",)


def _bounded(scaled: Floats, history: History, options: Options, notes: tuple[str, ...]) -> Answer:
    """Back from the scale, with what events will make of it."""
    if not np.isfinite(scaled).all():
        raise RefusedError("the fit gives figures that are not finite")
    with np.errstate(over="ignore"):
        amounts = np.asarray(history.scale.back(scaled), dtype=np.float64)
    most = BOUND * history.greatest
    beyond = int((amounts > most).sum())
    if beyond:
        cut = f"{beyond} of {len(amounts)} steps would exceed {BOUND:g} times the most that was ever seen: cut there"
        notes = (*notes, cut)
    amounts = np.clip(amounts, 0.0, most)
    if options.factors is not None:
        amounts = amounts * options.factors[-len(amounts) :]
    return Answer(amounts, notes=notes)
