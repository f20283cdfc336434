"""Fits in a pool whose server has loaded the libraries."""

import os
import subprocess
import sys
from functools import partial

import pytest

from stream_jobs.forecasting.members.fits import MEMBERS, fit
from stream_jobs.forecasting.members.loading import load
from stream_jobs.forecasting.members.model import Options, Task
from stream_jobs.runtime.forked.model import MIB, Limits
from stream_jobs.runtime.forked.pool import Pool
from stream_jobs.runtime.processes import proportional_bytes
from tests.unit.forecasting.members.series import MONDAY, daily

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("members")]


def test_a_pool_of_fits_answers_as_this_process_does_and_holds_little() -> None:
    """All members, with the holidays of a country; server and workers within 300 MiB, shared memory counted once."""
    tasks = {
        name: Task(name, daily(400), MONDAY, "day", 14, Options(country="US" if name == "prophet" else ""))
        for name in MEMBERS
    }
    with Pool(partial(load, ("US",)), Limits(workers=2, task_s=60)) as pool:
        done = {one.name: one for one in pool.run(fit, tasks.items())}
        held = sum(proportional_bytes(pid) for pid in pool.pids())
    assert {one.failed for one in done.values()} == {""}
    for name, task in tasks.items():
        result = done[name].result
        assert result is not None
        assert result.values == pytest.approx(fit(task).values, rel=1e-9)
    assert 0 < held < 300 * MIB


SCRIPT = """
import os, sys, threading
from stream_jobs.forecasting.members.loading import load
load()
asked = {"prophet", "statsmodels", "matplotlib", "pyarrow", "cmdstanpy"}
print(threading.active_count(), *sorted(asked & sys.modules.keys()))
"""


def test_what_is_loaded_starts_no_thread_and_nothing_needless() -> None:
    """A fork takes no thread along, whatever lock it holds."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["1", "prophet", "statsmodels"]
    assert done.stderr == ""
