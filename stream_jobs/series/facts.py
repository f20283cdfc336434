"""The rows of deltas as numbers, so that a hundred series can look at them in some milliseconds.

Each distinct text once, and a code per row; amounts as integers in units of their last place, summed in limbs of 32
bits each, which no sum of a batch can overflow. What nobody asks for is not unpacked.
"""

from collections.abc import Mapping, Sequence
from operator import add, neg
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spendstream_schemas.scope import Condition
from stream_jobs.series.measures import Measure, parts_of
from stream_jobs.store.decimals import words_of
from stream_jobs.store.tables import COUNT, TEXT
from stream_jobs.store.texts import profiles

Ints = npt.NDArray[np.int64]
UNPRICED: Final[Measure] = "unpriced"
_LIMB_BITS: Final = 32


class Sums(NamedTuple):
    """What is added up."""

    amount: int = 0  # of the measure, in units of its last place; pico-USD, of what has a price, for a cost
    unpriced: int = 0  # events without one
    held: int = 0  # pico-USD that some of these are held at
    flat: int = 0  # of these, events whose model nobody knows: who counts says what they are held at

    def plus(self, other: "Sums") -> "Sums":
        return Sums(*map(add, self, other))

    def opposite(self) -> "Sums":
        return Sums(*map(neg, self))


BESIDE: Final[tuple[Measure, ...]] = ("unpriced", "held_cost", "held_flat")
"""What is added up beside every measure, in the order of Sums."""


Values = tuple[str, ...]
"""One combination of values of the fields that a series is `per`."""
Cells = dict[int, dict[Values, Sums]]
"""By the start of a period (or of a window's step), in microseconds since 1970."""


class Facts:
    """Some rows of deltas. What some or all of them do not tell is empty, and nothing."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows.combine_chunks()
        self.rows: int = self._rows.num_rows
        self.minutes: Ints = np.asarray(self._rows["minute"].cast(pa.int64()))
        self._texts: dict[str, tuple[list[str], Ints]] = {}
        self._limbs: dict[str, Ints] = {}

    def texts_of(self, dimension: str) -> tuple[list[str], Ints]:
        """The distinct texts of a dimension, and which of them each row has."""
        if dimension not in self._texts:
            encoded = self._column(dimension, TEXT, "").dictionary_encode().combine_chunks()
            self._texts[dimension] = encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)
        return self._texts[dimension]

    def limbs_of(self, measure: Measure) -> Ints:
        """A row of limbs (32 bits each, the lowest first, the highest signed) per row; none where all is nothing."""
        if measure not in self._limbs:
            first, *others = (_limbs(self._column(part, COUNT, 0)) for part in parts_of(measure))
            limbs = sum(others, first)  # limb by limb: what one cannot hold goes on in the sums
            self._limbs[measure] = limbs if limbs.any() else limbs[:0]
        return self._limbs[measure]

    def _column(self, name: str, kind: pa.DataType, nothing: object) -> pa.ChunkedArray:
        if name not in self._rows.column_names:
            return pa.chunked_array([pa.repeat(pa.scalar(nothing, kind), self.rows)])
        column = self._rows[name]
        return pc.fill_null(column, pa.scalar(nothing, column.type)) if column.null_count else column

    def matching(self, scope: Mapping[str, Condition], per: Sequence[str]) -> Ints:
        """The rows of the scope that have a value for each of `per`."""
        mask = np.ones(self.rows, np.bool_)
        for name, condition in scope.items():
            texts, codes = self.texts_of(name)
            mask &= np.array([condition.holds(text) for text in texts], np.bool_)[codes]
        for name in per:
            texts, codes = self.texts_of(name)
            mask &= np.array([text != "" for text in texts], np.bool_)[codes]
        return np.flatnonzero(mask)

    def sums(self, rows: Ints, starts: Ints, per: Sequence[str], measure: Measure) -> Cells:
        """The sums of these rows; `starts` is the start of each one's cell."""
        distinct, cell = np.unique(starts, return_inverse=True)
        texts = [(values, codes[rows]) for values, codes in map(self.texts_of, per)]
        groups = profiles([(cell, len(distinct)), *((codes, len(values)) for values, codes in texts)], len(rows))
        order = np.argsort(groups.of_row, kind="stable")
        firsts = np.searchsorted(groups.of_row[order], np.arange(len(groups.example)))
        sums = [self._sums_of(name, rows[order], firsts) for name in (measure, *BESIDE)]
        found: Cells = {}
        for index, example in enumerate(groups.example.tolist()):
            key = tuple(values[codes[example]] for values, codes in texts)
            found.setdefault(int(starts[example]), {})[key] = Sums(*(column[index] if column else 0 for column in sums))
        return found

    def _sums_of(self, measure: Measure, rows: Ints, firsts: Ints) -> list[int]:
        """Of rows that lie together by group; empty where all of it is nothing, as most often what is held."""
        amounts = self.limbs_of(measure)
        if not len(amounts):
            return []
        return [_whole(limbs) for limbs in np.add.reduceat(amounts[rows], firsts, axis=0).tolist()]


def _whole(limbs: Sequence[int]) -> int:
    return sum(limb << _LIMB_BITS * place for place, limb in enumerate(limbs))


def _limbs(column: pa.ChunkedArray) -> Ints:
    """Integers, or decimals of 128 bits, as rows of two or four numbers, the lowest first; the highest has the sign."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    count = column.type.bit_width // _LIMB_BITS
    if len(array) == 0:
        return np.zeros((0, count), np.int64)
    words = words_of(array).view("<u4")
    limbs = words.astype(np.int64)
    limbs[:, -1] = words[:, -1].view(np.int32)
    return limbs
