"""What the `check` of every kind of file answers: all that is wrong, what looks unintended, or that it is valid."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there
from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.output.lines import say, say_json


@dataclass(frozen=True, slots=True)
class Usable:
    """`valid` is the sentence that says so; `warnings` are about the file at `path`, or say themselves where."""

    valid: str
    warnings: Sequence[str]
    path: Path | None = None
    facts: Mapping[str, Any] | None = None


def report(args: argparse.Namespace, check: Callable[[], Usable], facts: Mapping[str, Any]) -> int:
    """Exit code 0 when the files can be used, 1 when `check` raises ConfigError. Warnings don't change the exit code.

    `facts` is what JSON says beside what was found, where the files cannot be used.
    """
    problems: tuple[str, ...] = ()
    found = Usable("", ())
    try:
        found = check()
    except ConfigError as error:
        problems = error.problems
    if args.json:
        say_json({"ok": not problems, **(found.facts or facts), "problems": problems, "warnings": found.warnings})
        return FOUND if problems else 0
    for problem in problems:
        say(f"error: {problem}")
    for warning in found.warnings:
        say(f"warning: {found.path}: {warning}" if found.path else f"warning: {warning}")
    if found.valid:
        say(found.valid)
    return FOUND if problems else 0


def file_to_check(config_dir: Path | None, name: str, example: str) -> Path:
    """The file in the config folder. Raises ConfigError when it is not there."""
    path = config_dir / name if config_dir else None
    if path is None or not is_there(path):
        raise ConfigError(f"{path or name}: does not exist; see {example}")
    return path
