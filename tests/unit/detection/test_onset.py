import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.detection import onset
from stream_jobs.detection.model import Floats
from tests.unit.detection.world import BEGIN, minutes, run, warmed

RATES = np.array([100.0, 10.0, 1000.0])


@pytest.mark.slow
@pytest.mark.parametrize("before", [0.9, 1.0, 1.35])
@pytest.mark.parametrize(("factor", "side"), [(4.0, 1), (10.0, 1), (0.1, -1)])
def test_an_hour_that_is_a_little_off_is_no_start(before: float, factor: float, side: int) -> None:
    """A change of level is where it was, though the hour before it was busier or calmer than usual."""

    def level(minute: int) -> Floats:
        return np.full(3, before if minute < 140 else factor)

    detector = warmed(RATES)
    run(detector, minutes(RATES, 146, level=level))
    for number in range(3):
        assert abs(onset.minute(detector.frame, number, side) - BEGIN - 140) <= 1


def test_a_rise_that_fills_the_hour_began_before_it() -> None:
    """Nothing in the ring tells where it began: its first minute."""
    detector = warmed(RATES)
    run(detector, minutes(RATES, 200, level=lambda at: np.full(3, 1.0 if at < 100 else 5.0)))
    assert onset.minute(detector.frame, 0, 1) == BEGIN + 140


@pytest.mark.parametrize("seed", range(3))
def test_a_rise_told_by_minutes_did_not_begin_hours_ago(seed: int) -> None:
    """Ten times as much: its start is within three minutes of it, whatever window told it."""
    begin = 200 + 17 * seed
    findings = run(warmed(RATES), minutes(RATES, begin + 50, seed, lambda at: np.full(3, 1.0 if at < begin else 10.0)))
    assert {finding.number for finding in findings} == {0, 1, 2}
    assert all(abs(finding.start - BEGIN - begin) <= 3 for finding in findings)


counts = st.one_of(st.just(0.0), st.floats(1e-12, 1e12))


@given(counts, counts, st.floats(0.004, 12.0))
def test_the_likeliest_level_of_any_counts(actual: float, usual: float, tau2: float) -> None:
    """Nothing usual, or nothing that came, included: between what came for what was usual, and none. No overflow."""
    off = float(onset._off(np.array([actual]), np.array([usual]), tau2)[0])
    low, high = sorted((0.0, float(np.log(max(actual, 1e-12) / max(usual, 1e-12)))))
    assert low - 1e-6 <= off <= high + 1e-6
