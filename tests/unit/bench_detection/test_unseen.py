"""Noises that nobody tuned on are still the spec's traffic."""

import numpy as np
import pytest

from tests.benchmarks.detection.generator import Spec
from tests.benchmarks.detection.unseen import KINDS, make

SPEC = Spec(rate=10, weeks=2, days=0)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind: str) -> None:
    """Two weeks near the spec's size, without an incident, the same from the same seed."""
    one, again = make(kind, SPEC, 3, 2), make(kind, SPEC, 3, 2)
    assert one.events.shape == (2, SPEC.minutes)
    assert np.array_equal(one.cost, again.cost)
    assert one.incidents == []
    assert 0.3 < one.events.mean() / (10 * 5.7 / 7) < 2.5
    assert 0.5 < one.cost.sum() / one.events.sum() / SPEC.cost < 2
    assert np.all(one.squares <= one.cost**2 * (1 + 1e-6) + 1e-9)


def test_kinds_and_seeds_differ() -> None:
    """No kind is another's, and no series its neighbour's."""
    made = [make(kind, SPEC, seed, 2).cost for seed in (3, 4) for kind in KINDS]
    rows = {row.tobytes() for cost in made for row in cost}
    assert len(rows) == 4 * len(KINDS)
