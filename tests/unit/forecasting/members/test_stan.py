"""Stan's program, run without cmdstanpy, finds what Prophet's own backend finds."""

from typing import Any

import numpy as np
import pytest

from stream_jobs.forecasting.members.prophet_member import quiet_prophet
from stream_jobs.forecasting.members.stan import StanProgram
from tests.unit.forecasting.members.series import daily

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("members")]


@pytest.mark.parametrize("days", [60, 150])
@pytest.mark.filterwarnings("ignore")  # Prophet's, of pandas
def test_the_parameters_are_those_of_prophets_own_backend(days: int) -> None:
    """With Newton's steps, and with L-BFGS."""
    pandas = pytest.importorskip("pandas")
    from prophet import Prophet

    frame = pandas.DataFrame({"ds": pandas.date_range("2024-01-01", periods=days), "y": np.log(daily(days))})
    ours, theirs = quiet_prophet()(uncertainty_samples=0).fit(frame), Prophet(uncertainty_samples=0).fit(frame)
    assert isinstance(ours.stan_backend, StanProgram)
    assert ours.params.keys() >= {"k", "m", "delta", "beta", "sigma_obs"}
    for name in ("k", "m", "delta", "beta", "sigma_obs"):
        assert ours.params[name] == pytest.approx(theirs.params[name], abs=1e-6), name


def test_a_program_that_finds_nothing_says_why() -> None:
    """With its last words."""
    empty = np.zeros(0)
    pandas = pytest.importorskip("pandas")
    data: dict[str, Any] = {"T": -1, "S": 0, "K": 0, "tau": 1.0, "trend_indicator": 0, "sigmas": []}
    data |= {**dict.fromkeys(("y", "t", "cap", "t_change", "s_a", "s_m"), empty), "X": pandas.DataFrame()}
    start = {"k": 0.0, "m": 0.0, "delta": empty, "beta": empty, "sigma_obs": 1.0}
    with pytest.raises(RuntimeError, match=r"Stan's program ended with code \d+: .* K is 0"):
        StanProgram().fit(start, data)
