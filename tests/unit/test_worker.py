"""The jobs that a worker can run, and those that the embedded mode runs."""

from itertools import chain

from stream_jobs.embedded.workers import PROCESSES
from stream_jobs.runtime.jobs import JOBS
from stream_jobs.worker import BUILD


def test_every_name_can_be_built() -> None:
    """What `spendstream worker` takes is what a worker knows how to make."""
    assert tuple(BUILD) == JOBS


def test_the_embedded_mode_runs_every_job_in_one_process() -> None:
    """None is left out, and none runs twice."""
    assert tuple(chain(*PROCESSES.values())) == JOBS
