import numpy as np
import pytest

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Floats
from tests.unit.detection.world import BEGIN, minutes, only, run, warmed

RATES = np.array([50.0, 50.0, 5.0])


@pytest.mark.slow
def test_a_new_series_that_spends_a_hundred_times_what_its_peers_do_is_told() -> None:
    """While it does, at most for a day, and with what peers would have spent; then it is judged by itself. One that
    spends as they do, or less, is no news."""
    detector = warmed(RATES)
    detector.add(["dear", "alike", "poor"], usual=[0.1, 30.0, 900.0])
    rates = np.concatenate([RATES, [50.0, 50.0, 50.0]])
    findings = run(detector, minutes(rates, 1600))
    assert {(f.number, f.kind, f.direction) for f in findings} == {(3, "new_series", "up")}
    first, last = findings[0], findings[-1]
    assert (first.start, first.state) == (BEGIN, "open")
    assert first.detected_at - BEGIN <= 40
    assert (last.closing, last.end) == ("new_normal", BEGIN + 1440)
    assert last.expected == pytest.approx(2.4, rel=0.01)
    assert last.actual == pytest.approx(0.5 * 1440, rel=0.1)
    assert CostDetector.load(detector.dump()).bands()[0][3] == pytest.approx(30.0, rel=0.5)


@pytest.mark.slow
def test_what_a_newcomer_does_later_is_no_new_series() -> None:
    """A week on it is judged by itself, and a rise is told as a rise."""
    detector = warmed(RATES)
    detector.add(["dear"], usual=[0.1])
    rates = np.append(RATES, 50.0)
    findings = run(detector, minutes(rates, 7 * 1440, level=only(3, 4, 20.0, 6 * 1440, 6 * 1440 + 60)))
    assert {(f.number, f.kind) for f in findings if f.start >= BEGIN + 6 * 1440} == {(3, "spike")}


def test_a_new_series_is_over_once_and_where_it_ended() -> None:
    """Twenty minutes of a runaway, then nothing: told once, within minutes, with its own end and what it cost."""
    detector = warmed(RATES)
    detector.add(["runaway"], usual=[0.01])

    def level(minute: int) -> Floats:
        return np.append(np.ones(3), float(10 <= minute < 30))

    findings = run(detector, minutes(np.append(RATES, 50.0), 600, level=level))
    first, last = findings[0], findings[-1]
    assert {(f.number, f.kind, f.detected_at) for f in findings} == {(3, "new_series", first.detected_at)}
    assert (first.start, last.end, last.closing) == (BEGIN + 10, BEGIN + 30, "over")
    assert first.detected_at - first.start <= 4
    assert last.actual == pytest.approx(20 * 0.5, rel=0.5)
    assert last.expected == pytest.approx(0.01 / 3, rel=0.01)


def test_who_has_no_peers_is_no_newcomer() -> None:
    """Nobody knows what series like it spend: it is judged by itself."""
    detector = warmed(RATES)
    detector.add(["first of its kind"], usual=[0.0])
    assert run(detector, minutes(np.append(RATES, 500.0), 300)) == []
