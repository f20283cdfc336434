"""What has stopped."""

import numpy as np

from stream_jobs.forecasting.asleep import chance_to_come_back, step_after, sum_after, tails


def test_when_a_series_has_stopped() -> None:
    """After two days without use, and three times its longest pause; what is not known is no pause."""
    nan = np.nan
    values = np.array(
        [[5, 0, 0, 5, 0, 0, 0, 0, 0, 0], [5, 5, 5, 5, 5, nan, nan, nan, nan, 0], [0] * 4 + [5] * 4 + [0] * 2]
    )
    found = tails(values.astype(float))
    assert found[0].tolist() == [False, False, True, *[False] * 6, True]
    assert not found[1].any()
    assert found[2].tolist() == [True] * 4 + [False] * 5 + [True]


def test_what_comes_back_widens_p90() -> None:
    """The median stays 0 whatever peers do; P90 rises as they come back sooner."""
    rare, often = (sum_after(30, 10.0, chance) for chance in (0.001, 0.2))
    assert rare.quantile(0.5) == often.quantile(0.5) == 0
    assert rare.quantile(0.9) == 0 < often.quantile(0.9) <= 300
    assert step_after(30, 10.0, 0.001) == (0, 0, 0)
    assert step_after(30, 10.0, 0.2) == (0, 0, 10.0)
    assert often.chance_above(1.0) < 0.45


def test_the_chance_is_learnt_from_peers() -> None:
    """Series that always come back at once make it likely; that never did, rare."""
    gone = np.zeros((5, 100))
    gone[:, :10] = 5.0
    assert chance_to_come_back(tails(gone), gone) < 0.005
    back = np.tile([5.0, 5, 5, 5, 5, 5, 5, 0, 0, 5], (5, 10))
    assert chance_to_come_back(tails(back), back) > 1 / 60
    assert chance_to_come_back(tails(gone[:, :1]), gone[:, :1]) == 1 / 60
