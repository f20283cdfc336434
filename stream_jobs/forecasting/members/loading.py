"""What the process loads that workers are forked from: all that the fits need, once, and little beside it."""

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

import numpy as np

from stream_jobs.forecasting.members.fits import MEMBERS, fit_and_forecast
from stream_jobs.forecasting.members.model import Options

_LIBRARIES: Final = (
    "prophet",
    "statsmodels.tsa.forecasting.theta",
    "statsmodels.tsa.holtwinters",
    "statsmodels.tsa.seasonal",
)
_NEEDLESS: Final = frozenset({"matplotlib", "plotly", "pyarrow"})
_WARM_DAYS: Final = 60
_SOME_DAY: Final = 738_000


def load(countries: Sequence[str] = ()) -> None:
    """The libraries, what they load with their first fit, and the holidays of these countries (a second each).

    Without what draws plots and reads Arrow: that is 40 MiB and a third of the time, and Arrow starts a thread, which
    no fork takes along. Not for a process that has other work, as pandas takes Arrow for missing from then on.
    """
    with _without(_NEEDLESS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)  # it complains of what it can't draw with
        for name in _LIBRARIES:
            importlib.import_module(name)
    days = np.arange(_WARM_DAYS)
    values = 10.0 + days % 7 + np.cos(days * days)
    for member in MEMBERS:
        fit_and_forecast(member, values, _SOME_DAY, "day", 7)
    for country in countries:
        fit_and_forecast("prophet", values, _SOME_DAY, "day", 7, Options(country=country))


class _Nowhere(MetaPathFinder):
    """Says that some packages are not installed."""

    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002 - as the import system asks
        if name.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(name)
        return None


@contextmanager
def _without(packages: frozenset[str]) -> Iterator[None]:
    nowhere = _Nowhere(packages)
    sys.meta_path.insert(0, nowhere)
    try:
        yield
    finally:
        sys.meta_path.remove(nowhere)
