import numpy as np
import pytest

from stream_jobs.detection.scales import LENGTH, LOOKS, NAMES, SHARE
from stream_jobs.detection.thresholds import nats, needed_nats, sigmas


def test_deviates_and_nats_are_inverse() -> None:
    """To a thousandth, from 3 nats on."""
    given = np.array([3.0, 8.0, 15.0, 40.0, 300.0])
    assert nats(sigmas(given)) == pytest.approx(given, abs=0.02)
    assert float(sigmas(np.array(15.064998))) == pytest.approx(5.0, abs=1e-3)


def test_more_budget_needs_less_surprise() -> None:
    """Twice the false alarms: ln 2 nats less on every scale; every scale has looks, a share and a length."""
    assert needed_nats(1.0) - needed_nats(2.0) == pytest.approx(np.full(len(NAMES), np.log(2)))
    assert len(LOOKS) == len(SHARE) == len(LENGTH) == len(NAMES)
    assert sum(SHARE) == pytest.approx(1)
