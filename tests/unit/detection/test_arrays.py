import numpy as np
import pytest

from stream_jobs.detection.arrays import LANES, Arrays, Field

FIELDS: dict[str, Field] = {"a": ((2, 3), "f4", 1.5), "b": ((), "i4", -1.0)}


def filled() -> Arrays:
    arrays = Arrays(FIELDS)
    arrays.reserve(5)
    arrays.a[1, 2, 3] = 7
    arrays.b[4] = 9
    return arrays


def test_columns_grow_in_lanes_and_keep_what_they_hold() -> None:
    """New columns hold the first value of their field."""
    arrays = filled()
    assert arrays.columns == LANES
    assert arrays.reserve(LANES + 1)
    assert arrays.columns % LANES == 0
    assert (arrays.a[1, 2, 3], arrays.b[4], arrays.b[-1], arrays.a[0, 0, -1]) == (7, 9, -1, 1.5)
    assert not arrays.reserve(3)
    assert arrays.bytes_per_series == 2 * 3 * 4 + 4


def test_what_is_dumped_is_loaded_bit_by_bit() -> None:
    """And what was told about it comes back."""
    arrays, again = filled(), Arrays(FIELDS)
    assert again.load(arrays.dump(1, {"names": ["x"]}), 1) == {"names": ["x"]}
    assert (again.a == arrays.a).all()
    assert (again.b == arrays.b).all()
    assert again.a.flags.writeable


def test_anything_else_is_refused() -> None:
    """Empty, cut, flipped, of another version, or of other fields: a ValueError, whatever the bytes."""
    state = filled().dump(1, {})
    rng = np.random.default_rng(3)
    flipped = bytearray(state)
    flipped[len(flipped) // 2] ^= 1
    for wrong in (b"", b"x", state[:-1], state[:30], bytes(flipped), rng.bytes(500), state + b"."):
        with pytest.raises(ValueError, match="no state"):
            Arrays(FIELDS).load(wrong, 1)
    with pytest.raises(ValueError, match="version 1"):
        Arrays(FIELDS).load(state, 2)
    with pytest.raises(ValueError, match="not whole"):
        Arrays({"a": ((2,), "f8", 0.0)}).load(state, 1)
