"""Decimal columns as integers of their last digit, without a float and without a Decimal per value."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import numpy as np
import pyarrow as pa

from stream_jobs.store.texts import Codes, Mask

WIDTH: Final = 16  # bytes of a decimal128
_WHOLE: Final = pa.decimal128(38, 0)
_EXACT: Final = Context(prec=76, rounding=ROUND_HALF_EVEN)


def words_of(array: pa.Array) -> Codes:
    """The values of an array that is not all NULL, as rows of 64 bits, the lowest first: two of a decimal128, one of an
    integer of 64 bits."""
    wide = array.type.bit_width // 64
    words = np.frombuffer(array.buffers()[1], dtype="<i8", count=wide * (array.offset + len(array)))
    return words.reshape(-1, wide)[array.offset :]


def units_of(array: pa.Array) -> list[int | None]:
    """The values of a decimal128 array as integers of its last digit: 0.5 with 12 places is 500,000,000,000."""
    if len(array) == 0:
        return []
    raw = array.buffers()[1]
    if raw is None or array.null_count == len(array):
        return [None] * len(array)
    low, high = words_of(array).T
    values: list[int | None]
    if bool(np.all(high == (low >> 63))):
        values = low.tolist()
    else:  # more than 9.2 million USD in pico-USD
        data = memoryview(raw)[WIDTH * array.offset :]
        values = [
            int.from_bytes(data[at : at + WIDTH], "little", signed=True) for at in range(0, WIDTH * len(array), WIDTH)
        ]
    if array.null_count:
        valid = array.is_valid().to_pylist()
        values = [value if ok else None for value, ok in zip(values, valid, strict=True)]
    return values


def decimals_of(values: Sequence[int | None], kind: pa.DataType) -> pa.Array:
    """The reverse of `units_of`. Raises OverflowError for more digits than the type has."""
    count = len(values)
    valid = None
    if None in values:
        valid = np.array([value is not None for value in values])
        values = [value or 0 for value in values]
    try:
        low = np.array(values, dtype="<i8")
    except OverflowError:
        limit = 10**kind.precision
        if any(abs(value) >= limit for value in values if value is not None):
            raise OverflowError(f"an amount has more than {kind.precision} digits") from None
        data = pa.py_buffer(b"".join(int(value or 0).to_bytes(WIDTH, "little", signed=True) for value in values))
        return pa.Array.from_buffers(kind, count, [_validity(valid), data])
    return from_pico(low, kind, valid)


def from_pico(pico: Codes, kind: pa.Decimal128Type, valid: Mask | None = None) -> pa.Array:
    """Each number as units of the last place of `kind`: 1 is 1e-12 in decimal128(38, 12). NULL where not `valid`."""
    words = np.empty((len(pico), 2), np.int64)
    words[:, 0] = pico
    words[:, 1] = pico >> 63  # the upper half of the two's complement
    return pa.Array.from_buffers(kind, len(pico), [_validity(valid), pa.py_buffer(words)])


def from_units(units: Codes, kind: pa.Decimal128Type) -> pa.Array:
    """Each number as that many whole units: 1 is 1 in decimal128(38, 12)."""
    return pa.array(units).cast(_WHOLE).cast(kind)


def _validity(valid: Mask | None) -> pa.Buffer | None:
    return None if valid is None else pa.array(valid).buffers()[1]


def units(value: int | Decimal, places: int) -> int:
    """The number as an integer of its last of so many decimal places, rounded half to even if it has more."""
    if isinstance(value, int):
        return int(value * 10**places)
    return int(_EXACT.to_integral_value(_EXACT.scaleb(value, places)))
