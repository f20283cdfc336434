"""`spendstream forecast --budgets FILE --spend FILE`: will budgets last, by files of amounts and of spend?"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import printable
from stream_jobs.output.lines import complain, say_json

EPILOG: Final = """\
--budgets: budgets.yaml, or a CSV with budget (or series, or id), amount, and perhaps period (hour, day, week, month,
quarter, year; default month) and timezone (default UTC).
--spend: a CSV with time, value (or cost), and budget (or series): what each day cost, or any finer step, in the
currency of the budget. A day without a row is not known, which is not 0; negative values are credits.
"""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
MOST_NAMED: Final = 5
FIRST_ZONE: Final = timedelta(hours=14)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that forecasts of budgets have of their own."""
    parser.add_argument("--budgets", type=Path, metavar="FILE", help="amounts and periods: budgets.yaml or a CSV")
    parser.add_argument("--spend", type=Path, metavar="FILE", help="CSV with time, value and budget")
    parser.add_argument(
        "--at",
        nargs="+",
        action="extend",
        default=[],
        metavar="T",
        help="evaluate at these instants, by what lies before each; a date is its beginning (default: behind the data)",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 whatever is said. Raises ConfigError for files that cannot be read."""
    from stream_jobs.base.no_pandas import arrow_without_pandas
    from stream_jobs.cli.forecast_amounts import read_amounts
    from stream_jobs.cli.forecast_evaluations import evaluations
    from stream_jobs.cli.forecast_spend import end_of, spend_of
    from stream_jobs.output.console import bar_of, progress_bars
    from stream_jobs.timed_csv.reading import read

    if args.spend is None:
        raise ConfigError("--budgets needs --spend FILE: what was spent on each day")
    asked = [_at(text) for text in args.at]
    arrow_without_pandas()
    rows = read(args.spend, "gauge", also={"budget": "series"})
    plan = read_amounts(args.budgets, rows.names, lambda note: complain(f"{args.budgets}: {note}"))
    if not rows.columns.has_series and len(plan) == 1:
        rows = replace(rows, names=[plan[0].name])
    spend = spend_of(rows, {planned.name for planned in plan}, min(map(_earliest, asked), default=None))
    without = sorted(set(spend.names) - {planned.name for planned in plan})
    if without:
        shown = printable(", ".join(name or "(no name)" for name in without[:MOST_NAMED]))
        shown += " ..." if len(without) > MOST_NAMED else ""
        complain(f"{args.spend}: {len(without)} of its series have no budget and are left out: {shown}")
    if spend.twice:
        complain(f"{args.spend}: {spend.twice:,} rows are of an instant that their series has already: they add up")
    with progress_bars() as bars:
        found = list(evaluations(plan, spend, asked or [end_of(spend)], bar_of(bars, "evaluating")))
    if args.json:
        say_json({"evaluations": found})
    else:
        _show(found)
    return 0


def _at(text: str) -> datetime | date:
    from stream_jobs.base.instants import parse_utc
    from stream_jobs.timed_csv.instants import instant_within

    try:
        at = date.fromisoformat(text) if _DATE.fullmatch(text) else parse_utc(text)
        instant_within(_earliest(at))
    except (ValueError, OverflowError) as error:
        why = str(error) if "between" in str(error) else "is no instant: write 2026-01-31 or 2026-01-31T08:00:00Z"
        raise ConfigError(f"--at {text[:80]!r} {why}") from None
    return at


def _earliest(at: datetime | date) -> datetime:
    """When a date begins in the zone where it does so first."""
    return at if isinstance(at, datetime) else datetime(at.year, at.month, at.day, tzinfo=UTC) - FIRST_ZONE


def _show(found: Sequence[dict[str, Any]]) -> None:
    from stream_jobs.base.readable import clock, money, reached
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    table = Table(
        "at (UTC)", "budget", "spent", "of", "by its end", "P10", "P90", "breach", "on", "alert", "label", "why"
    )
    for one in found:
        total = [money(one["total"][name]) if one["total"][name] is not None else "" for name in ("p50", "p10", "p90")]
        spent = "" if one["spent"] is None else money(one["spent"])
        chance = "" if one["probability"] is None else reached(Decimal(str(one["probability"])), 1)
        when = str(one["dates"]["p50"] or "")
        who = (clock(one["at"]), one["budget"], spent, money(one["amount"]))
        table.add_row(*who, *total, chance, when, one["alert"], one["label"], one["why"])
    Console().print(table)
