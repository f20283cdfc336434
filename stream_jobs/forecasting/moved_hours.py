"""Batches that come at another hour than they used to: clocks were changed, or somebody has moved them.

What they were before says how large they are and how often they come, and no more when: it is read as if they had come
at the new hour ever since.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
FARTHEST: Final = 12
"""Hours that a batch is looked for around its old one; of several the nearest counts."""
SURE: Final = 2
"""So often it must have come at the new hour, and not come at the old one."""
SHIFTS: Final = sorted((shift for shift in range(-FARTHEST, FARTHEST + 1) if shift), key=abs)


def as_if_always(values: Floats, first: int, habit: Flags) -> Floats | None:
    """(cells,): with all before a move at the hours of today; None where nothing has moved. `values`: NaN where nobody
    knows; `first`: the first of them, in hours since 1970; `habit`: (period,), the hours that were used before."""
    used, known = np.nan_to_num(values) > 0, np.isfinite(values)
    slots = (first + np.arange(len(values))) % len(habit)
    for moving in (habit, habit & ~_used_of_late(used | ~known, slots, len(habit))):
        if moving.any():
            for shift in SHIFTS:
                now = (habit & ~moving) | np.roll(moving, shift)
                begins = _since(~known | (used == now[slots]))
                here, gone = (now & ~habit)[slots] & known, (habit & ~now)[slots] & known
                if here[begins:].sum() >= SURE and gone[begins:].sum() >= SURE:
                    return np.concatenate([_moved(values[:begins], moving[slots[:begins]], shift), values[begins:]])
    return None


def _used_of_late(used: Flags, slots: npt.NDArray[np.int64], period: int) -> Flags:
    """(period,): the hours that were, or may have been, in one of the last times."""
    found = np.zeros(period, np.bool_)
    found[slots[-SURE * period :][used[-SURE * period :]]] = True
    return found


def _since(matches: Flags) -> int:
    """From which cell on all do."""
    return 0 if matches.all() else len(matches) - int(np.argmin(matches[::-1]))


def _moved(values: Floats, moving: Flags, shift: int) -> Floats:
    """Between what moves and what follows there was nothing; nobody knows what was before the first cell."""
    places = np.flatnonzero(moving)
    to = places + shift
    inside = (to >= 0) & (to < len(values))
    found = np.where(moving, 0.0, values)
    found[to[inside]] += values[places[inside]]
    return found
