"""The application's subcommands: one module each, with `add_parser(subparsers)` and `run(args) -> exit code`."""

import argparse
import importlib
from collections.abc import Sequence

from stream_jobs.errors import SpendstreamError
from stream_jobs.output.lines import complain, flush, nobody_reads
from stream_jobs.output.streams import guarded
from stream_jobs.private import private_umask

# In the order a newcomer meets them; `--help` lists them so.
COMMANDS = (
    "demo",
    "up",
    "status",
    "report",
    "query",
    "emit",
    "replay",
    "simulate",
    "price",
    "prices",
    "attribution",
    "budgets",
    "alerts",
    "quarantine",
    "reprice",
    "reattribute",
    "conservation",
    "reconcile",
    "check_config",
    "migrate",
    "worker",
)


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    """Parse and run. Errors raised on purpose become one message on stderr and exit code 2."""
    with guarded(), private_umask():
        return _run(parser, arguments)


def _run(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in COMMANDS:
        importlib.import_module(f"stream_jobs.cli.{name}").add_parser(subparsers)
    args = parser.parse_args(arguments)
    try:
        code = int(args.run(args))
        flush()
    except SpendstreamError as error:
        complain(f"spendstream {args.command}: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        nobody_reads()  # head or less has seen enough
        return 0
    return code
