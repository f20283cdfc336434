"""Forecasts that would have been made."""

import numpy as np

from stream_jobs.forecasting.day_history import KNOTS, knots_of, look_back
from stream_jobs.forecasting.day_model import DayFit, past_of
from tests.unit.forecasting.days import FIRST, noisy


def test_knots_reach_the_horizon() -> None:
    """The last one is the first at or behind it."""
    assert knots_of(0).tolist() == [1]
    assert knots_of(31).tolist()[-1] == 35
    assert knots_of(400)[-1] == KNOTS[-1]


def test_nothing_behind_an_origin_is_used() -> None:
    """Other days behind it change what came, not what was expected."""
    calm = np.stack([noisy(120, seed=seed) for seed in range(3)])
    wild = calm.copy()
    wild[:, 90:] *= 7
    origins = np.arange(FIRST + 60, FIRST + 91)
    paths: list[list[np.ndarray]] = []
    for values in (calm, wild):
        kept: list[np.ndarray] = []

        def keep(_origin: int, _fitted: DayFit, path: np.ndarray, kept: list[np.ndarray] = kept) -> None:
            kept.append(path)

        look_back(past_of(values, FIRST), origins, 14, keep=keep)
        paths.append(kept)
    assert np.array_equal(paths[0], paths[1])


def test_errors_are_known_when_their_days_are_over() -> None:
    """And a sum of which too many days are not known never is."""
    values = noisy(60)[None]
    values[0, 50:52] = np.nan
    origins = np.arange(FIRST + 30, FIRST + 61)
    stored = look_back(past_of(values, FIRST), origins, 7)
    week = stored.knots.tolist().index(7)
    known = np.isfinite(stored.sum_errors[:, 0, week])
    assert known[:14].all()
    assert not known[24:].any()
    assert not known[15:20].any()  # two of seven
