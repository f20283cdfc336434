"""Sums of many series at once that are exact: whole numbers in limbs of 32 bits, as rows of integers of 64.

A float would depend on the order in which it was added up; these do not, whatever the deltas were grouped by.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from stream_jobs.detection.model import Floats
from stream_jobs.series.facts import Facts, Ints
from stream_jobs.series.measures import MEASURES, Measure, places_of

READ: Final[tuple[Measure, ...]] = (
    *("events", "effective_cost", "cost_squares"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "errors", "gpu_seconds", "busy_gpu_seconds"),
)
"""What is added up of each series and minute."""
_BITS: Final = 32
_MASK: Final = 2**_BITS - 1


def _places() -> dict[Measure, slice]:
    at, found = 0, {}
    for name in READ:
        limbs = MEASURES[name].kind.bit_width // _BITS
        found[name] = slice(at, at + limbs)
        at += limbs
    return found


PLACES: Final[Mapping[Measure, slice]] = _places()
"""Which columns are a measure's, the lowest limb first."""
WIDTH: Final = max(place.stop for place in PLACES.values())


def limbs_of(facts: Facts) -> tuple[Ints, Ints]:
    """(The columns that hold anything, those columns of all rows): of most batches, few do."""
    columns: list[int] = []
    values: list[Ints] = []
    for name, place in PLACES.items():
        limbs = facts.limbs_of(name)
        if len(limbs):
            for number in np.flatnonzero(limbs.any(axis=0)).tolist():
                columns.append(place.start + number)
                values.append(limbs[:, number])
    stacked = np.stack(values, axis=1) if values else np.zeros((facts.rows, 0), np.int64)
    return np.array(columns, np.int64), stacked


def carried(sums: Ints) -> Ints:
    """The same numbers with every limb but each measure's highest within 32 bits; of one number there is one such row.
    No more than 2**31 rows may have been added up."""
    found = sums.copy()
    for place in PLACES.values():
        for column in range(place.start, place.stop - 1):
            found[:, column + 1] += found[:, column] >> _BITS
            found[:, column] &= _MASK
    return found


def floats(sums: Ints, measure: Measure) -> Floats:
    """A measure of `carried` rows, in its unit: USD, tokens, seconds."""
    place = PLACES[measure]
    found = np.zeros(len(sums))
    for column in reversed(range(place.start, place.stop)):
        found = found * 2.0**_BITS + sums[:, column]
    return found / 10.0 ** places_of(measure)


def whole(sums: Ints, measure: Measure) -> int:
    """A measure of one row, in units of its last place."""
    place = PLACES[measure]
    return sum(int(limb) << _BITS * number for number, limb in enumerate(sums[place]))
