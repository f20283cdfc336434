from collections.abc import Iterator

import numpy as np
import pytest

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Finding, Floats, Minute
from tests.unit.detection.world import BEGIN, minutes, run, warmed

RATES = np.array([50.0, 5.0])


def last(findings: list[Finding], number: int) -> Finding:
    return [one for one in findings if one.number == number][-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_silence_ends_when_requests_come_again(seed: int) -> None:
    """After a day without one, to the minute, and nothing came: exactly 0."""
    traffic = minutes(RATES, 2000, seed, lambda at: np.full(2, 0.0 if 200 <= at < 1640 else 1.0))
    findings = run(warmed(RATES), traffic)
    for number in range(2):
        over = last(findings, number)
        assert (over.kind, over.closing) == ("silence", "over")
        assert over.end == pytest.approx(BEGIN + 1640, abs=3)
        assert 0 <= over.actual < 0.05 * over.expected


def test_requests_that_come_again_in_part_make_a_silence_a_drop() -> None:
    """Two hours of nothing, then a fifth of the usual for six, then all: one finding."""

    def level(at: int) -> Floats:
        return np.full(2, 0.0 if 200 <= at < 320 else 0.2 if 320 <= at < 680 else 1.0)

    findings = run(warmed(RATES), minutes(RATES, 900, level=level))
    for number in range(2):
        own = [one for one in findings if one.number == number]
        assert {one.detected_at for one in own} == {own[0].detected_at}
        assert (own[-1].kind, own[-1].closing) == ("drop", "over")
        assert own[-1].end == pytest.approx(BEGIN + 680, abs=10)


def silent_over_weekend() -> Iterator[Minute]:
    """From Friday noon until Sunday noon nothing comes: the first weekend."""
    begin = BEGIN  # a Monday
    for minute in minutes(RATES, 7 * 1440, 4, begin=begin):
        if 4 * 1440 + 720 <= minute.at - begin < 6 * 1440 + 720:
            minute.events[:], minute.cost[:] = 0, 0
            if minute.squares is not None:
                minute.squares[:] = 0
        yield minute


@pytest.mark.slow
def test_a_silence_goes_on_while_nothing_comes() -> None:
    """Though a weekend that was never seen may hold next to nothing."""
    detector = CostDetector()
    detector.add(["a", "b"])
    findings = run(detector, silent_over_weekend())
    for number in range(2):
        (silence,) = [one for one in findings if one.number == number and one.closing]
        assert silence.kind == "silence"
        assert silence.end == pytest.approx(BEGIN + 6 * 1440 + 720, abs=3)


@pytest.mark.slow
def test_the_shift_of_a_finding_is_that_of_its_first_hours() -> None:
    """A third of the usual for two hours at the end of a day of work is over when the next day is as usual, though the
    night between tells nothing."""

    def level(at: int) -> Floats:
        of_day = at % 1440
        work = 2.0 if 540 <= of_day < 1080 else 0.01
        return np.full(2, work * (0.3 if 10 * 1440 + 900 <= at < 10 * 1440 + 1080 else 1.0))

    detector = CostDetector()
    detector.add(["a", "b"])
    findings = run(detector, minutes(RATES, 12 * 1440, level=level))
    told = [one for one in findings if one.start >= BEGIN + 10 * 1440 + 600]
    assert told
    assert all(one.end is not None and one.end <= BEGIN + 11 * 1440 + 700 for one in told if one.closing)
    assert last(told, 0).closing == "over"
