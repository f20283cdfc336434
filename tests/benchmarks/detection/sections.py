"""The sections of the benchmark, in the order of the page.

A section is a module of this folder with `sections(options) -> list[Table]`. It measures, calls `progress` now and
then, and returns tables. With `options.quick` it takes seconds and gives its figures no floors. What a table promises
are `Figure`s, with `interval` where the figure is an estimate; a missed floor makes the benchmark's exit code 1. A data
set is asked for with `options.dataset("nab")`: where it is not here, the error becomes a table that says so.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.harness.datasets import MissingDataError
from tests.benchmarks.harness.tables import Table

SECTIONS: Final = ("trials", "false_alerts", "real_traffic", "nab", "microsoft", "cause", "portfolio", "engine_cost")


def measure(names: Sequence[str], options: Options) -> Iterator[Table]:
    """The tables of sections, one section after the other."""
    for name in names:
        progress(name)
        try:
            yield from import_module(f"{__package__}.{name}").sections(options)
        except MissingDataError as error:
            yield Table(name.replace("_", " ").capitalize(), (), note=f"Not measured. {error}.")
