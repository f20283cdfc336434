from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream_jobs.detection import band
from stream_jobs.detection.calibration import NEVER, UNITS
from stream_jobs.detection.model import Finding, Floats
from stream_jobs.detection.scales import COST, EVENTS, SILENCE, WINDOWS
from stream_jobs.detection.thresholds import nats
from tests.unit.detection.world import minutes, run, warmed

RATES = np.array([50.0, 50.0, 5.0])


def is_beyond(finding: Finding) -> bool:
    """Outside its band, on its own side; the usual is inside."""
    beyond = finding.actual > finding.high if finding.direction == "up" else finding.actual < finding.low
    return beyond and 0 <= finding.low <= finding.expected <= finding.high


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.integers(0, SILENCE),
    st.sampled_from([1, -1]),
    st.sampled_from([COST, EVENTS]),
    st.floats(1.001, 50.0),
    st.floats(1e-9, 0.999),
    st.floats(1e-6, 1e6),
    st.floats(1.0, 30.0),
)
def test_what_is_beyond_a_limit_is_outside_the_band(
    scale: int, side: int, measure: int, times: float, part: float, usual: float, spread: float
) -> None:
    """Of every scale, on both sides, told by money or by requests, however far beyond the limit, and however wide the
    past of the series was."""
    detector = warmed(RATES)
    run(detector, minutes(RATES, 2))
    frame, s = detector.frame, detector.frame.state
    s.side[0], s.scale[0], s.kind[0] = side, scale, 0
    assume(scale < SILENCE or side < 0)
    actual = usual / part if side > 0 else usual * part
    if scale < WINDOWS:
        assume(s.limit_up[measure, scale, 0] < NEVER / 2)
        s.spread[:, measure, scale, 0] = spread
        s.limit_up[measure, scale, 0] *= np.sqrt(spread)
        s.limit_down[measure, scale, 0] *= np.sqrt(spread)
        limit = (s.limit_up if side > 0 else -s.limit_down)[measure, scale, 0]
        score = nats(np.array(times * limit / UNITS[scale, 0] / np.sqrt(spread)))
    else:
        tau2 = float(s.tau2[EVENTS, 3, 0] + s.unsure[EVENTS, 0])
        score = np.log1p(tau2 * times * s.limit_gap[0]) / tau2
    s.score[0] = score
    low, high = band.of_finding(frame, 0, usual, actual)
    assert 0 <= low <= usual <= high
    assert actual > high if side > 0 else actual < low


FACTORS = (0.0, 0.1, 0.3, 1.8, 3.0, 30.0)
LENGTHS = (3, 40, 400)


@cache
def told() -> tuple[Finding, ...]:
    """Of a series for each factor and length, and one as usual behind them: alike as if each were alone."""
    factor, length = (np.array(values) for values in zip(*product(FACTORS, LENGTHS), strict=True))

    def level(minute: int) -> Floats:
        return np.append(np.where((minute >= 100) & (minute < 100 + length), factor, 1.0), 1.0)

    rates = np.full(len(factor) + 1, 50.0)
    return tuple(run(warmed(rates), minutes(rates, 800, seed=3, level=level)))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "given"), list(enumerate(product(FACTORS, LENGTHS))))
def test_every_finding_is_outside_its_band_as_long_as_it_lasts(number: int, given: tuple[float, int]) -> None:
    """When it opens, as it goes on, and when it is over: a burst, a rise of hours, a drop, a silence."""
    findings = [finding for finding in told() if finding.number == number]
    assert findings or given[1] < 400
    assert all(is_beyond(finding) for finding in findings), findings


def test_a_newcomer_s_band_is_what_an_hour_may_cost() -> None:
    """A hundred times what its peers spend in one."""
    detector = warmed(RATES)
    detector.add(["runaway"], usual=[0.01])

    def level(minute: int) -> Floats:
        return np.append(np.ones(3), float(10 <= minute < 130))

    findings = run(detector, minutes(np.append(RATES, 50.0), 180, level=level))
    assert {finding.kind for finding in findings} == {"new_series"}
    assert [round(finding.high, 6) for finding in findings] == [1.0] * len(findings)
    assert all(is_beyond(finding) for finding in findings)
    assert findings[0].scale == "5m"
