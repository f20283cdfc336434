"""The usual level of a series."""

import numpy as np

from stream_jobs.detection.gauge_level import SAMPLES, Level

ONE = np.array([0])


def learned(values: np.ndarray) -> Level:
    level = Level(5)
    level.grow(1)
    for value in values:
        level.learn(ONE, np.array([value]))
    return level


def test_median() -> None:
    """While all values fit, the centre is their median and the scale their mean distance from it."""
    for values in ([3.0], [1.0, 9.0], [5.0, 1.0, 2.0], [4.0, 1.0, 2.0, 100.0]):
        level = learned(np.array(values))
        assert level.centre[0] == np.median(values)
        assert level.scale[0] == np.abs(np.array(values) - np.median(values)).mean()


def test_a_week_is_enough() -> None:
    """More than half of its window at another level, and that is the usual one."""
    level = learned(np.concatenate([np.zeros(6_000), np.ones(1_300)]))
    assert level.centre[0] == 1.0
    assert level.sampled[0] > SAMPLES


def test_what_hardly_ever_moves() -> None:
    """Less than a hundredth of its level is no move of it; of a series that moves, every move is one."""
    still = learned(np.full(200, 5.0))
    assert still.snapped(ONE, np.array([5.001])).tolist() == [5.0]
    assert still.snapped(ONE, np.array([5.1])).tolist() == [5.1]
    moving = learned(np.tile([4.999, 5.0, 5.002], 70))
    assert moving.snapped(ONE, np.array([5.001])).tolist() == [5.001]
