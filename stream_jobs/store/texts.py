"""Columns of texts that repeat: each distinct text once, and a number per row."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
MAX_KEY = 2**62


class Texts(NamedTuple):
    """One text per row: `values[codes[row]]`. A missing text is ''."""

    codes: Codes
    values: Sequence[str]

    def take(self, rows: Codes) -> "Texts":
        return Texts(self.codes[rows], self.values)

    def or_else(self, other: "Texts") -> "Texts":
        """This text where there is one, else the other."""
        if "" not in self.values:
            return self
        missing = self.codes == self.values.index("")
        return Texts(np.where(missing, other.codes + len(self.values), self.codes), [*self.values, *other.values])

    def listed(self) -> list[str]:
        """The text of every row."""
        return [self.values[code] for code in self.codes.tolist()]

    def array(self) -> pa.Array:
        """Each distinct text once: `or_else` may have two of one, and ClickHouse refuses such a dictionary."""
        distinct = {text: code for code, text in enumerate(dict.fromkeys(self.values))}
        codes = self.codes
        if len(distinct) < len(self.values):
            codes = np.array([distinct[text] for text in self.values], np.int64)[codes]
        indices = pa.array(codes.astype(np.int32, copy=False))
        return pa.DictionaryArray.from_arrays(indices, pa.array(list(distinct), pa.string()))


def any_given(values: Sequence[Any]) -> bool:
    """Whether at least one value is not None."""
    # Counting compares: slow where values are texts, and needless where the first is one.
    return len(values) > 0 and (values[0] is not None or values.count(None) < len(values))


def texts_of(column: pa.Array | pa.ChunkedArray) -> Texts:
    """NULL becomes ''."""
    encoded = column.dictionary_encode("encode")
    chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
    codes = [chunk.indices.to_numpy() for chunk in chunks]
    texts = [text or "" for text in chunks[0].dictionary.to_pylist()]  # all chunks have the same
    return Texts((codes[0] if len(codes) == 1 else np.concatenate(codes)).astype(np.int64), texts)


def constant(text: str, rows: int) -> Texts:
    return Texts(np.zeros(rows, np.int64), [text])


class Profiles(NamedTuple):
    """Rows that agree in some columns: the number of each row's profile, and of each profile its first row."""

    of_row: Codes
    example: Codes


def profiles(columns: Sequence[tuple[npt.NDArray[np.integer[Any]], int]], rows: int) -> Profiles:
    """Number the distinct combinations of columns, each given as codes and how many there can be."""
    key = np.zeros(rows, np.int64)
    size = 1
    for codes, count in columns:
        if count <= 1:
            continue
        if size * count > MAX_KEY:
            key, size = _numbered(key)
        key = key * count + codes
        size *= count
    of_row, number = _numbered(key)
    example = np.empty(number, np.int64)
    example[of_row[::-1]] = np.arange(rows - 1, -1, -1)  # the first of each is written last, and stays
    return Profiles(of_row, example)


def _numbered(key: Codes) -> tuple[Codes, int]:
    """Each key's number, in the order in which they come, and how many there are. Hashing is several times as fast as
    sorting."""
    encoded = pa.array(key).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)


def maps(values: Sequence[Mapping[str, str]]) -> pa.Array:
    """A column of maps of texts."""
    starts = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, values), np.int32, len(values)), out=starts[1:])
    keys = list(chain.from_iterable(values))
    texts = list(chain.from_iterable([value.values() for value in values if value]))
    return pa.MapArray.from_arrays(pa.array(starts), pa.array(keys, pa.string()), pa.array(texts, pa.string()))


def empty_maps(rows: int) -> pa.Array:
    """A column of maps without entries."""
    nothing: Any = pa.array([], pa.string())
    return pa.MapArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), nothing, nothing)
