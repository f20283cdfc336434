"""Series that have stopped: nothing is expected of them, and it is said how likely it is that they come back."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LEAST: Final = {"hour": 48, "day": 2}
"""Cells without use, at least, before anything has stopped."""
TIMES: Final = 3
"""As many times the longest pause so far, too."""
BEFORE: Final = {"hour": 14 * 24, "day": 14}
"""Cells that count as seen before anybody looked, with half a return: no return so far is no proof that none comes."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Of one series."""

    ended: bool
    returns: int  # so often it came back after it had ended
    silent: int  # cells that it had ended for, all together


def silence(values: Floats, step: str) -> Silence:
    """`values`: (cells,) up to the origin. What is not known is no silence."""
    known = np.flatnonzero(np.isfinite(values))
    used = np.flatnonzero(values[known] > 0)  # places among what is known
    longest, returns, silent = 0, 0, 0
    for before, after in pairwise(used.tolist()):
        pause = after - before - 1
        limit = max(LEAST[step], TIMES * longest)
        if pause >= limit:
            returns += 1
            silent += pause - limit + 1
        longest = max(longest, pause)
    pause = len(known) - 1 - int(used[-1]) if len(used) else len(known)
    limit = max(LEAST[step], TIMES * longest)
    return Silence(pause >= limit, returns, silent + max(pause - limit + 1, 0))


def return_chance(of: "list[Silence]", ahead: Floats, step: str) -> Floats:
    """That a series which has ended is used again within so many cells, by what all series of the tenant did: as many
    returns for each silent cell as there were."""
    returns = 0.5 + sum(one.returns for one in of)
    silent = BEFORE[step] + sum(one.silent for one in of)
    return np.asarray(1 - np.exp(-returns / silent * ahead), np.float64)


def after_return(values: Floats, chance: Floats, points: int) -> tuple[Floats, Floats]:
    """What may come of a series that has ended: (points, steps) of amounts for single cells and for sums up to each,
    rising along the first axis, evenly spaced in probability. It comes back as large as it usually was in use."""
    used = values[np.isfinite(values) & (values > 0)]
    steps = len(chance)
    if not len(used):
        return np.zeros((points, steps)), np.zeros((points, steps))
    usual = float(np.median(used[-168:]))
    share = float((values[np.isfinite(values)] > 0).mean())
    probabilities = (np.arange(points) + 0.5)[:, None] / points
    back = probabilities >= 1 - chance
    ahead = np.arange(1, steps + 1)
    # of those that come back within k cells one half is back for longer than half of them
    single = np.asarray(back * usual, np.float64)
    return single, np.asarray(single * np.maximum(ahead * share / 2, 1.0), np.float64)
