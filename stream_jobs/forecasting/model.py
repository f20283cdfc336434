"""The words of forecasts: the history of one tenant's series, and what is said of the future of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.uncertain import Uncertain

Floats = npt.NDArray[np.float64]
Told = Callable[[int, int], None]
"""Called as work goes on: how much of it is done, of how much."""
QUANTILES: Final = (0.1, 0.5, 0.9)
"""P10, P50 and P90 of a step: the columns of `Forecast.steps`."""
Step = Literal["hour", "day"]
Label = Literal["steady", "provisional", "cold start", "intermittent", "dead", "refused"]
"""How far a forecast can be relied on: from two weeks of history on; from three days on; by peers and little of its
own; by its sums alone; of something that has stopped; not at all, and `Forecast.why` says why."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Values of the series of one tenant on one grid: cells of the same length, side by side, all of them over."""

    names: Sequence[str]
    step: Step
    first: int
    """The first cell: hours since 1970 (UTC), or the ordinal of a local date (`date.toordinal`)."""
    values: Floats
    """(series, cells). NaN: not known, which is not 0. Negative: credits."""

    @property
    def origin(self) -> int:
        """The first cell that is not known: the first step of a forecast."""
        return self.first + int(self.values.shape[1])


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of one series. A step's median is not the step of a likely path, and a sum's median no sum of medians."""

    name: str
    steps: Floats
    """(steps, 3): P10, P50 and P90 of each cell from the origin on; rising, finite, not negative."""
    sums: Sequence[Uncertain]
    """One for each step: what the cells up to and with it add up to."""
    method: str
    members: tuple[str, ...]
    label: Label
    why: str = ""  # what people should know: why it is refused, why its label is what it is
    details: dict[str, float] = field(default_factory=dict)  # figures of the fit, for the curious

    @property
    def refused(self) -> bool:
        return self.label == "refused"


def refusal(name: str, why: str) -> Forecast:
    """Nothing can be said."""
    return Forecast(name, np.zeros((0, len(QUANTILES))), (), "none", (), "refused", why)
