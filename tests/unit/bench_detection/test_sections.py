"""All sections join in by the same interface."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.benchmarks.detection.options import Options
from tests.benchmarks.detection.sections import SECTIONS, measure


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_is_a_module(name: str) -> None:
    """With `sections`."""
    assert callable(import_module(f"tests.benchmarks.detection.{name}").sections)


def test_a_data_set_that_is_not_here_is_a_table_that_says_so(tmp_path: Path) -> None:
    """And not the end of the run."""
    (table,) = measure(["real_traffic"], Options(data=tmp_path))
    assert table.title == "Real traffic"
    assert "traces/servegen: not here" in table.note
    assert not table.figures
