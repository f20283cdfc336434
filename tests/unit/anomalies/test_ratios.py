"""Drivers as quotients, and the scales they are judged on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.anomalies.ratios import JUDGED, QUOTIENTS, SUMS, Figures, at_stake, pull_of, quotient_of, values_of
from stream_jobs.detection.model import Floats

HOUR = {
    **{"events": 200.0, "effective_cost": 4.0, "input_tokens": 30_000.0, "output_tokens": 10_000.0},
    **{"cache_read_tokens": 24_000.0, "errors": 6.0, "gpu_seconds": 3600.0, "busy_gpu_seconds": 900.0},
}
USUAL = dict(zip(JUDGED, (200.0, 0.0001, 0.8, 0.03, 0.25), strict=True))


def judged(**changes: float) -> Floats:
    hour = HOUR | changes
    found: Floats = values_of({name: np.array([hour[name]]) for name in SUMS})[0]
    return found


def test_values_are_quotients_on_a_scale() -> None:
    """And come back in the driver's unit."""
    found = {name: quotient_of(name, value) for name, value in zip(JUDGED, judged().tolist(), strict=True)}
    assert found == pytest.approx(USUAL)
    assert set(JUDGED) <= set(QUOTIENTS)


def test_few_requests_tell_nothing() -> None:
    """Nor do few seconds of GPUs, whatever the requests."""
    assert np.isnan(judged(events=99.0)).tolist() == [True, True, True, True, False]
    assert np.isnan(judged(gpu_seconds=899.0)).tolist() == [False] * 4 + [True]


def test_what_has_no_quotient_is_unknown() -> None:
    """Nothing below the line; above it nothing whose logarithm is asked for, or less than nothing, as after credits."""
    assert np.isnan(judged(input_tokens=0.0, output_tokens=0.0, cache_read_tokens=0.0))[:3].all()
    assert np.isnan(judged(effective_cost=-1.0))[1]
    assert np.isnan(judged(errors=-1.0))[3]
    assert judged(errors=0.0)[3] == 0


@given(st.sampled_from(JUDGED), st.floats(-1e9, 1e9))
def test_whatever_a_band_reaches_is_a_number_in_the_unit(name: str, value: float) -> None:
    """Shares stay within 0 and 1."""
    found = quotient_of(name, value)
    assert np.isfinite(found)
    assert found >= 0
    if name not in ("tokens_per_request", "price_per_token"):
        assert found <= 1


def test_a_cache_that_is_hit_less_makes_it_dearer() -> None:
    """As do GPUs that wait, errors, longer requests, and prices; money that is spent moves as itself."""
    falls = {name for name in (*JUDGED, "effective_cost") if pull_of(name, "down") == "up"}
    assert falls == {"cache_rate", "gpu_utilization"}
    assert pull_of("cache_rate", "up") == "down"


@pytest.mark.parametrize(
    ("name", "actual", "expected", "stake"),
    [
        ("tokens_per_request", 400, 200, 0.5),  # half of what is paid is for what was not usual
        ("price_per_token", 1, 2, -1.0),
        ("cache_rate", 0.1, 0.8, 0.7),
        ("error_rate", 0.01, 0.03, -0.02),
        ("gpu_utilization", 0.5, 0.25, -0.25),
    ],
)
def test_what_is_at_stake(name: str, actual: float, expected: float, stake: float) -> None:
    """As a share of the cost, by the difference."""
    assert at_stake(name, Figures(actual, expected, expected, expected)) == pytest.approx(stake)
