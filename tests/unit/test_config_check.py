"""Everything an operator can configure, checked at once."""

import argparse
import json
from pathlib import Path

import pytest

from stream_jobs.cli import check_config as command
from stream_jobs.config_check import check_config

BROKEN = {
    "attribution.yaml": "rules: [{name: a, fill: {team: 7}}]",
    "overlays/broken.yaml": "nonsense: 1",
    "rate_cards/broken.yaml": "[",
}


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["check-config", *arguments])
    return int(args.run(args))


def test_every_broken_file_and_setting_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong setting does not hide a wrong rule, and a wrong rule does not hide a wrong price."""
    monkeypatch.setenv("SPENDSTREAM_MAX_BLOCK_ROWS", "0")
    for name, text in BROKEN.items():
        (tmp_path / "config" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "config" / name).write_text(text)
    report = check_config(tmp_path / "config")
    assert report.settings is None
    for part in ("SPENDSTREAM_MAX_BLOCK_ROWS", *BROKEN):
        assert any(part in problem for problem in report.problems), part
    assert report.price_book_version is None
    assert report.attribution_version is None


def test_a_file_with_a_name_that_nothing_reads_is_a_warning(tmp_path: Path) -> None:
    """`attributions.yml` would otherwise change nothing, silently."""
    for name in ("attributions.yml", "overlay/x.yaml", "attribution.yaml", "overlays/ok.txt"):
        (tmp_path / "config" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "config" / name).write_text("")
    strays = [text for text in check_config(tmp_path / "config").warnings if "nothing reads this file" in text]
    assert len(strays) == 2
    assert "attributions.yml" in strays[0]
    assert "overlay/x.yaml" in strays[1]


def test_one_bound_for_usage_of_models_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What alerts say is at stake is what budgets hold, or it is said what to set."""
    (tmp_path / "budgets.yaml").write_text(
        "unpriced_upper_bound_usd: 2.50\nbudgets: [{id: a, name: A, amount: 1, period: day, owner: x}]"
    )
    (text,) = [text for text in check_config(tmp_path).warnings if "unpriced_upper_bound_usd" in text]
    assert text.endswith("1 for each event: set SPENDSTREAM_DATA_QUALITY_UNPRICED_USD_PER_EVENT=2.5")
    monkeypatch.setenv("SPENDSTREAM_DATA_QUALITY_UNPRICED_USD_PER_EVENT", "2.5")
    assert not [text for text in check_config(tmp_path).warnings if "unpriced_upper_bound_usd" in text]


def test_the_command_says_all_and_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON for machines, text for people, the same verdict."""
    (tmp_path / "attribution.yaml").write_text(BROKEN["attribution.yaml"])
    assert _run("--config-dir", str(tmp_path), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert "put quotes around it" in found["problems"][0]
    assert found["settings"]["SPENDSTREAM_MAX_BLOCK_ROWS"] == {"value": "60000", "origin": "default"}
    assert _run("--config-dir", str(tmp_path)) == 1
    text = capsys.readouterr().out
    assert "error: " in text
    assert "SPENDSTREAM_MAX_BLOCK_ROWS" in text


def test_a_missing_config_folder_is_a_problem(tmp_path: Path) -> None:
    """Named on the command line, it has to be there."""
    assert f"{tmp_path / 'nowhere'}: is not a folder" in check_config(tmp_path / "nowhere").problems
