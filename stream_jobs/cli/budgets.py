"""`spendstream budgets check|list|show|set|credit|remove|reset`: the file, where budgets stand, and what changes."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stream_jobs.cli.checking import Usable, file_to_check, report
from stream_jobs.cli.config_dir import config_dir_of
from stream_jobs.cli.flags import add_config_dir, add_json, add_kafka, add_store


def add_parser(subparsers: Any) -> None:
    """Add `budgets` and its actions."""
    parser = subparsers.add_parser(
        "budgets",
        help="what may be spent: check, list, show, change",
        description="Budgets in <config-dir>/budgets.yaml say what may be spent, on what, until when. They can be "
        "changed while the pipeline runs: 'set' and 'remove' count above the file until 'reset'; 'credit' changes the "
        "amount of one period.",
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
    show.add_argument(
        "--plot", type=Path, metavar="FILE", help="also what is forecast of it as a picture (PNG), beside its amount"
    )
    setting = actions.add_parser(
        "set",
        help="make or change a budget while the pipeline runs",
        description="Give a file with one budget (as in budgets.yaml; - reads standard input), or the id of a budget "
        "with what is to change.",
    )
    setting.add_argument("what", metavar="FILE|ID")
    setting.add_argument("--amount", help="the new amount, in the budget's currency or unit")
    setting.add_argument(
        "--values",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="with --amount: only of this value of a budget per value",
    )
    credit = actions.add_parser(
        "credit",
        help="add to the amount of one period of a budget, or cut from it",
        description="The amount of the present period, or of the one that is named, becomes so much more, or less for "
        "a negative amount; what the budget says stays as it is. Who did it, when and why is kept. The opposite undoes "
        "it.",
    )
    credit.add_argument("budget", metavar="ID")
    credit.add_argument("--amount", required=True, help="in the budget's currency or unit; -100 cuts")
    credit.add_argument("--period", metavar="KEY", help="as budgets show names it (2026-11); default: the present one")
    credit.add_argument(
        "--values", nargs="+", default=[], metavar="FIELD=VALUE", help="of a budget per value: whose amount it is"
    )
    remove = actions.add_parser("remove", help="remove a budget, also one of the file")
    remove.add_argument("budget", metavar="ID")
    reset = actions.add_parser("reset", help="let the file count again for a budget that was set or removed")
    reset.add_argument("budget", metavar="ID")
    for action, run in (
        (listing, live.run_list),
        (show, live.run_show),
        (setting, live.run_set),
        (credit, live.run_credit),
        (remove, live.run_remove),
        (reset, live.run_reset),
    ):
        add_json(action)
        add_store(action)
        action.set_defaults(run=run)
    for action in (setting, credit, remove, reset):
        add_kafka(action)
        action.add_argument("--note", default="", help="kept with the change: why")
        action.add_argument("--timeout", type=float, default=15.0, help="seconds to wait until it counts")


def run_check(args: argparse.Namespace) -> int:
    """See `report`."""
    from stream_jobs.budget_terms.document import FILE_NAME
    from stream_jobs.budget_terms.lint import warnings
    from stream_jobs.budget_terms.resolve import load_budgets

    config_dir = config_dir_of(args)

    def check() -> Usable:
        path = file_to_check(config_dir, FILE_NAME, "stream_jobs/budget_terms/example_budgets.yaml")
        now = datetime.now(UTC)
        budgets = load_budgets(path.parent, now=now)
        count = len(budgets)
        valid = f"{path}: {count} budget{'s are' if count != 1 else ' is'} valid, version {budgets.version}"
        return Usable(valid, warnings(budgets, now), path, {"version": budgets.version, "budgets": count})

    return report(args, check, {"version": None, "budgets": 0})
