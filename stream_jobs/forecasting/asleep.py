"""Series that have stopped: nothing for longer than ever before. And how often, and how soon, such series came back."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.uncertain import Uncertain

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LEAST_DAYS: Final = 2  # without use
GAPS: Final = 3  # times the longest pause so far
STATED_DAYS: Final = 60.0  # of rest in which one comes back, before any peer has
EVER: Final = 0.4  # the chance that it comes back at all that is stated: so the median is 0
POINTS: Final = 99


class AsItIs:
    """The scale of amounts that may well be 0."""

    def to(self, amount: float) -> float:
        return max(amount, 0.0)

    def back(self, value: Floats | float) -> Floats | float:
        return np.maximum(value, 0.0)


def tails(values: Floats) -> Flags:
    """(series, days): whether a series had stopped by the day's end: without use for two days and three times its
    longest pause before; or it has never begun. Days that are not known are no pause, and end none."""
    series, days = values.shape
    run, longest, begun = np.zeros(series), np.zeros(series), np.zeros(series, np.bool_)
    found = np.zeros((series, days), np.bool_)
    for day in range(days):
        used, rests = values[:, day] > 0, values[:, day] == 0
        longest = np.where(used & begun, np.maximum(longest, run), longest)
        run = np.where(used, 0.0, run + rests)
        begun |= used
        found[:, day] = ~begun | (run >= np.maximum(LEAST_DAYS, GAPS * longest))
    return found


def chance_to_come_back(stopped: Flags, values: Floats) -> float:
    """A day, of a series that has stopped: by all that have, with what is stated."""
    was = stopped[:, :-1] & (np.cumsum(values > 0, axis=1)[:, :-1] > 0)
    returned = was & (values[:, 1:] > 0)
    return float((1 + returned.sum()) / (STATED_DAYS + was.sum()))


def sum_after(days: int, usual: float, chance: float) -> Uncertain:
    """What the next days add up to: nothing until it is back, and from then on its usual day."""
    later = 1 - (np.arange(POINTS) + 0.5) / POINTS  # the chance that it comes to more than this
    share = np.clip(later / EVER, 1e-9, 1.0)
    waits = np.where(later < EVER, np.log1p(-np.minimum(share, 1 - 1e-12)) / np.log1p(-min(chance, 0.99)), np.inf)
    return Uncertain(0.0, max(usual, 0.0), np.maximum(days - waits, 0.0), AsItIs())


def step_after(days: int, usual: float, chance: float) -> tuple[float, float, float]:
    """P10, P50 and P90 of the day so many days ahead, the first being 1."""
    back = EVER * (1 - (1 - chance) ** days)
    return 0.0, 0.0, usual if back >= 0.1 else 0.0
