"""Arrow without pandas, in processes of their own: this one may have loaded it for another test."""

import subprocess
import sys
from typing import Final

ARRAYS: Final = "array = pa.array([1, None]); rows = pa.table({'x': [1, 2]}); texts = pa.array(['a'], pa.string())"


def run(*lines: str) -> None:
    script = "\n".join(("import sys", "import pyarrow as pa", *lines))
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_arrays_of_python_values_load_no_pandas() -> None:
    """And are what they are with it."""
    run(
        "from stream_jobs.base.no_pandas import arrow_without_pandas",
        "arrow_without_pandas()",
        "arrow_without_pandas()",
        ARRAYS,
        "assert (array.to_pylist(), rows.to_pylist(), texts.to_pylist()) == ([1, None], [{'x': 1}, {'x': 2}], ['a'])",
        "assert 'pandas' not in sys.modules",
    )


def test_without_it_they_load_pandas() -> None:
    """Once that is not so any more, this module has no purpose."""
    run(ARRAYS, "assert 'pandas' in sys.modules")


def test_others_may_import_it_as_ever() -> None:
    """Only pyarrow takes it for missing."""
    run(
        "from stream_jobs.base.no_pandas import arrow_without_pandas",
        "arrow_without_pandas()",
        "import pandas",
        "assert pandas.Series([1, 2]).sum() == 3",
    )


def test_where_pandas_is_loaded_already_nothing_changes() -> None:
    """pyarrow still knows its objects."""
    run(
        "import pandas",
        "from stream_jobs.base.no_pandas import arrow_without_pandas",
        "arrow_without_pandas()",
        "assert pa.table({'x': [1]}).to_pandas().x.sum() == 1",
    )
