"""What the tests have a pool do in place of fits: found by name, as the functions of tasks are."""

import time
from collections.abc import Sequence

from stream_jobs.forecasting.members.fits import fit
from stream_jobs.forecasting.members.model import Answer, Task


def cannot_load(_countries: Sequence[str]) -> None:
    raise ModuleNotFoundError("No module named 'prophet'")


def theta_hangs(task: Task) -> Answer:
    """The others fit."""
    if task.member == "theta":
        time.sleep(600)
    return fit(task)
