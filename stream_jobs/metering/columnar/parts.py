"""Columns that grow by parts: a part is turned into a column while its objects are still in the processor's caches."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from stream_jobs.store.texts import Texts, any_given, constant, maps, texts_of


class Column:
    """One value per row; None is NULL."""

    __slots__ = ("_chunks", "_kind", "_missing", "_rows")

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._chunks: list[pa.Array] = []
        self._rows = 0
        self._missing = 0  # the last rows, of which none has a value: not in a chunk yet

    def add(self, values: Sequence[Any]) -> None:
        self._rows += len(values)
        if any_given(values):
            self._chunks = self._whole()
            self._chunks.append(pa.array(values, self._kind))
            self._missing = 0
        else:
            self._missing += len(values)

    def _whole(self) -> list[pa.Array]:
        return [*self._chunks, pa.nulls(self._missing, self._kind)] if self._missing else self._chunks

    @property
    def empty(self) -> bool:
        """Whether no row has a value."""
        return self._missing == self._rows

    def array(self) -> pa.Array:
        chunks = self._whole()
        return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)

    def single_texts(self) -> pa.Array:
        """Of texts that hardly repeat. A missing one is ''."""
        if self.empty:
            return constant("", self._rows).array().cast(pa.string())
        array = self.array()
        return array.fill_null("") if array.null_count else array

    def texts(self) -> Texts:
        """Each distinct text once. A missing one is ''."""
        return constant("", self._rows) if self.empty else texts_of(pa.chunked_array(self._whole()))


class Maps:
    """One map of texts per row; a missing one is empty."""

    __slots__ = ("_chunks", "empty")

    def __init__(self) -> None:
        self._chunks: list[pa.Array] = []
        self.empty = True  # no row has an entry

    def add(self, values: Sequence[Mapping[str, str] | None]) -> None:
        self._chunks.append(maps([value or {} for value in values]))
        self.empty = self.empty and not any(values)

    def array(self) -> pa.Array:
        return pa.concat_arrays(self._chunks)
