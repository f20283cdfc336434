"""What a stretch of time holds beside what was to be expected of it, cell by cell: what findings are grouped and
explained by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_jobs.anomalies.model import EVENTS, Series

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
OTHERS: Final = "(others)"
"""Stands for the values of all cells beyond those that were read."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Of some cells, in USD or requests, in the direction that is asked about: what was to be expected, and by how much
    it was exceeded."""

    before: float
    excess: float


@dataclass(frozen=True)
class Evidence:
    """`table` has a row per cell: its dimensions, and `requests_before`, `cost_before` (as expected for the stretch),
    `requests_after`, `cost_after`, tokens by meter likewise; as `explain` takes it."""

    start: datetime
    end: datetime
    table: pa.Table
    dimensions: Sequence[str]
    compared: str = ""  # what the expectation was made of, for people: "the same hours of earlier weeks"
    _codes: dict[str, tuple[dict[str, int], npt.NDArray[np.int64]]] = field(default_factory=dict, repr=False)

    def knows(self, conditions: Mapping[str, str]) -> bool:
        """Whether it has all of these dimensions."""
        return all(name in self.dimensions for name in conditions)

    def mask(self, conditions: Mapping[str, str]) -> Mask:
        """The cells that have these values."""
        found = np.ones(self.table.num_rows, np.bool_)
        for name, value in conditions.items():
            numbers, codes = self._encoded(name)
            found &= codes == numbers.get(value, -1)
        return found

    def holding(self, name: str, condition: Callable[[str], bool]) -> Mask:
        """The cells whose value of a dimension is one that the condition holds for."""
        numbers, codes = self._encoded(name)
        holds = np.array([condition(value) for value in numbers], np.bool_)
        return holds[codes] if len(holds) else np.zeros(len(codes), np.bool_)

    def values(self, name: str, cells: Mask) -> dict[str, float]:
        """What each value of a dimension costs in the stretch, among these cells."""
        numbers, codes = self._encoded(name)
        sums = np.bincount(codes[cells], weights=self._after[cells], minlength=len(numbers))
        return {value: float(sums[number]) for value, number in numbers.items()}

    def moved_by(self, name: str, cells: Mask) -> dict[str, float]:
        """By how much each value of a dimension costs more than expected, among these cells."""
        numbers, codes = self._encoded(name)
        sums = np.bincount(codes[cells], weights=(self._after - self._before)[cells], minlength=len(numbers))
        return {value: float(sums[number]) for value, number in numbers.items()}

    def moved(self, cells: Mask, sign: int, measure: str = "") -> Moved:
        """Of cost; of requests where these are measured."""
        before, after = (
            (self._requests_before, self._requests_after) if measure == EVENTS else (self._before, self._after)
        )
        was, now = float(before[cells].sum()), float(after[cells].sum())
        return Moved(was, sign * (now - was))

    def excess_of(self, cells: Mask) -> float:
        """USD more than expected."""
        return float((self._after - self._before)[cells].sum())

    def _encoded(self, name: str) -> tuple[dict[str, int], npt.NDArray[np.int64]]:
        if name not in self._codes:
            encoded = self.table[name].combine_chunks().dictionary_encode()
            encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
            numbers = {value: number for number, value in enumerate(encoded.dictionary.to_pylist())}
            self._codes[name] = numbers, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return self._codes[name]

    def _floats(self, name: str) -> Floats:
        return np.array([float(value or 0) for value in self.table[name].to_pylist()], np.float64)

    @cached_property
    def _before(self) -> Floats:
        return self._floats("cost_before")

    @cached_property
    def _after(self) -> Floats:
        return self._floats("cost_after")

    @cached_property
    def _requests_before(self) -> Floats:
        return self._floats("requests_before")

    @cached_property
    def _requests_after(self) -> Floats:
        return self._floats("requests_after")


def conditions_of(series: Series) -> dict[str, str]:
    """What the entries of a series have."""
    return dict(zip(series.dims, series.vals, strict=True))
