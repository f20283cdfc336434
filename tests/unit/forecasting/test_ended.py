"""What has stopped: after two days without use, or three times the longest pause, whichever is longer."""

import numpy as np
import pytest

from stream_jobs.forecasting.ended import after_return, return_chance, silence


def used(*stretches: tuple[int, float]) -> np.ndarray:
    return np.concatenate([np.full(cells, value) for cells, value in stretches])


@pytest.mark.parametrize(
    ("values", "ended"),
    [
        (used((100, 5.0), (47, 0.0)), False),
        (used((100, 5.0), (48, 0.0)), True),
        (used((50, 5.0), (40, 0.0), (50, 5.0), (119, 0.0)), False),
        (used((50, 5.0), (40, 0.0), (50, 5.0), (120, 0.0)), True),
        (used((48, 0.0)), True),
        (used((47, 0.0)), False),
        (used((100, 5.0), (90, np.nan)), False),
        (used((100, 5.0), (90, np.nan), (40, 0.0)), False),
    ],
)
def test_when_it_has_ended(values: np.ndarray, ended: bool) -> None:
    assert silence(values, "hour").ended is ended


def test_who_came_back_says_how_likely_that_is() -> None:
    gone, back = used((50, 5.0), (600, 0.0)), used((50, 5.0), (100, 0.0), (50, 5.0))
    never = return_chance([silence(gone, "hour")], np.array([72.0]), "hour")
    often = return_chance([silence(gone, "hour"), *[silence(back, "hour")] * 9], np.array([72.0]), "hour")
    assert never[0] < 0.05
    assert 0.2 < often[0] < 1


def test_of_what_comes_back_p90_is_its_usual_size() -> None:
    single, sums = after_return(used((50, 5.0), (50, 0.0)), np.array([0.05, 0.3]), 99)
    assert np.quantile(single, 0.9, axis=0).tolist() == [0, 5]
    assert (np.diff(single, axis=0) >= 0).all()
    assert (sums >= single).all()


def test_what_was_never_used_is_not_expected() -> None:
    single, sums = after_return(np.zeros(50), np.array([0.9]), 99)
    assert not single.any()
    assert not sums.any()
