"""Growth."""

import numpy as np

from stream_jobs.forecasting.trend import MOST, grown, slope
from tests.unit.forecasting.days import noisy


def test_growth_is_found_and_fades() -> None:
    """1 % a day for eight weeks; of what is to come less and less each day."""
    values = np.log(noisy(56, noise=0.02)) + 0.01 * np.arange(56)
    found = slope(values[None])
    assert abs(found[0] - 0.01) < 0.002
    ahead = grown(found, 100)[0]
    assert (np.diff(ahead) > 0).all()
    assert (np.diff(ahead, 2) < 0).all()
    assert ahead[-1] < 0.5


def test_noise_and_short_histories_have_none() -> None:
    """Shrunk by how unsure it is; under four weeks there is none."""
    found = [slope(np.log(noisy(56, seed=seed, noise=0.3))[None])[0] for seed in range(40)]
    assert np.mean(np.abs(found)) < 0.002
    assert slope(np.arange(27.0)[None])[0] == 0


def test_it_is_bounded() -> None:
    """Nobody doubles every other day for a month."""
    assert slope(np.arange(56.0)[None])[0] == MOST
    assert slope(np.full((1, 56), np.nan))[0] == 0
