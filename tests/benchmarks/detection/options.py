"""What all sections of the benchmark are told, and where data sets are looked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.harness.datasets import dataset

DEFAULT_SEED: Final = 730_100
"""Of what is published. Nobody tunes on it: to try something out, take another."""


@dataclass(frozen=True, slots=True)
class Options:
    """See `bench_detection --help`."""

    quick: bool = False  # as small as proves that it works: floors are not judged
    data: Path | None = None  # the folder with nab, ms_cloud_monitoring and traces
    seed: int = DEFAULT_SEED
    trials: int = 120  # of each shape and rate
    series_days: int = 5_000  # of each noise and rate, for false alerts
    processes: int = 2
    peers: bool = True
    from_hours: bool = False  # history but for its last week is learned from hours, as the job does when it starts
    portfolio: int = 2_000  # series of an installation
    portfolio_days: int = 7

    @property
    def sample(self) -> str:
        """For the notes under tables."""
        how = "but for its last week learned from hours" if self.from_hours else "replayed by minutes"
        return f"seed {self.seed}, history {how}"

    def dataset(self, name: str) -> Path:
        """The folder of a data set, such as `nab` or `traces/servegen`. Raises MissingDataError."""
        return dataset(name, self.data)


def progress(text: str) -> None:
    """A line that says how far a long measurement is."""
    print(f"... {text}", flush=True)
