"""The `spendstream` command.

It comes with the SDK. The application's subcommands join it where `stream_jobs` can be imported; elsewhere the command
says how to get them.
"""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

EPILOG = """\
start here:
  spendstream demo                 an hour of simulated AI traffic through the whole pipeline, and a report
  spendstream up                   run the pipeline on this machine; Ctrl-C stops it
  spendstream replay FILE ...      send a trace of real requests through it
  spendstream query "SELECT ..."   ask ClickHouse
  spendstream report               where the money went, in the terminal and as report.html

Every command has its own --help.
"""

WITHOUT_APPLICATION = """\
This environment has the spendstream SDK only: `import spendstream` works, the pipeline's commands do not.
To run the pipeline (demo, up, query, report, ...), check out the spendstream repository and run `make install` there;
the command is then .venv/bin/spendstream."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0 success, 1 the command found problems, 2 it could not do its work."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if importlib.util.find_spec("stream_jobs") is None:
        return _without_application(arguments)
    application = importlib.import_module("stream_jobs.cli")  # by its name: the SDK imports nothing of it
    return int(application.run_command(new_parser(), arguments))


def new_parser() -> argparse.ArgumentParser:
    """The command's top-level parser, before any subcommand joins."""
    parser = _Parser(
        prog="spendstream",
        description="Makes the cost of every AI request visible within a second, exactly once, attributed to who "
        "caused it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"spendstream {_version()}")
    return parser


class _Parser(argparse.ArgumentParser):
    """Its subcommands' parsers are of its kind."""

    def error(self, message: str) -> NoReturn:
        """One line, whatever the argument that it quotes; other characters are escaped where they go out."""
        super().error(message.replace("\n", "\\n"))


def _version() -> str:
    try:
        return version("spendstream")
    except PackageNotFoundError:
        return "(not installed)"


def _without_application(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in ("--version", "-V"):
        sys.stdout.write(f"spendstream {_version()}\n")
        return 0
    asked_for_help = not arguments or arguments[0] in ("--help", "-h")
    (sys.stdout if asked_for_help else sys.stderr).write(WITHOUT_APPLICATION + "\n")
    return 0 if asked_for_help else 2
