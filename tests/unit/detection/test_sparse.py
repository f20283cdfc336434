import numpy as np
import pytest

from stream_jobs.detection import sparse
from stream_jobs.detection.config import Config
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import FIRST_DAYS, FIRST_HOURS, RAMP

THREE_HOURS = FIRST_HOURS + 2


def judged(came: float, usual: float, each: float = 1.0, scale: int = THREE_HOURS, needed: float = 12.0) -> bool:
    """Of three hours, the last of which is over; requests have cost 1, with sigma 1.2."""
    d = Frame(Config())
    d.state.reserve(1)
    d.resume()
    s = d.state
    d.hour_pushed = True
    s.tau2[:] = 0.12
    s.money[:], s.requests[:], s.squares[:] = 1000.0, 1000.0, 4220.0
    s.level[:] = np.log(usual / 3)
    s.past_x[:, 0, 0] = each * came, came
    s.past_e[:, :3, 0] = usual / 3
    return sparse.is_news(d, 0, scale, needed)


def test_a_few_requests_where_none_is_due_are_no_news() -> None:
    """Whatever they are beyond what is usual: fewer than five never, and five by the chance of them."""
    assert not judged(4, 0.001)
    assert not judged(5, 0.3)
    assert judged(12, 0.3)
    assert judged(5, 0.3, needed=5.0)


def test_a_few_requests_that_are_all_dear_are_news() -> None:
    """As many as usual, thirty times as dear."""
    assert judged(6, 5.0, each=30.0)
    assert not judged(6, 5.0, each=2.0)


def test_many_requests_and_windows_of_minutes_are_judged_elsewhere() -> None:
    """The rule is for the sums of sparse hours."""
    assert judged(30, 25.0)
    assert judged(1, 0.1, scale=FIRST_HOURS)


@pytest.mark.parametrize("scale", [FIRST_DAYS, RAMP])
def test_days_need_some_requests_a_day(scale: int) -> None:
    """Five that are usual."""
    assert not judged(9, 0.5, scale=scale)
    assert judged(9, 1.0, scale=scale)
