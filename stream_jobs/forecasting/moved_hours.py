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
    cells = first + np.arange(len(values))
    usual = habit[cells % len(habit)]
    for shift in SHIFTS:
        instead = habit[(cells - shift) % len(habit)]
        as_instead = ~known | (used == instead)
        begins = len(values) - (len(values) if as_instead.all() else int(np.argmin(as_instead[::-1])))
        here, gone = (instead & ~usual & known)[begins:], (usual & ~instead & known)[begins:]
        if here.sum() >= SURE and gone.sum() >= SURE:
            return np.concatenate([_shifted(values[:begins], shift), values[begins:]])
    return None


def _shifted(values: Floats, shift: int) -> Floats:
    """Nobody knows what was before the first; between the last and what follows there was nothing."""
    nothing = np.full(min(abs(shift), len(values)), np.nan if shift > 0 else 0.0)
    if shift > 0:
        return np.concatenate([nothing, values[:-shift]])
    return np.concatenate([values[-shift:], nothing])
