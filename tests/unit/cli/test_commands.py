"""The `spendstream` command as a whole: help, errors, and where the application is missing."""

import argparse
import importlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import spendstream
import spendstream_schemas
from spendstream.cli import main
from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.cli import COMMANDS
from stream_jobs.cli.demo import DEMO_MARKER, _fresh_folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`spendstream COMMAND --help` says what it does and exits 0."""
    name = command.replace("_", "-")
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: spendstream {name}")


def test_the_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not listed is not found."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"\n    {command.replace('_', '-')}" in shown for command in COMMANDS)


def loaded(argument: str) -> set[str]:
    """The modules of a process that has shown a help."""
    shown = "print(*sys.modules, file=sys.stderr)"
    script = f"import sys, spendstream.cli as cli\ntry: cli.main({argument})\nfinally: {shown}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_overview_loads_nothing_heavy() -> None:
    """Commands load what they work with when they run, so that help comes at once."""
    heavy = {"aiohttp", "aiokafka", "chdb", "clickhouse_connect", "faust", "jinja2", "matplotlib", "numpy", "pyarrow"}
    found = loaded("['--help']")
    assert {f"stream_jobs.cli.{name}" for name in COMMANDS} <= found
    assert not found & (heavy | {"pydantic_settings", "rich", "scipy"})


def test_what_asks_the_store_for_a_few_rows_loads_no_arrow() -> None:
    """Nor numpy: a third of the start of `up`, `status` and `query`."""
    script = "import sys, stream_jobs.embedded.supervisor, stream_jobs.store.queries; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "pyarrow", "rich"} & set(done.stdout.split())


def test_a_command_loads_no_other() -> None:
    """Half of its start would be for what it does not need."""
    assert {f"stream_jobs.cli.{name}" for name in COMMANDS} & loaded("['up', '--help']") == {"stream_jobs.cli.up"}


def test_an_error_raised_on_purpose_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback: the message and the command it came from."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert main(["quarantine", "list", "--data-dir", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("spendstream quarantine: no spendstream runs on ")
    assert shown.err.count("\n") == 1


def test_times_beyond_what_the_store_holds_are_usage_errors() -> None:
    """And not an overflow in the middle of a report."""
    for time in ("0001-01-01", "9999-12-31"):
        for option in ("--from", "--to"):
            with pytest.raises(SystemExit) as stopped:
                main(["report", option, time])
            assert stopped.value.code == 2


@pytest.mark.parametrize("arguments", [["query", "SELECT '\udcff'"], ["alerts", "ack", "\udcff"], ["price", "\udcff"]])
def test_an_argument_that_is_not_utf_8_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As a terminal in another encoding sends it."""
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"spendstream {arguments[0]}: ")
    assert shown.count("\n") == 1


def test_a_full_disk_is_one_line_and_exit_code_2() -> None:
    """Of whoever keeps the output in a file: no traceback, and no success either."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "spendstream", "check-config", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "spendstream check-config: cannot write: No space left on device\n")


@pytest.mark.parametrize(
    ("error", "code"), [(StoreUnavailableError("away"), 2), (KeyboardInterrupt(), 130), (BrokenPipeError(), 0)]
)
def test_how_a_command_ends_decides_the_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours 2, Ctrl-C 130, a reader that has seen enough 0."""

    def fail(_: argparse.Namespace) -> int:
        raise error

    module = importlib.import_module("stream_jobs.cli.status")
    monkeypatch.setattr(module, "run", fail)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    assert main(["status"]) == code


def test_an_unknown_job_or_command_is_a_usage_error() -> None:
    """argparse names the choices."""
    for arguments in (["worker", "nothing"], ["nothing"], []):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 0), (["up"], 2), (["--version"], 0)])
def test_without_the_application_the_command_explains_itself(tmp_path: Path, arguments: list[str], code: int) -> None:
    """Where only the SDK is installed, as in a service, it says how to get the rest."""
    for package in (spendstream, spendstream_schemas):
        assert package.__file__ is not None
        (tmp_path / package.__name__).symlink_to(Path(package.__file__).parent)
    script = f"""
import sys
sys.path += [{str(tmp_path)!r}, {sysconfig.get_path("purelib")!r}]  # -S: no .pth file leads to the checkout
from spendstream.cli import main
sys.exit(main({arguments!r}))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == code, done.stderr
    if arguments == ["--version"]:
        assert done.stdout.startswith("spendstream ")
    else:
        assert "make install" in (done.stderr if code else done.stdout)
    assert "Traceback" not in done.stderr


def test_a_demo_removes_only_what_a_demo_made(tmp_path: Path) -> None:
    """A ledger of `up`, or somebody's files, are refused and left alone; an earlier demo's folder starts afresh."""
    demo, real, file = tmp_path / "demo", tmp_path / "real", tmp_path / "file"
    real.mkdir()
    (real / "layout").write_text("1\n")
    (real / "store").mkdir()
    file.write_text("mine")
    for folder in (real, file, tmp_path):
        with pytest.raises(ConfigError, match="--data-dir"):
            _fresh_folder(folder)
    assert (real / "store").is_dir()
    for _ in range(2):
        _fresh_folder(demo)
        assert (demo / DEMO_MARKER).is_file()
        assert (demo / "config" / "attribution.yaml").is_file()
        assert not (demo / "old").exists()
        (demo / "old").write_text("of the last run")
