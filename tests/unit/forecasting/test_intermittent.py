"""What is used now and then is told by its sums."""

import numpy as np
import pytest

from stream_jobs.forecasting.intermittent import FARTHEST, farther_than_seen, is_intermittent, seen_sums


def now_and_then(seed: int, cells: int = 600) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(random.random(cells) < 0.05, random.gamma(2, 50, cells), 0.0)


def test_used_in_less_than_a_quarter_of_the_cells() -> None:
    assert is_intermittent(now_and_then(1))
    assert not is_intermittent(np.ones(50))
    assert not is_intermittent(np.zeros(50))
    assert not is_intermittent(np.full(50, np.nan))


def test_sums_are_those_that_there_were() -> None:
    values = now_and_then(2)
    _, sums = seen_sums(values, 24, 99)
    windows = np.convolve(values, np.ones(24), "valid")
    assert np.quantile(sums[:, -1], 0.5) == pytest.approx(np.quantile(windows, 0.5), rel=0.05)
    assert (np.diff(sums, axis=0) >= 0).all()


def test_longer_than_half_of_what_is_known_it_is_in_proportion() -> None:
    _, sums = seen_sums(np.tile([0.0, 0.0, 0.0, 0.0, 6.0], 10), 100, 99)
    assert np.median(sums[:, 99]) == pytest.approx(120, rel=0.1)


def test_of_sums_that_go_on_as_they_were_nothing_is_moved_far() -> None:
    assert 1 <= farther_than_seen([now_and_then(seed) for seed in range(20)], 24) < 1.6


def test_where_use_grows_p90_is_moved() -> None:
    growing = [now_and_then(seed) * np.exp(np.arange(600) / 150) for seed in range(20)]
    assert 1.5 < farther_than_seen(growing, 72) <= FARTHEST


def test_too_few_say_nothing() -> None:
    assert farther_than_seen([now_and_then(1)], 24) == 1
    assert farther_than_seen([now_and_then(seed) for seed in range(20)], 0) == 1


def test_the_median_is_not_moved() -> None:
    values = now_and_then(2)
    (_, plain), (_, moved) = seen_sums(values, 24, 99), seen_sums(values, 24, 99, 3.0)
    assert np.array_equal(plain[:50], moved[:50])
    assert moved[89, -1] == pytest.approx(3 * plain[89, -1], rel=0.01)
