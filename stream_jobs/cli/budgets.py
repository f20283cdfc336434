"""`spendstream budgets check|list|show|set|remove|reset`: the file, where budgets stand, and changes while it runs."""

import argparse
from datetime import UTC, datetime
from typing import Any

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli.config_dir import config_dir_of
from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.cli.flags import add_config_dir, add_json, add_kafka, add_store
from stream_jobs.output.lines import say, say_json


def add_parser(subparsers: Any) -> None:
    """Add `budgets` and its actions."""
    parser = subparsers.add_parser(
        "budgets",
        help="what may be spent: check, list, show, change",
        description="Budgets in <config-dir>/budgets.yaml say what may be spent, on what, until when. They can be "
        "changed while the pipeline runs: 'set' and 'remove' count above the file until 'reset'.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="report everything that is wrong with the file, and what looks unintended")
    check.set_defaults(run=run_check)
    add_config_dir(check, "budgets.yaml")
    add_json(check)
    _add_live(actions)


def _add_live(actions: Any) -> None:
    from stream_jobs.cli import budgets_live as live

    listing = actions.add_parser("list", help="all budgets and where they stand")
    show = actions.add_parser("show", help="one budget: where it stands, what was crossed, who spends")
    show.add_argument("budget", metavar="ID")
    setting = actions.add_parser(
        "set",
        help="make or change a budget while the pipeline runs",
        description="Give a file with one budget (as in budgets.yaml; - reads standard input), or the id of a budget "
        "with what is to change.",
    )
    setting.add_argument("what", metavar="FILE|ID")
    setting.add_argument("--amount", help="the new amount, in the budget's currency")
    remove = actions.add_parser("remove", help="remove a budget, also one of the file")
    remove.add_argument("budget", metavar="ID")
    reset = actions.add_parser("reset", help="let the file count again for a budget that was set or removed")
    reset.add_argument("budget", metavar="ID")
    for action, run in (
        (listing, live.run_list),
        (show, live.run_show),
        (setting, live.run_set),
        (remove, live.run_remove),
        (reset, live.run_reset),
    ):
        add_json(action)
        add_store(action)
        action.set_defaults(run=run)
    for action in (setting, remove, reset):
        add_kafka(action)
        action.add_argument("--note", default="", help="kept with the change: why")
        action.add_argument("--timeout", type=float, default=15.0, help="seconds to wait until it counts")


def run_check(args: argparse.Namespace) -> int:
    """Exit code 0 when the budgets can be used, 1 when not. Warnings don't change the exit code."""
    from stream_jobs.base.files import is_there
    from stream_jobs.budgets.document import FILE_NAME
    from stream_jobs.budgets.lint import warnings
    from stream_jobs.budgets.resolve import load_budgets

    config_dir = config_dir_of(args)
    path = config_dir / FILE_NAME if config_dir else None
    problems: tuple[str, ...] = ()
    found: list[str] = []
    budgets = None
    now = datetime.now(UTC)
    try:
        if path is None or not is_there(path):
            problems = (f"{path or FILE_NAME}: does not exist; see stream_jobs/budgets/example_budgets.yaml",)
        else:
            budgets = load_budgets(config_dir, now=now)
            found = warnings(budgets, now)
    except ConfigError as error:
        problems = error.problems
    version, count = (budgets.version, len(budgets)) if budgets is not None else (None, 0)
    if args.json:
        answer = {"ok": not problems, "version": version, "budgets": count}
        say_json({**answer, "problems": problems, "warnings": found})
    else:
        for problem in problems:
            say(f"error: {problem}")
        for warning in found:
            say(f"warning: {path}: {warning}")
        if not problems:
            say(f"{path}: {count} budget{'s are' if count != 1 else ' is'} valid, version {version}")
    return FOUND if problems else 0
