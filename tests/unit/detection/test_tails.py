import numpy as np
import pytest
from scipy.stats import norm

from stream_jobs.detection import tails
from stream_jobs.detection.arrays import Array

SERIES = 400
ALL = np.ones(SERIES, dtype=bool)


def learned(maxima: Array) -> tuple[Array, Array]:
    """Of [days, series]: the mean and mean absolute deviation, and the three greatest."""
    mean, three = np.zeros((2, SERIES)), np.zeros((3, SERIES))
    for day, value in enumerate(maxima):
        tails.learn(mean, value, np.full(SERIES, float(day)), 0.35, ALL)
        tails.keep_three(three, value, ALL)
    return mean, three


def days_of(drawn: Array, days: int) -> Array:
    return np.asarray(drawn.reshape(days, -1, SERIES).max(axis=1))


@pytest.mark.parametrize("days", [7, 28])
def test_days_of_normal_noise_give_its_far_quantile(days: int) -> None:
    """From a week on, to a tenth at the median, and seldom far beyond: 9 nats rarer than a day's greatest of 40."""
    rng = np.random.default_rng(1)
    mean, three = learned(days_of(rng.standard_normal((days * 40, SERIES)), days))
    far, excess = tails.normal_beyond(mean, np.full(SERIES, float(days)), np.full(SERIES, 9.0))
    greatest = tails.normal_beyond_greatest(three, np.full(SERIES, float(days)), excess, np.full(SERIES, 9.0))
    truth = norm.isf(np.exp(-9.0) / 40)
    assert np.median(far) == pytest.approx(truth, rel=0.1)
    assert np.median(np.maximum(far, greatest)) == pytest.approx(truth, rel=0.15)
    assert np.quantile(far, 0.9) < 1.4 * truth


def test_days_that_lie_far_apart_let_expect_more() -> None:
    """Exponential noise: what a day exceeds once in three years is expected after four weeks."""
    rng = np.random.default_rng(2)
    mean, _ = learned(days_of(rng.exponential(1.0, (28 * 40, SERIES)), 28))
    far, _ = tails.normal_beyond(mean, np.full(SERIES, 28.0), np.full(SERIES, 7.0))
    assert np.median(far) > 0.85 * (np.log(40) + 7)


def test_one_day_far_out_is_no_past_and_three_are() -> None:
    """An incident of 20 deviations moves the limit little; such a day every week is expected."""
    rng = np.random.default_rng(3)
    limits = []
    for often in (0, 1, 4):
        maxima = days_of(rng.standard_normal((28 * 40, SERIES)), 28)
        maxima[3 : 3 + 7 * often : 7] = 20.0
        mean, three = learned(maxima)
        days, nats = np.full(SERIES, 28.0), np.full(SERIES, 9.0)
        far, excess = tails.normal_beyond(mean, days, nats)
        limits.append(float(np.median(np.maximum(far, tails.normal_beyond_greatest(three, days, excess, nats)))))
    usual, once, weekly = limits
    assert once < 1.6 * usual
    assert weekly > 20


def test_few_days_tell_nothing() -> None:
    """Before the third day there is no quantile."""
    mean, three = learned(np.full((2, SERIES), 3.0))
    days, nats = np.full(SERIES, 2.0), np.full(SERIES, 9.0)
    far, excess = tails.normal_beyond(mean, days, nats)
    assert not far.any()
    assert not tails.normal_beyond_greatest(three, days, excess, nats).any()
    assert not tails.beyond(mean, days, 0.35, nats).any()
    assert tails.beyond(mean, days, 0.35, nats, least=1).all()


def test_a_normal_deviate_so_many_nats_rarer() -> None:
    """To 4 %."""
    z = np.linspace(1.5, 6, 20)
    for nats in (1.0, 5.0, 12.0):
        assert tails.farther(z, np.full(20, nats)) == pytest.approx(norm.isf(norm.sf(z) * np.exp(-nats)), rel=0.04)
