"""How rare a figure is, by the same series' own past."""

import numpy as np

from stream_jobs.detection.gauge_tail import BINS, TAIL, Tails

ONE = np.array([0])


def learned(figures: np.ndarray) -> Tails:
    tails = Tails(1)
    tails.grow(1)
    for figure in figures:
        tails.learn(ONE, np.array([[figure]]))
    return tails


def test_ranks_and_tail() -> None:
    """Within the past a figure is as rare as its rank; the tail begins at its 99.5 % quantile; beyond, twice as large
    is four times ln 2 rarer."""
    past = np.random.default_rng(1).exponential(10.0, 4_000)
    tails = learned(past)
    median, usual = tails.surprise(ONE, np.array([[np.median(past)]]))
    assert abs(median[0, 0] - np.log(2)) < 0.25
    assert abs(usual[0, 0] / np.quantile(past, 1 - TAIL) - 1) < 0.2
    far = [tails.surprise(ONE, np.array([[size]]))[0][0, 0] for size in (1e3, 2e3)]
    assert abs(far[1] - far[0] - 4 * np.log(2)) < 1e-9


def test_nothing_is_known() -> None:
    """Nothing is surprising to somebody who has seen nothing, and what is no figure never is."""
    empty = learned(np.empty(0))
    assert empty.surprise(ONE, np.array([[5.0]]))[0].tolist() == [[0.0]]
    assert learned(np.ones(9)).surprise(ONE, np.array([[np.nan]]))[0].tolist() == [[0.0]]


def test_few_figures_are_no_tail() -> None:
    """A lens that has seen little is no more surprised than its past was long."""
    surprise = learned(np.full(40, 1.0)).surprise(ONE, np.array([[1e6]]))[0][0, 0]
    assert abs(surprise - np.log(41)) < 1e-6


def test_range_moves() -> None:
    """Figures that grow by many orders of magnitude find room, and all of them stay counted."""
    tails = learned(10.0 ** np.arange(-30, 30))
    assert tails.counts.sum() == 60
    assert tails.counts.shape == (1, 1, BINS)


def test_first_move() -> None:
    """What never moved is as surprised by its first move as its past was long."""
    surprise = learned(np.zeros(1_000)).surprise(ONE, np.array([[0.1]]))[0][0, 0]
    assert abs(surprise - np.log(1_001)) < 1e-6


def test_what_is_nearly_always_0_has_the_scale_of_its_least() -> None:
    """Of counts of which three in a thousand were not 0, another 1 is no rarer than the tail, and a 2 not by much."""
    figures = np.zeros(1_000)
    figures[[100, 500, 900]] = 1.0
    tails = learned(figures)
    again, twice = (tails.surprise(ONE, np.array([[size]]))[0][0, 0] for size in (1.0, 2.0))
    assert abs(again + np.log(TAIL)) < 1e-6
    assert again < twice < again + 4 * np.log(2)
