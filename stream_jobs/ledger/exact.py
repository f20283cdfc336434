"""Decimals between Arrow and Python without a float, and without an object per value: integers of their last digit."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import numpy as np
import pyarrow as pa

WIDTH: Final = 16  # bytes of a decimal128
_EXACT: Final = Context(prec=76, rounding=ROUND_HALF_EVEN)


def units_of(array: pa.Array) -> list[int | None]:
    """The values of a decimal128 array as integers of its last digit: 0.5 with 12 places is 500,000,000,000."""
    if len(array) == 0:
        return []
    raw = array.buffers()[1]
    if raw is None or array.null_count == len(array):
        return [None] * len(array)
    words = np.frombuffer(raw, dtype="<i8", count=2 * (array.offset + len(array)))[2 * array.offset :]
    low, high = words[0::2], words[1::2]
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
        valid = pa.array([value is not None for value in values], pa.bool_())
        values = [value or 0 for value in values]
    try:
        low = np.array(values, dtype="<i8")
    except OverflowError:
        limit = 10**kind.precision
        if any(abs(value) >= limit for value in values if value is not None):
            raise OverflowError(f"an amount has more than {kind.precision} digits") from None
        data = pa.py_buffer(b"".join(int(value or 0).to_bytes(WIDTH, "little", signed=True) for value in values))
    else:
        words = np.empty(2 * count, dtype="<i8")
        words[0::2] = low
        words[1::2] = low >> 63
        data = pa.py_buffer(words)
    return pa.Array.from_buffers(kind, count, [None if valid is None else valid.buffers()[1], data])


def units(value: int | Decimal, places: int) -> int:
    """The number as an integer of its last of so many decimal places, rounded half to even if it has more."""
    if isinstance(value, int):
        return int(value * 10**places)
    return int(_EXACT.to_integral_value(_EXACT.scaleb(value, places)))
