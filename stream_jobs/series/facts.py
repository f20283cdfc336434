"""The rows of deltas as numbers, so that a hundred series can look at them in some milliseconds.

Each distinct text once, and a code per row; amounts as integers of pico-USD, summed in four limbs of 32 bits each,
which no sum of a batch can overflow.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spendstream_schemas.scope import SCOPE_FIELDS, Condition
from stream_jobs.series.delta import COSTS
from stream_jobs.store.decimals import words_of
from stream_jobs.store.texts import profiles

Ints = npt.NDArray[np.int64]
_LIMBS: Final = 4
_LIMB_BITS: Final = 32


class Sums(NamedTuple):
    """What is added up."""

    amount: int = 0  # of the measure: pico-USD, of what has a price
    unpriced: int = 0  # events without one

    def plus(self, other: "Sums") -> "Sums":
        return Sums(self.amount + other.amount, self.unpriced + other.unpriced)


Values = tuple[str, ...]
"""One combination of values of the fields that a series is `per`."""
Cells = dict[int, dict[Values, Sums]]
"""By the start of a period (or of a window's step), in microseconds since 1970."""


class Facts:
    """Some rows of deltas (series.delta.SCHEMA)."""

    def __init__(self, rows: pa.Table) -> None:
        rows = rows.combine_chunks()
        self.rows: int = rows.num_rows
        self.minutes: Ints = np.asarray(rows["minute"].cast(pa.int64()))
        self._texts: dict[str, list[str]] = {}
        self._codes: dict[str, Ints] = {}
        for name in SCOPE_FIELDS:
            encoded = pc.dictionary_encode(rows[name]).combine_chunks()
            chunk = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
            self._texts[name] = chunk.dictionary.to_pylist()
            self._codes[name] = chunk.indices.to_numpy().astype(np.int64)
        self._limbs = {name: _limbs(rows[name]) for name in COSTS}
        self._unpriced: Ints = np.asarray(rows["unpriced"])

    def matching(self, scope: Mapping[str, Condition], per: Sequence[str]) -> Ints:
        """The rows of the scope that have a value for each of `per`."""
        mask = np.ones(self.rows, np.bool_)
        for name, condition in scope.items():
            mask &= np.array([condition.holds(text) for text in self._texts[name]], np.bool_)[self._codes[name]]
        for name in per:
            mask &= np.array([text != "" for text in self._texts[name]], np.bool_)[self._codes[name]]
        return np.flatnonzero(mask)

    def sums(self, rows: Ints, starts: Ints, per: Sequence[str], measure: str) -> Cells:
        """The sums of these rows; `starts` is the start of each one's cell."""
        distinct, cell = np.unique(starts, return_inverse=True)
        columns = [(cell, len(distinct)), *((self._codes[name][rows], len(self._texts[name])) for name in per)]
        groups = profiles(columns, len(rows))
        order = np.argsort(groups.of_row, kind="stable")
        firsts = np.searchsorted(groups.of_row[order], np.arange(len(groups.example)))
        limbs = np.add.reduceat(self._limbs[measure][rows][order], firsts, axis=0).tolist()
        unpriced = np.add.reduceat(self._unpriced[rows][order], firsts).tolist()
        found: Cells = {}
        for index, example in enumerate(groups.example.tolist()):
            values = tuple(self._texts[name][self._codes[name][rows[example]]] for name in per)
            amount = sum(limb << _LIMB_BITS * place for place, limb in enumerate(limbs[index]))
            found.setdefault(int(starts[example]), {})[values] = Sums(amount, unpriced[index])
        return found


def _limbs(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Decimals of 128 bits as rows of four numbers, the lowest first; the highest one has the sign."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if len(array) == 0:
        return np.zeros((0, _LIMBS), np.int64)
    words = words_of(array).view("<u4")
    limbs = words.astype(np.int64)
    limbs[:, -1] = words[:, -1].view(np.int32)
    return limbs
