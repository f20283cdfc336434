"""The application's subcommands: one module each, with `add_parser(subparsers)` and `run(args) -> exit code`."""

import argparse
import errno
import importlib
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from stream_jobs.base.errors import ConfigError, SpendstreamError
from stream_jobs.base.private import private_umask
from stream_jobs.output.lines import complain, flush, nobody_reads
from stream_jobs.output.streams import guarded

# In the order a newcomer meets them; `--help` lists them so.
COMMANDS = (
    "demo",
    "up",
    "status",
    "report",
    "query",
    "figures",
    "explain",
    "emit",
    "replay",
    "simulate",
    "price",
    "prices",
    "attribution",
    "budgets",
    "alerts",
    "anomalies",
    "forecast",
    "quarantine",
    "reprice",
    "reattribute",
    "conservation",
    "event",
    "reconcile",
    "check_config",
    "migrate",
    "worker",
)

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    """Parse and run. Errors raised on purpose become one message on stderr and exit code 2."""
    with guarded(), private_umask():
        return _run(parser, arguments)


def _run(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in _asked_for(arguments):
        importlib.import_module(f"stream_jobs.cli.{name}").add_parser(subparsers)
    args = parser.parse_args(arguments)
    try:
        _check_texts(args)
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
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        nobody_reads()  # what is left has no room either
        place = f" to {error.filename}" if error.filename else ""
        with suppress(OSError):  # stderr may lie on the same disk
            complain(f"spendstream {args.command}: cannot write{place}: {os.strerror(error.errno)}")
        return 2
    return code


def _asked_for(arguments: Sequence[str]) -> Sequence[str]:
    """The command that is named, else all: loading what the others need would be half of a command's start."""
    named = [name for name in COMMANDS if name.replace("_", "-") == next(iter(arguments), None)]
    return named or COMMANDS


def _check_texts(args: argparse.Namespace) -> None:
    """Bytes that are no UTF-8 come as halves of surrogate pairs, which no store, broker or file takes. A path, which
    may be of any bytes, is no text. Raises ConfigError."""
    for name, value in vars(args).items():
        for text in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(text, str) and text != _without_halves(text):
                raise ConfigError(f"{name.replace('_', '-')}: {text!r} is not UTF-8")


def _without_halves(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
