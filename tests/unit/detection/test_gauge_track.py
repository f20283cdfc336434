"""Predictions of a series, each by its own past errors."""

import numpy as np

from stream_jobs.detection.gauge_tail import Tails
from stream_jobs.detection.gauge_track import MEAN, ONE, TRACKS, WINDOWS, number_of, surprise

SPANS = (6, 24)


def tails(past: int) -> Tails:
    """Two tracks; all figures of the first are ten times as large."""
    made = Tails(WINDOWS + len(SPANS))
    made.grow(2)
    for row in np.abs(np.random.default_rng(2).normal(size=(past, WINDOWS + len(SPANS)))):
        made.learn(np.arange(2), np.stack([10 * row, row]))
    return made


def asked(of: Tails, step: int, drift: float = 2.0) -> np.ndarray:
    """The same figure of both."""
    drifts = np.full((2, len(SPANS)), drift)
    return surprise(of, np.arange(2), np.full((2, WINDOWS + len(SPANS)), 8.0), drifts, SPANS, step)[0]


def test_numbers() -> None:
    """One series' tracks are neighbours."""
    assert number_of(np.array([0, 2])).tolist() == [*range(TRACKS), *range(2 * TRACKS, 3 * TRACKS)]


def test_each_by_its_own_past() -> None:
    """What one prediction is often off is news for one that was always near."""
    wide, narrow = asked(tails(1_000), 60)
    assert (narrow > wide + 5).all()


def test_what_is_not_judged() -> None:
    """A single value of minutes; before a week is known anything but the mean; and a drift that is none."""
    assert asked(tails(1_000), 5)[1, ONE] == 0
    assert asked(tails(100), 60)[1, ONE:].tolist() == [0.0, 0.0, 0.0]
    assert asked(tails(100), 60)[1, MEAN] > 0
    assert asked(tails(1_000), 60, drift=0.3)[1, WINDOWS:].tolist() == [0.0, 0.0]
