"""`spendstream attribution`."""

import argparse
import json
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import attribution as command

EXAMPLE = Path(__file__).parents[3] / "stream_jobs" / "attribution" / "example_attribution.yaml"
EVENT = {
    "schema_version": 1,
    "event_id": "e-1",
    "occurred_at": "2026-03-01T12:00:00Z",
    "source": "assistant-web",
    "provider": "openai",
    "model": "gpt-4o",
    "usage": {"kind": "tokens", "input_tokens": 3},
    "attribution": {"environment": "PROD"},
}


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["attribution", *arguments])
    return int(args.run(args))


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    (tmp_path / "attribution.yaml").write_text(EXAMPLE.read_text())
    return tmp_path


def test_explain_names_the_rule_behind_every_value(config_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON holds each change in order, the text shows each field."""
    path = config_dir / "event.json"
    path.write_text(json.dumps(EVENT))
    assert _run("explain", str(path), "--config-dir", str(config_dir), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["attribution"]["cost_center"] == "CC-1100"
    assert found["attribution"]["unallocated"] == ["project"]
    assert [change["field"] for change in found["changes"]] == [
        "environment",
        "team",
        "workload_type",
        "cost_center",
        "category",
        "subcategory",
    ]
    assert _run("explain", str(path), "--config-dir", str(config_dir)) == 0
    assert "unallocated" in capsys.readouterr().out


def test_check_accepts_the_example_and_refuses_what_is_broken(
    config_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 and a version, or exit code 1 and every problem."""
    assert _run("check", "--config-dir", str(config_dir), "--json") == 0
    assert json.loads(capsys.readouterr().out)["version"]
    (config_dir / "attribution.yaml").write_text("rules: [{name: a}, {name: b}]")
    assert _run("check", "--config-dir", str(config_dir)) == 1
    assert capsys.readouterr().out.count("error: ") == 2
    (config_dir / "attribution.yaml").unlink()
    assert _run("check", "--config-dir", str(config_dir)) == 1
    assert "does not exist" in capsys.readouterr().out


def test_an_invalid_event_is_refused_with_its_reason(config_dir: Path) -> None:
    """The contract's reason code, not a traceback."""
    path = config_dir / "event.json"
    path.write_text('{"schema_version": 1}')
    with pytest.raises(ConfigError, match="missing_field"):
        _run("explain", str(path), "--config-dir", str(config_dir))
    with pytest.raises(ConfigError, match="cannot be read"):
        _run("explain", str(config_dir / "nowhere.json"), "--config-dir", str(config_dir))
