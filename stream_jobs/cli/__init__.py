"""The application's subcommands: one module each, with `add_parser(subparsers)` and `run(args) -> exit code`."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from stream_jobs.errors import SpendstreamError

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
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in COMMANDS:
        importlib.import_module(f"stream_jobs.cli.{name}").add_parser(subparsers)
    args = parser.parse_args(arguments)
    try:
        code = int(args.run(args))
        sys.stdout.flush()
    except SpendstreamError as error:
        sys.stderr.write(f"spendstream {args.command}: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
