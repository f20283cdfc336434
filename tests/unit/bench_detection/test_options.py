"""Data sets are where an option or the environment says."""

from pathlib import Path

import pytest

from tests.benchmarks.detection.options import Options
from tests.benchmarks.harness.datasets import DATA, MissingDataError


def test_a_data_set_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option is asked first."""
    (tmp_path / "a" / "nab").mkdir(parents=True)
    (tmp_path / "b" / "nab").mkdir(parents=True)
    monkeypatch.setenv(DATA, str(tmp_path / "a"))
    assert Options().dataset("nab") == tmp_path / "a" / "nab"
    assert Options(data=tmp_path / "b").dataset("nab") == tmp_path / "b" / "nab"


def test_a_data_set_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both ways to name its place."""
    monkeypatch.delenv(DATA, raising=False)
    for options in (Options(), Options(data=tmp_path)):
        with pytest.raises(MissingDataError, match=f"traces/servegen: not here.*--data or {DATA}"):
            options.dataset("traces/servegen")
