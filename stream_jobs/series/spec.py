"""What is watched: a scope, cut into its values and into periods, and what of it is added up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spendstream_schemas.scope import Condition
from stream_jobs.series.calendar import Calendar

Measure = Literal["list_cost", "contracted_cost", "effective_cost"]


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """One series for each combination of values of the fields in `per`, with one sum for each period."""

    scope: Mapping[str, Condition]  # by SCOPE_FIELDS; all must hold
    per: tuple[str, ...]  # of SCOPE_FIELDS; an entry without a value for one of them belongs to no series
    measure: Measure
    calendar: Calendar
