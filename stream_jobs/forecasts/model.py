"""The words of the job: which series there are, and the history of all that one run looks at."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasts.grid import Grid, Step
from stream_jobs.series.measures import Measure
from stream_jobs.series.spec import SeriesSpec

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LEVELS = ("team", "project", "model", "provider", "feature", "customer")
"""What has forecasts by itself, beside the total."""
REST = ""
"""In place of a value: all that have no series of their own, together. No tag is empty."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is read together, as a series for each combination of values of the fields in `spec.per`."""

    spec: SeriesSpec
    budget_id: str = ""  # empty: no budget's
    most: int | None = None  # values that have a series each; None: as many as the settings say
    weighed_by: Measure | None = None  # the values with most of this are those; None: of what is watched

    @property
    def dims(self) -> tuple[str, ...]:
        return self.spec.per


@dataclass(frozen=True, slots=True)
class Key:
    """One series."""

    budget_id: str
    dims: tuple[str, ...]
    vals: tuple[str, ...]
    measure: Measure

    @property
    def name(self) -> str:
        """Different for different series, and the same for the same in every run."""
        return json.dumps([self.budget_id, self.dims, self.vals, self.measure], ensure_ascii=False)

    @property
    def is_rest(self) -> bool:
        return bool(self.vals) and self.vals[-1] == REST


@dataclass(frozen=True, slots=True)
class Past:
    """`values`: (keys, cells), what was booked; NaN where nobody knows. All cells are over."""

    grid: Grid
    first: int
    keys: Sequence[Key]
    values: Floats

    @property
    def origin(self) -> int:
        return self.first + int(self.values.shape[1])

    def panel(self, values: Floats | None = None) -> Panel:
        """As forecasts take it; `values` in place of what was booked."""
        step: Step = self.grid.step
        return Panel([key.name for key in self.keys], step, self.first, self.values if values is None else values)
