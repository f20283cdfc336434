"""What came, cell by cell."""

from stream_jobs.forecasts.past import _arrays
from stream_jobs.series.facts import Cells, Sums


def test_cells_without_anything_are_nothing_and_amounts_are_in_units() -> None:
    """Of pico-USD, USD; of counts, counts."""
    cells: Cells = {10: {("a",): Sums(2 * 10**12), ("b",): Sums(-(10**12))}, 30: {("a",): Sums(5 * 10**11)}}
    found = _arrays(cells, {10: 0, 20: 1, 30: 2}, 12)
    assert {values: row.tolist() for values, row in found.items()} == {
        ("a",): [2.0, 0.0, 0.5],
        ("b",): [-1.0, 0.0, 0.0],
    }
    assert _arrays({10: {(): Sums(7)}}, {10: 0}, 0)[()].tolist() == [7.0]
