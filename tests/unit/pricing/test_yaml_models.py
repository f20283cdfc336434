"""Folders of price files are read as they are now, however often."""

import os
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.yaml_models import load_models


def text(name: str) -> str:
    return f"overlays:\n- name: {name}\n  valid_from: 2026-01-01\n  multiplier: 0.5\n"


def test_a_file_is_what_it_says_now(tmp_path: Path) -> None:
    """Of the same size and time, and after one that was wrong, too; what still says the same is not made again."""
    file = tmp_path / "ours.yaml"
    (tmp_path / "other.yaml").write_text(text("other"))
    file.write_text(text("one"))
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    other, before = load_models(OverlayFile, [tmp_path])
    file.write_text(text("two"))
    os.utime(file, ns=times)
    same, after = load_models(OverlayFile, [tmp_path])
    assert [file.overlays[0].name for file in (before, after, other)] == ["one", "two", "other"]
    assert same is other
    for _ in range(2):
        file.write_text("overlays: 5")
        with pytest.raises(ConfigError, match=r"ours.yaml:1"):
            load_models(OverlayFile, [tmp_path])
    file.write_text(text("one"))
    assert load_models(OverlayFile, [tmp_path])[1].overlays[0].name == "one"


def test_every_problem_names_the_file_it_is_in(tmp_path: Path) -> None:
    """Two files that say the same are two."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text("overlays: 5")
    with pytest.raises(ConfigError) as refused:
        load_models(OverlayFile, [tmp_path / "a", tmp_path / "b"])
    first, second = refused.value.problems
    assert str(tmp_path / "a" / "x.yaml") in first
    assert str(tmp_path / "b" / "x.yaml") in second
