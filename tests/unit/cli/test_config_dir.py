"""Whose configuration a command reads."""

import argparse
import json
import os
from pathlib import Path

import pytest

from spendstream.cli import main
from stream_jobs.base.errors import ConfigError
from stream_jobs.cli.config_dir import config_dir_of, config_dir_said
from stream_jobs.embedded.instance import Instance, register

EVENT = (
    '{"occurred_at":"2026-11-01T12:00:00Z","source":"shell","provider":"openai","model":"gpt-4o",'
    '"usage":{"kind":"tokens","input_tokens":1000,"output_tokens":0}}'
)
CONTRACT = "overlays: [{name: ours, scope: {provider: openai}, contract: {input_mtok: 1}, valid_to: 2027-01-01}]"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with a registry of its own."""
    (tmp_path / "registry").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path / "here")
    for name in ("SPENDSTREAM_CONFIG_DIR", "SPENDSTREAM_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def running(tmp_path: Path, name: str = "data", pid: int | None = None) -> Path:
    """The config folder of an instance that runs."""
    data, config = folder(tmp_path / name), folder(tmp_path / name / "config")
    register(Instance(pid or os.getpid(), str(data), "", "", "", "", "", config_dir=str(config)))
    return config


def found(config_dir: Path | None = None, **more: object) -> Path | None:
    return config_dir_of(argparse.Namespace(config_dir=config_dir, **more))


def test_what_is_named_counts_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag, then the environment, then the instance that runs, then the folder beside us; else there is none."""
    assert found() is None
    beside = folder(tmp_path / "here" / ".spendstream" / "config")
    assert found() == beside.relative_to(tmp_path / "here")
    instance = running(tmp_path)
    assert found() == instance
    said = folder(tmp_path / "said")
    monkeypatch.setenv("SPENDSTREAM_CONFIG_DIR", str(said))
    assert found() == said
    assert found(data_dir=instance.parent) == instance
    named = folder(tmp_path / "named")
    assert found(named) == named
    with pytest.raises(ConfigError, match="is not a folder"):
        found(tmp_path / "nothing")


def test_of_several_instances_one_must_be_named(tmp_path: Path) -> None:
    """Whose prices count is not guessed."""
    first = running(tmp_path)
    running(tmp_path, "other", os.getppid())
    with pytest.raises(ConfigError, match="several instances run"):
        found()
    assert found(data_dir=first.parent) == first


def test_price_uses_the_contracts_of_the_instance_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it says is what will be booked."""
    event = tmp_path / "event.jsonl"
    event.write_text(EVENT)
    overlays = folder(running(tmp_path) / "overlays")
    (overlays / "ours.yaml").write_text(CONTRACT)
    assert main(["price", "--json", str(event)]) == 0
    assert json.loads(capsys.readouterr().out)["contracted_cost"] == "0.001"


@pytest.mark.parametrize("command", ["attribution", "budgets", "alerts"])
def test_a_folder_that_is_none_is_no_finding_about_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The command could not do its work."""
    assert main([command, "check", "--config-dir", str(tmp_path / "nowhere")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_check_config_of_several_instances_asks_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And checks none in silence."""
    running(tmp_path, "one", pid=os.getpid())
    running(tmp_path, "two", pid=os.getppid())
    assert main(["check-config"]) == 2
    assert "several instances" in capsys.readouterr().err.replace("\n", " ")


def test_a_command_that_needs_no_instance_says_what_it_can_be_told(tmp_path: Path) -> None:
    """`price` has no --data-dir. Of several instances it takes nobody's prices; in the folder of one that does not run,
    that one's."""
    running(tmp_path, "a")
    running(tmp_path, "b", pid=os.getppid())
    with pytest.raises(ConfigError, match=r"several instances run; say which one with --config-dir or SPEND"):
        found()
    with pytest.raises(ConfigError, match=r"say which one with --data-dir or SPENDSTREAM_DATA"):
        found(data_dir=None)
    own = folder(tmp_path / "here" / ".spendstream" / "config")
    (own.parent / "layout").write_text("1\n")
    assert found() == own.relative_to(tmp_path / "here")


def test_an_instance_that_starts_reads_what_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else's."""
    running(tmp_path)
    folder(tmp_path / "here" / ".spendstream" / "config")
    assert config_dir_said() is None
    said = folder(tmp_path / "said")
    monkeypatch.setenv("SPENDSTREAM_CONFIG_DIR", str(said))
    assert config_dir_said() == said
    monkeypatch.setenv("SPENDSTREAM_CONFIG_DIR", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="is not a folder"):
        config_dir_said()
