"""What a warm start teaches the detector of series of which it does not know the same hours."""

import numpy as np
import pytest

from stream_jobs.anomalies.warm import Hours
from stream_jobs.detection.detector import CostDetector

AT = 60 * 24 * 20_000
HOURS = 14 * 24


def hours(users_from: int, users: int) -> Hours:
    """Three series and two users, of which nothing is known at first."""
    events = np.random.default_rng(3).poisson(50, (5, HOURS)).astype(np.float32)
    events[3:, :users_from] = 0
    return Hours(AT, events, (events / 20).astype(np.float32), users_from, users)


def taught(given: Hours) -> CostDetector:
    detector = CostDetector()
    given.teach(detector, list("abcde"))
    return detector


@pytest.mark.slow
def test_users_were_not_silent_when_nobody_knows_what_they_did() -> None:
    """They are as old as what is known of them; the others learn what they learn from all hours at once."""
    split, whole = taught(hours(200, 2)), taught(hours(200, 0))
    assert split.names == whole.names == list("abcde")
    assert split.frame.at == whole.frame.at == AT + HOURS * 60 - 1
    for one, other in zip(split.bands(), whole.bands(), strict=True):
        assert (one[:3] == other[:3]).all()
    assert split.frame.state.age[:5].tolist() == [HOURS] * 3 + [HOURS - 200] * 2
    assert (split.usual_hours() > 2).all()


@pytest.mark.slow
def test_where_all_hours_are_known_they_are_learned_at_once() -> None:
    """Users or not."""
    assert taught(hours(0, 2)).dump() == taught(hours(0, 0)).dump()
