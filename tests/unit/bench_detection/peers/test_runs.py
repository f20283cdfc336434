"""Points out of the band become findings."""

import numpy as np

from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.peers.runs import findings, totals


def test_totals_leave_out_what_is_not_complete() -> None:
    """Sums of so many minutes each."""
    assert totals(np.arange(7.0)[None], 3).tolist() == [[3.0, 12.0]]


def test_neighbours_are_one_finding() -> None:
    """It is detected when its first point is complete, and ends at the first point within the band."""
    above = np.array([[0, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0]], dtype=bool)
    below = np.array([[0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0]], dtype=bool)
    assert findings(above, below, 5, 100) == [
        Found(0, 105, 110, 115, "up"),
        Found(0, 125, 130, None, "up"),
        Found(0, 115, 120, 120, "down"),
        Found(1, 100, 105, 105, "down"),
    ]
