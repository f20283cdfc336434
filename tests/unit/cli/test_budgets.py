"""`spendstream budgets check`, and budgets in `spendstream check-config`."""

import argparse
import json
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import budgets as command
from stream_jobs.config_check import check_config
from tests.unit.budget_terms.test_document import EXAMPLE


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["budgets", *arguments])
    return int(args.run(args))


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    (tmp_path / "budgets.yaml").write_text(EXAMPLE.read_text())
    return tmp_path


def test_check_accepts_the_example(config_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, the number of budgets and their version."""
    assert _run("check", "--config-dir", str(config_dir), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["budgets"], found["problems"]) == (True, 13, [])
    assert _run("check", "--config-dir", str(config_dir)) == 0
    assert f"13 budgets are valid, version {found['version']}" in capsys.readouterr().out


def test_check_reports_everything_that_is_wrong(config_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; machines and people are told the same."""
    (config_dir / "budgets.yaml").write_text("budgets: [{id: a, name: a, amount: -1, period: x}]")
    assert _run("check", "--config-dir", str(config_dir), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["version"], len(found["problems"])) == (False, None, 2)
    assert _run("check", "--config-dir", str(config_dir)) == 1
    assert capsys.readouterr().out == "".join(f"error: {problem}\n" for problem in found["problems"])


def test_warnings_do_not_fail_the_check(config_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They say what is probably not meant."""
    (config_dir / "budgets.yaml").write_text("budgets: [{id: a, name: a, amount: 1, period: day}]")
    assert _run("check", "--config-dir", str(config_dir)) == 0
    text = capsys.readouterr().out
    assert "warning: " in text
    assert "has neither an owner nor channels" in text
    assert "1 budget is valid" in text


def test_check_without_a_file_says_where_an_example_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without budgets is fine for the pipeline, but not for somebody who asks to check them."""
    assert _run("check", "--config-dir", str(tmp_path)) == 1
    assert "example_budgets.yaml" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="is not a folder"):
        _run("check", "--config-dir", str(tmp_path / "nowhere"))


def test_check_config_covers_budgets(config_dir: Path) -> None:
    """Their number, what is wrong, what is odd; the file is no stray one, nor is that of the alerts."""
    receivers = [
        f"{{name: {name}, type: webhook, url: 'https://a.example'}}" for name in ("slack-product", "mail-controlling")
    ]
    (config_dir / "alerts.yaml").write_text(f"receivers: [{', '.join(receivers)}]")
    (config_dir / "budget.yaml").write_text("")
    report = check_config(config_dir)
    assert (report.budgets, report.problems) == (13, [])
    assert report.budgets_version
    strays = [text for text in report.warnings if "nothing reads this file" in text]
    assert len(strays) == 1
    assert "budget.yaml" in strays[0]
    (config_dir / "budgets.yaml").write_text("budgets: [{id: a, name: a, amount: 1, period: day}]")
    assert any("budgets.yaml: budget 'a': has neither" in text for text in check_config(config_dir).warnings)
    (config_dir / "budgets.yaml").write_text("budgets: 7")
    report = check_config(config_dir)
    assert report.budgets_version is None
    assert any("budgets.yaml:1: budgets: " in problem for problem in report.problems)
