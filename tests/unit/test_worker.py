"""The jobs that a worker can run, and those that the embedded mode runs."""

import importlib
import subprocess
import sys
from itertools import chain

from stream_jobs.embedded.workers import PROCESSES
from stream_jobs.runtime.jobs import JOBS
from stream_jobs.worker import BUILD


def test_every_name_can_be_built() -> None:
    """What `spendstream worker` takes is what a worker knows how to make."""
    assert tuple(BUILD) == JOBS
    for package in chain(*BUILD.values()):
        assert callable(importlib.import_module(f"stream_jobs.{package}.job").build)


def test_a_worker_loads_its_own_jobs_only() -> None:
    """What the others need is memory and time of each process of `spendstream up`."""
    script = "import sys, stream_jobs.worker; print([name for name in sys.modules if name.endswith('.job')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_worker_without_prices_does_not_load_them() -> None:
    """Nor what the rules of attribution and budgets are read with."""
    script = "import sys, stream_jobs.worker, stream_jobs.anomalies.job; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for name in (
        "genai_prices",
        "pandas",
        "stream_jobs.attribution",
        "stream_jobs.budget_terms.document",
        "stream_jobs.pricing",
    ):
        assert name not in done.stdout.split(), name


def test_the_embedded_mode_runs_every_job_in_one_process() -> None:
    """None is left out, and none runs twice."""
    assert tuple(chain(*PROCESSES.values())) == JOBS
