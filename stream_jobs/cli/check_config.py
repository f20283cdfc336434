"""`spendstream check-config`: what is wrong with settings, rules, budgets, prices and topic files, all at once."""

import argparse
from typing import TYPE_CHECKING, Any

from stream_jobs.cli.flags import add_config_dir, add_json
from stream_jobs.output.lines import say_json

if TYPE_CHECKING:
    from stream_jobs.config_check import ConfigReport
    from stream_jobs.settings_table import EffectiveSetting


def add_parser(subparsers: Any) -> None:
    """Add `check-config`."""
    parser = subparsers.add_parser(
        "check-config",
        help="report everything that is wrong with settings, rules, budgets and prices",
        description="Checks the SPENDSTREAM_* variables and the files of the config folder, and shows what is in "
        "force. Exit code 0: all is well; 1: something must be changed. Nothing is connected to.",
    )
    add_config_dir(
        parser, "attribution.yaml, budgets.yaml, events.yaml, alerts.yaml, overlays/, rate_cards/ and corrections/"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 without problems, else 1."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.cli.config_dir import find_config_dir
    from stream_jobs.config_check import check_config
    from stream_jobs.settings_table import effective

    config_dir, refused = None, None
    try:
        config_dir = find_config_dir(args)
    except ConfigError as error:
        refused = error
    report = check_config(config_dir)
    if refused is not None and report.settings is not None:  # else it is about the settings, as the report is
        raise refused
    rows = effective(report.settings) if report.settings else []
    if args.json:
        say_json(_as_json(report, rows))
    else:
        _print(report, rows)
    return 1 if report.problems else 0


def _as_json(report: "ConfigReport", rows: "list[EffectiveSetting]") -> dict[str, Any]:
    return {
        "ok": not report.problems,
        "problems": report.problems,
        "warnings": report.warnings,
        "config_dir": report.config_dir,
        "price_book_version": report.price_book_version,
        "attribution_version": report.attribution_version,
        "budgets_version": report.budgets_version,
        "budgets": report.budgets,
        "events_version": report.events_version,
        "events": report.events,
        "receivers": report.receivers,
        "topics": report.topics,
        "settings": {row.variable: {"value": row.value, "origin": row.origin} for row in rows},
    }


def _print(report: "ConfigReport", rows: "list[EffectiveSetting]") -> None:
    from rich.text import Text

    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Facts, Table

    console = Console(highlight=False)
    if rows:
        table = Table(title="Settings in force")
        for column in ("variable", "value", "from"):
            table.add_column(column)
        for row in rows:
            table.add_row(
                Text(row.variable), Text(row.value), Text(row.origin, "dim" if row.origin == "default" else "")
            )
        console.print(table)
    unusable = "cannot be used"
    facts = {
        "config folder": report.config_dir or "(none: built-in defaults only)",
        "price book": report.price_book_version or unusable,
        "attribution rules": report.attribution_version or unusable,
        "budgets": f"{report.budgets} (version {report.budgets_version})" if report.budgets_version else unusable,
        "planned events": f"{report.events} (version {report.events_version})" if report.events_version else unusable,
        "receivers of alerts": ", ".join(report.receivers) or "(none)",
        "topics": ", ".join(report.topics) or unusable,
    }
    console.print(Facts(facts.items()))
    for warning in report.warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning), soft_wrap=True)
    for problem in report.problems:
        console.print(Text.assemble(("error: ", "red"), problem), soft_wrap=True)
    count = len(report.problems)
    console.print(f"{count} problem{'s' if count != 1 else ''} found" if count else "no problems found")
