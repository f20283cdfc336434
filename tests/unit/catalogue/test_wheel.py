"""Getting the second catalogue: pinned, and named when it cannot be had."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.catalogue import wheel
from tests.benchmarks.catalogue.__main__ import main


def test_no_release_with_malware_can_be_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pin names a version and a hash; the compromised releases are refused whatever their hash."""
    version, digest = wheel.pin()
    assert version not in wheel.REFUSED
    assert len(digest) == 64
    for bad in wheel.REFUSED:
        pinned = tmp_path / "pinned.txt"
        pinned.write_text(f"litellm=={bad} --hash=sha256:{'0' * 64}\n")
        monkeypatch.setattr(wheel, "PINNED", pinned)
        with pytest.raises(ValueError, match="malware"):
            wheel.pin()


def test_without_an_index_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is compared, the message names what is missing, and the exit code tells it from a disagreement."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(wheel.Unavailable, match=r"litellm .* was not downloaded"):
        wheel.catalogue(tmp_path)
    monkeypatch.setattr(wheel.catalogue, "__defaults__", (tmp_path,))
    assert main([]) == 2
    assert "the second catalogue is not here" in capsys.readouterr().out


def test_what_was_downloaded_once_is_kept(tmp_path: Path) -> None:
    """The file that lies there is read, without a package index."""
    version, digest = wheel.pin()
    entries = {"m": {"input_cost_per_token": 1}, "fallback_generalizations": []}
    (tmp_path / f"litellm-{version}-{digest[:12]}.json").write_text(json.dumps(entries))
    assert wheel.catalogue(tmp_path) == {"m": {"input_cost_per_token": 1}}
