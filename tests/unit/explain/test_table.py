"""Tables of cells."""

import pyarrow as pa
import pytest

from stream_jobs.explain import cells_of
from stream_jobs.explain.table import MAX_DIMENSIONS, amount_columns
from tests.unit.explain.tables import AMOUNTS, cells


def test_rows_of_one_cell_add_up() -> None:
    """Exactly, whatever their order."""
    table = cells(("b", "x", 1, "0.1", 2, "0.000000000001"), ("a", "x", 1, 1, 1, 1), ("b", "x", 4, "0.2", 0, 0))
    assert len(table) == 2
    assert table.requests.before.tolist() == [1, 5]
    assert table.cost.before.tolist() == [10**12, 3 * 10**11]
    assert table.cost.after.tolist() == [10**12, 1]


def test_sums_beyond_64_bits_are_exact() -> None:
    """Of more money than an int64 holds in pico-USD."""
    table = cells(*[("a", "x", 1, "99999999999999999999.000000000001", 1, 1)] * 3)
    assert table.cost.before.tolist() == [3 * (99999999999999999999 * 10**12 + 1)]


def test_requests_that_are_expected_may_be_fractions() -> None:
    """In a unit of their own."""
    table = cells(("a", "x", "0.5", 1, 1, 1))
    assert (table.requests.before.tolist(), table.requests.unit) == ([5 * 10**11], 10**12)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["model", *AMOUNTS[1:]], "has no column requests_before"),
        ([*AMOUNTS], "has no dimension"),
        (["model", "model", *AMOUNTS], "more than one column model"),
        (["", *AMOUNTS], "without a name"),
        (["model", *AMOUNTS, "output_tokens_before"], "has no column output_tokens_after"),
        (["model", *AMOUNTS, "latency_before", "latency_after"], "has a column latency_before"),
        ([*map(str, range(MAX_DIMENSIONS + 1)), *AMOUNTS], "33 dimensions"),
    ],
)
def test_names_that_cannot_be_used_are_said(names: list[str], problem: str) -> None:
    """One problem, with what to do."""
    with pytest.raises(ValueError, match=problem):
        amount_columns(names)


def test_columns_of_texts_are_no_amounts() -> None:
    """Nobody guesses numbers."""
    table = pa.table({"model": ["a"], **{name: ["1"] for name in AMOUNTS}})
    with pytest.raises(ValueError, match="requests_before is of type string"):
        cells_of(table)
