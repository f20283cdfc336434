"""What is watched: a scope, cut into its values and into periods, and what of it is added up."""

from collections.abc import Mapping
from dataclasses import dataclass

from spendstream_schemas.scope import Condition
from stream_jobs.series.calendar import Calendar
from stream_jobs.series.facts import BESIDE
from stream_jobs.series.measures import ADDED_UP, MEASURES, Measure, is_dimension, parts_of


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """One series for each combination of values of the fields in `per`, with one sum for each period."""

    scope: Mapping[str, Condition]  # by dimension; all must hold
    per: tuple[str, ...]  # dimensions; an entry without a value for one of them belongs to no series
    measure: Measure
    calendar: Calendar

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be watched: these names become part of questions to the ledger."""
        unknown = [name for name in (*self.scope, *self.per) if not is_dimension(name)]
        if unknown or self.measure not in {*MEASURES, *ADDED_UP}:
            raise ValueError(f"cannot be watched: {', '.join(unknown) or self.measure}")

    @property
    def reads(self) -> frozenset[str]:
        """What a delta must tell for this to be counted by it."""
        return frozenset((*self.scope, *self.per, *parts_of(self.measure), *BESIDE))
