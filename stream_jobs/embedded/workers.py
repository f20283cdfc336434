"""The jobs' processes: one books, one watches what is booked and tells people, one looks for what is unusual, and one
for what is to come. None stops when another does."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from stream_jobs.base.environment import prefix_of
from stream_jobs.embedded.child import START_TIMEOUT_S, Child, Process
from stream_jobs.embedded.forks import Forks
from stream_jobs.embedded.probe import answers, trouble
from stream_jobs.origin.settings import OriginSettings
from stream_jobs.runtime.jobs import (
    ALERTS,
    ANOMALIES,
    BUDGETS,
    DATA_QUALITY,
    FORECASTS,
    METERING,
    OUTCOMES,
    RECONCILIATION,
)
from stream_jobs.runtime.ports import LOOPBACK, free_port

WORKER, WATCHER, ANALYST, FORECASTER = "worker", "watcher", "analyst", "forecaster"
PROCESSES: Final[Mapping[str, tuple[str, ...]]] = {
    WORKER: (METERING, OUTCOMES, RECONCILIATION),
    WATCHER: (BUDGETS, ALERTS, DATA_QUALITY),  # may stand still without holding up what is booked
    ANALYST: (ANOMALIES,),  # computes: budgets and alerts must not wait for it
    FORECASTER: (FORECASTS,),  # computes for a minute, once an hour: what is unusual must not wait for it
}
"""Which jobs run in one process."""


class WorkerChild(Child):
    """A child that runs jobs and says at `url` whether it does."""

    def __init__(
        self,
        name: str,
        jobs: Sequence[str],
        config_dir: Path,
        log_dir: Path,
        environment: Mapping[str, str],
        run_dir: Path,
        forks: Forks,
    ) -> None:
        port = free_port()
        self._forks = forks
        self._command = ["worker", *jobs, "--health-port", str(port), "--config-dir", str(config_dir)]
        secret = f"{prefix_of(OriginSettings)}KEYS"
        keys = {variable: text for variable, text in os.environ.items() if variable.startswith(secret)}
        super().__init__(name, ["-m", "spendstream", *self._command], log_dir, {**keys, **environment}, run_dir)
        self.url = f"http://{LOOPBACK}:{port}"

    def _launch(self, out: IO[bytes]) -> Process:
        return self._forks.fork(self.name, self._command, self._environment, out) or super()._launch(out)

    def ready(self) -> bool:
        return answers(f"{self.url}/readyz")

    def trouble(self) -> str | None:
        """Why it is not ready; None when it is."""
        return trouble(f"{self.url}/readyz")

    def restart(self) -> None:
        self.stop()  # also what is left of one that died: its pipe
        self.start()


def start_workers(
    config_dir: Path,
    log_dir: Path,
    environment: Mapping[str, str],
    run_dir: Path,
    forks: Forks,
    started: dict[str, WorkerChild],
) -> None:
    """All, ready; each is in `started` from the moment it runs. Raises ChildError when one does not start."""
    for name, jobs in PROCESSES.items():
        started[name] = WorkerChild(name, jobs, config_dir, log_dir, environment, run_dir, forks)
        started[name].start()
    for child in started.values():
        child.wait_ready(child.ready, START_TIMEOUT_S)
