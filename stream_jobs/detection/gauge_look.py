"""What the lenses of a gauge saw of its values, for who makes findings of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Look:
    """What one call saw: arrays of the same length."""

    series: Numbers  # their numbers
    at: npt.NDArray[np.int64]  # minutes since 1970
    values: Floats
    means: Floats  # of the last few values
    expected: Floats  # NaN where there is no prediction
    band: Floats  # how far from it a mean usually is at most; NaN likewise
    surprise: Floats  # nats
    slow: Floats  # nats, of the window that is most surprised
    span: Numbers  # which one that is
    drifts: Floats  # [series, window]: the mean deviate of each
    began: Floats  # minutes since 1970: since when the shortest window is on its side
    run: Floats  # [series, 3]: values since then, their sum, and that of what was expected

    def of(self, chosen: npt.NDArray[np.bool_]) -> "Look":
        """The part of it that is chosen."""
        return Look(*(getattr(self, name)[chosen] for name in self.__slots__))
