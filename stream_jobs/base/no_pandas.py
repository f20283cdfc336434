"""Arrow without pandas.

pyarrow looks for pandas at the first array that it makes of Python values, and loads it where it is installed: in each
process that writes to the store, more than a second of a processor and 60 MiB. Nothing here gives it pandas' objects.
"""

import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

import pyarrow as pa

PANDAS: Final = "pandas"


class _Nowhere(MetaPathFinder):
    """Says that pandas is not installed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002 - as the import system asks
        if name == PANDAS:
            raise ModuleNotFoundError(name)
        return None


@cache
def arrow_without_pandas() -> None:
    """pyarrow takes pandas for missing from now on; everybody else may import it. Without effect where pandas is loaded
    already. To be called before threads make arrays."""
    nowhere = _Nowhere()
    sys.meta_path.insert(0, nowhere)
    try:
        pa.array([0])  # looks once
    finally:
        sys.meta_path.remove(nowhere)
