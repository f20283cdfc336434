"""The sections of the benchmark of forecasts, in the order of the page.

A section is a module of this folder with `sections(options) -> list[Table]`. A missed floor of one of its figures makes
the benchmark's exit code 1.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

from tests.benchmarks.forecasts.options import Options, progress
from tests.benchmarks.harness.datasets import MissingDataError
from tests.benchmarks.harness.tables import Table

SECTIONS: Final = ("hours", "days", "slow_days", "months", "cost", "beside")


def measure(names: Sequence[str], options: Options) -> Iterator[Table]:
    """The tables of sections, one section after the other."""
    for name in names:
        progress(name)
        try:
            yield from import_module(f"{__package__}.{name}").sections(options)
        except MissingDataError as error:
            yield Table(name.replace("_", " ").capitalize(), (), note=f"Not measured. {error}.")
