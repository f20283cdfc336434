"""NAB's score."""

import numpy as np
import pytest

from tests.benchmarks.detection.nab_scoring import (
    PROFILES,
    Scored,
    alarms,
    best,
    points_at,
    probation,
    score_at,
    sigmoid,
    sweep,
)

STANDARD = PROFILES["standard"]
WINDOWS = ((400, 499), (700, 749))


def told(*points: int) -> Scored:
    scores = np.zeros(1_000)
    scores[list(points)] = 1.0
    return Scored(scores, WINDOWS)


def test_ends_of_the_scale() -> None:
    """Saying nothing is 0; the first point of every window and nothing else is 100."""
    assert score_at([told()], STANDARD, 1.0) == 0.0
    assert score_at([told(400, 700)], STANDARD, 1.0) == pytest.approx(100.0)


def test_only_the_first_alarm_of_a_window_pays() -> None:
    """And the later it comes, the less."""
    early, late = (score_at([told(point)], STANDARD, 1.0) for point in (400, 480))
    assert early > late > 0
    assert score_at([told(400, 450, 499)], STANDARD, 1.0) == early


def test_false_alarms() -> None:
    """Right behind a window one costs little, far from one a ninth of a window, in the probation nothing."""
    near, far, before = (points_at([told(point)], STANDARD, 1.0) for point in (502, 680, 300))
    assert -0.02 < near < 0
    assert far == pytest.approx(0.11 * sigmoid((680 - 499) / 99))
    assert before == pytest.approx(-0.11)
    assert points_at([told(100)], STANDARD, 1.0) == 0.0


def test_probation() -> None:
    """15 % of a file, and never more than 750 points."""
    assert [probation(points) for points in (100, 1_000, 5_000, 20_000)] == [15, 150, 750, 750]


def test_sweep_is_the_score_at_each_threshold() -> None:
    """What the sweep says of a threshold is what the alarms at or above it come to, window by window."""
    rng = np.random.default_rng(4)
    files = [Scored(np.round(rng.random(1_000), 2), WINDOWS), Scored(np.round(rng.random(500), 2), ())]
    thresholds, scores = sweep(files, STANDARD)
    for threshold, score in zip(thresholds[1::13], scores[1::13], strict=True):
        alone = [Scored((file.scores >= threshold).astype(float), file.windows) for file in files]
        assert score_at(alone, STANDARD, 1.0) == pytest.approx(score)
    threshold, score = best(files, STANDARD)
    assert score == scores.max()
    assert score_at(files, STANDARD, threshold) == score


def test_alarms_are_counted_behind_the_probation() -> None:
    """As they are scored."""
    assert alarms(told(10, 149, 150, 900), 1.0) == 2
