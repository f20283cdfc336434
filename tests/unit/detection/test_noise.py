import numpy as np
import pytest

from stream_jobs.detection.noise import deviates


def one(actual: float, usual: float, phi: float, tau2: float) -> tuple[float, float]:
    """The deviates of cost and of requests."""
    shape = np.ones((2, 1, 1))
    z, _, _ = deviates(shape * actual, shape * usual, shape * phi, shape * tau2)
    return float(z[0, 0, 0]), float(z[1, 0, 0])


def test_nothing_where_little_is_expected_is_no_surprise() -> None:
    """No request where five are usual happens once in 150 windows: 2.5 sigma; and with a noisy level less."""
    assert one(0, 5, 1, 0.004)[1] == pytest.approx(-2.9, abs=0.4)
    assert one(0, 5, 1, 0.004)[1] < one(0, 5, 1, 0.5)[1] < 0


def test_much_traffic_is_judged_by_the_noise_of_its_level() -> None:
    """A doubling at tau = 0.35 is about two sigma, however many requests there are."""
    for value in one(2e6, 1e6, 1, 0.1225):
        assert value == pytest.approx((np.log(2) + 0.06) / 0.35, abs=0.05)


def test_deviates_of_drawn_counts_are_standard_normal() -> None:
    """Poisson counts with a lognormal level: mean near 0, variance near 1, at few and many requests."""
    rng = np.random.default_rng(7)
    for rate in (3.0, 30.0, 3000.0):
        level = np.exp(0.3 * rng.standard_normal(40_000) - 0.045)
        counts = rng.poisson(rate * level).astype(float)
        full = np.ones((2, 1, counts.size))
        z = deviates(full * counts, full * rate, np.ones((2, 1, counts.size)), full * 0.09)[0][1, 0]
        assert abs(z.mean()) < 0.15
        assert z.std() == pytest.approx(1, abs=0.12)
        assert (z > 4).mean() < 4e-4


def test_more_is_never_less_surprising() -> None:
    """Deviates rise with what was, through 0 and through where the formula changes."""
    values = np.array([one(actual, 10, 3, 0.1) for actual in np.linspace(0, 60, 121)])
    assert (np.diff(values[:, 1]) > 0).all()
    assert (np.diff(values[:, 0]) > -1e-9).all()
