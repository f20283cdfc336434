"""Fits in a pool: what comes when there can be none."""

import subprocess
import sys

import numpy as np
import pytest

from stream_jobs.forecasting.members.model import Task
from stream_jobs.forecasts import slow_fits
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.forecasts.slow_fits import PoolFits
from tests.unit.forecasts import hanging

TASK = Task("theta", np.arange(200.0) % 7 + 1, 739_000, "day", 7)


def test_without_a_pool_every_fit_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried once in a run; nothing is raised."""
    monkeypatch.setattr(slow_fits, "load", hanging.cannot_load)
    fits = PoolFits(ForecastsSettings(), lambda: False)
    for _ in range(2):
        found = list(fits([("total by theta", TASK), ("total by stl", TASK)], 30.0))
        assert [done.name for done in found] == ["total by theta", "total by stl"]
        assert all(done.cut_short and "No module named 'prophet'" in done.failed for done in found)


def test_to_be_able_to_fit_loads_no_library() -> None:
    """The job's process is small, and starts at once."""
    program = "import sys, stream_jobs.forecasts.run; print({'prophet', 'statsmodels', 'pandas'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
