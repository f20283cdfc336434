"""Confidence intervals against textbook values, and against what they promise."""

import math

import numpy as np
import pytest

from tests.benchmarks.detection.intervals import of_median, poisson, wilson


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (118, 120, 0.9413, 0.9954), (120, 120, 0.9690, 1.0)],
)
def test_wilson(hits: int, trials: int, low: float, high: float) -> None:
    """Published values of Wilson's interval."""
    assert wilson(hits, trials) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)])
def test_poisson(count: int, low: float, high: float) -> None:
    """Garwood's table; by exposure."""
    assert poisson(count, 1) == pytest.approx((low, high), abs=1e-3)
    assert poisson(count, 5) == pytest.approx((low / 5, high / 5), abs=1e-3)


def test_the_median_is_covered() -> None:
    """In at least 95 of 100 samples of a skewed distribution, within what such a simulation can tell."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        low, high = of_median(rng.exponential(1.0, 41).tolist())
        covered += low <= math.log(2) <= high
    assert covered / 400 > 0.93


def test_nothing_tells_nothing() -> None:
    """Without a sample every value is possible."""
    assert wilson(0, 0) == (0.0, 1.0)
    assert poisson(0, 0.0) == (0.0, math.inf)
    assert of_median([]) == (0.0, math.inf)
    assert of_median([7.0]) == (7.0, 7.0)
