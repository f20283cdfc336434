"""`spendstream attribution check|explain`: lint the attribution rules, and show what they do to one event."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli.checking import Usable, file_to_check, report
from stream_jobs.cli.config_dir import config_dir_of
from stream_jobs.cli.flags import add_config_dir, add_json
from stream_jobs.output.lines import say_json

if TYPE_CHECKING:
    from spendstream_schemas import UsageEvent
    from stream_jobs.attribution import AppliedRule, Attributed


def add_parser(subparsers: Any) -> None:
    """Add `attribution` and its two subcommands."""
    parser = subparsers.add_parser(
        "attribution",
        help="check the attribution rules, or show what they do to an event",
        description="Rules in <config-dir>/attribution.yaml say who a cost belongs to.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="report everything that is wrong with the file, and what looks unintended")
    explain = actions.add_parser("explain", help="show which rule sets what for one usage event")
    explain.add_argument("event", metavar="FILE", help="a file with one usage event as JSON; - reads standard input")
    for action, run_action in ((check, run_check), (explain, run_explain)):
        add_config_dir(action, "attribution.yaml")
        add_json(action)
        action.set_defaults(run=run_action)


def run_check(args: argparse.Namespace) -> int:
    """See `report`."""
    from stream_jobs.attribution.document import FILE_NAME
    from stream_jobs.attribution.lint import warnings
    from stream_jobs.attribution.rules import read_rules

    config_dir = config_dir_of(args)

    def check() -> Usable:
        path = file_to_check(config_dir, FILE_NAME, "stream_jobs/attribution/example_attribution.yaml")
        document, compiled = read_rules(path)
        counts = f"{len(document.rules)} rules, {len(document.categories)} category rules"
        counts = f"{counts} and {len(document.cost_stack)} of the cost stack"
        valid = f"{path}: {counts} are valid, version {compiled.version}"
        return Usable(valid, warnings(document), path, {"version": compiled.version})

    return report(args, check, {"version": None})


def run_explain(args: argparse.Namespace) -> int:
    """Exit code 0; raises ConfigError when the event or the rules are invalid."""
    from spendstream_schemas import MAX_MESSAGE_BYTES, InvalidMessageError, parse_usage_event
    from stream_jobs.attribution import AttributionRules
    from stream_jobs.base.files import read_file
    from stream_jobs.facts import facts_of

    limit = MAX_MESSAGE_BYTES + 1  # one byte too many is refused by the contract
    raw = sys.stdin.buffer.read(limit) if args.event == "-" else read_file(Path(args.event), limit)
    try:
        event = parse_usage_event(raw).message
    except InvalidMessageError as error:
        raise ConfigError(f"{args.event}: is no valid usage event: {error}") from None
    rules = AttributionRules.load(config_dir_of(args))
    attributed, applied = rules.explain(facts_of(event))
    if args.json:
        steps = [{"rule": step.rule, "field": step.field, "old": step.old, "new": step.new} for step in applied]
        say_json({"version": rules.version, "attribution": attributed._asdict(), "changes": steps})
    else:
        _print_tables(event, attributed, applied, rules.version)
    return 0


def _print_tables(event: "UsageEvent", attributed: "Attributed", applied: "list[AppliedRule]", version: str) -> None:
    from rich.text import Text

    from spendstream_schemas import ATTRIBUTION_FIELDS, MANDATORY_TAGS
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    table = Table(title=f"Attribution of {event.event_id} by rules {version}")
    for column in ("field", "the event says", "booked as", "set by"):
        table.add_column(column)
    for field in ATTRIBUTION_FIELDS:
        steps = [step for step in applied if step.field == field]
        value = getattr(attributed, field)
        shown = value or (Text("unallocated", "red") if field in MANDATORY_TAGS else "")
        history = " → ".join(f"{step.rule} ({step.new})" for step in steps)
        table.add_row(field, getattr(event.attribution, field) or "", shown, history)
    for field in ("category", "subcategory"):
        rule = next(step.rule for step in reversed(applied) if step.field == field)
        table.add_row(field, "", getattr(attributed, field), rule)
    Console().print(table)
