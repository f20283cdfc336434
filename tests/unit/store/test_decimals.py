"""Decimals between Arrow and Python."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.money import usd_from_pico
from stream_jobs.store.decimals import decimals_of, units, units_of

MONEY = pa.decimal128(38, 12)
amounts = st.lists(
    st.one_of(st.none(), st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(-9, 9))
)


@given(amounts, st.integers(0, 3))
def test_there_and_back(values: list[int | None], cut: int) -> None:
    """Every amount that a Decimal(38, 12) holds comes back, NULLs and slices too, and means the same to Arrow."""
    array = decimals_of(values, MONEY)
    assert units_of(array) == values
    assert array.to_pylist() == [None if v is None else usd_from_pico(v) for v in values]
    assert units_of(array.slice(cut)) == values[cut:]


def test_more_digits_than_the_column_has_are_refused() -> None:
    """An amount is never cut: 39 digits are an error."""
    with pytest.raises(OverflowError, match="38 digits"):
        decimals_of([1, 10**38], MONEY)


def test_units_are_rounded_half_to_even() -> None:
    """As the ledger rounds unit prices that do not end."""
    assert [units(Decimal(text), 2) for text in ("0.125", "0.135", "1", "-0.125")] == [12, 14, 100, -12]
    assert units(3, 12) == 3_000_000_000_000
