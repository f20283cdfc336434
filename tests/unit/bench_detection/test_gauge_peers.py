"""Simple detectors of values."""

import numpy as np
import pytest

from tests.benchmarks.detection.gauge_peers import PEERS


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_spike_is_marked_without_looking_ahead(name: str) -> None:
    """Each marks a value far from all others, and what comes later changes no mark."""
    values = np.random.default_rng(6).normal(10, 1, 600)
    values[500] = 40.0
    marks = PEERS[name](values, 3600.0)
    assert marks[500]
    assert marks[:400].mean() < 0.05
    assert PEERS[name](values[:501], 3600.0).tolist() == marks[:501].tolist()
