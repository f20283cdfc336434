"""A single hour far above all that there was teaches nothing of the next ones, and would be in every sum behind it."""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
HIGHEST: Final = 3.0
"""An hour counts as no more than so many times the second greatest before it: what came twice is no accident."""
FEWEST: Final = 24
"""Hours with any use, before anything is a spike."""


def without_spikes(values: Floats) -> Floats:
    """(series, hours), each cut by what lies before it alone; NaN stays."""
    used = values > 0
    enough = np.cumsum(used, axis=1) - used >= FEWEST
    first, second = np.zeros(len(values)), np.zeros(len(values))
    most = np.full_like(values, np.inf)
    for column, came in enumerate(np.nan_to_num(values).T):
        most[:, column] = second
        second = np.maximum(second, np.minimum(first, came))
        first = np.maximum(first, came)
    return np.where(enough & (values > HIGHEST * most), HIGHEST * most, values)
