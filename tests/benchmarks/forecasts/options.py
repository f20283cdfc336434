"""What all sections of the benchmark of forecasts are told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.harness.datasets import dataset

DEFAULT_SEED: Final = 910_300
"""Of what is published. Nobody tunes on it: to try something out, take another."""


@dataclass(frozen=True, slots=True)
class Options:
    """See `bench_forecast --help`."""

    quick: bool = False  # as small as proves that it works: floors are not judged
    data: Path | None = None  # the folder with traces
    seed: int = DEFAULT_SEED
    cache: Path | None = None  # of what others said: a fit that was made is not made again

    def dataset(self, name: str) -> Path:
        """The folder of a data set. Raises MissingDataError."""
        return dataset(name, self.data)


def progress(text: str) -> None:
    """A line that says how far a long measurement is."""
    print(f"... {text}", flush=True)
