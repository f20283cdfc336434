"""Whole numbers of pico-USD as decimal columns, without going through Python's Decimal."""

from typing import Final

import numpy as np
import pyarrow as pa

from stream_jobs.store.texts import Codes, Mask

_WHOLE: Final = pa.decimal128(38, 0)


def from_pico(pico: Codes, kind: pa.Decimal128Type, valid: Mask | None = None) -> pa.Array:
    """Each number as units of the last place of `kind`: 1 is 1e-12 in decimal128(38, 12). NULL where not `valid`."""
    words = np.empty((len(pico), 2), np.int64)
    words[:, 0] = pico
    words[:, 1] = pico >> 63  # the upper half of the two's complement
    validity = None if valid is None else pa.array(valid).buffers()[1]
    return pa.Array.from_buffers(kind, len(pico), [validity, pa.py_buffer(words)])


def from_units(units: Codes, kind: pa.Decimal128Type) -> pa.Array:
    """Each number as that many whole units: 1 is 1 in decimal128(38, 12)."""
    return pa.array(units).cast(_WHOLE).cast(kind)
