"""`spendstream forecast`: what will be spent, with bands; of what the job has forecast, or of a file."""

import argparse
from pathlib import Path
from typing import Any, Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import parse_utc
from stream_jobs.cli import forecast_budgets, forecast_look, forecast_set
from stream_jobs.cli.flags import add_json, add_store
from stream_jobs.output.lines import complain, say, say_json

ACTIONS: Final = ("set", "unset")
EPILOG: Final = f"""\
{forecast_look.EPILOG}
columns of a file, by their names in the first line, in any order; rows in any order:
  time     ISO 8601, in UTC where no zone is given; or seconds, milliseconds or microseconds since 1970
  value    how much from then on: requests, tokens, USD. Rows finer than a step are added up; a step without a row, or
           with less than 80 % of its rows, is not known, which is not 0
  series   whose it is, if there are several: all of them are taken for one tenant's, and share how far forecasts miss

Each forecast uses nothing from its origin on. P50 of the sum is no sum of P50s.

budgets, from files:
{forecast_budgets.EPILOG}
examples:
  spendstream forecast
  spendstream forecast team=search --horizon 30d --plot search.png
  spendstream forecast budget=products --now
  spendstream forecast set team=search --from 2026-12-01 --to 2027-01-01 --amount 40000 --note "the launch"
  spendstream forecast --file usage.csv --horizon 72h --step 1h
  spendstream forecast --file spend.csv --horizon 30d --step 1d --origin 2026-11-01 --origin 2026-12-01 --json
  spendstream forecast --budgets budgets.yaml --spend spend.csv --at 2026-11-10 2026-11-11
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "forecast",
        help="what will be used or spent: P10, P50 and P90 of the next hours or days",
        description="Shows what the job `forecasts` says of the total and of every budget, or of one series in full; "
        "or forecasts every series of a CSV file, with the method and the one configuration of the job.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    forecast_look.add_arguments(parser)
    parser.add_argument("--file", type=Path, metavar="FILE", help="CSV with time, value and series")
    parser.add_argument(
        "--horizon",
        metavar="LENGTH",
        help="how far ahead: 72h, 30d, up to 31d of hours and 400d of days (default: 72h, or 30d)",
    )
    parser.add_argument("--step", choices=("1h", "1d"), default="1h", help="of hours or of days (default: %(default)s)")
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="T",
        help="the first step's beginning: 2026-11-01T08:00; repeatable (default: the end of the file)",
    )
    forecast_budgets.add_arguments(parser)
    forecast_set.add_arguments(parser)
    add_json(parser)
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0, also where forecasts are refused. Raises ConfigError for what cannot be read."""
    if args.scope and (args.budgets is not None or args.file is not None):
        raise ConfigError(f"{' '.join(args.scope)[:80]!r} is of what the job forecasts: leave it out beside files")
    _check_together(args)
    if args.budgets is not None:
        return forecast_budgets.run(args)
    if args.scope and args.scope[0] in ACTIONS:
        return forecast_set.run(args.scope[0], args.scope[1:], args, forecast_look.model_of)
    if args.file is None:
        return forecast_look.run(args)
    from stream_jobs.base.no_pandas import arrow_without_pandas
    from stream_jobs.forecasting.scan.answer import forecast_file
    from stream_jobs.output.console import bar_of, progress_bars

    arrow_without_pandas()
    horizon = ("72h" if args.step == "1h" else "30d") if args.horizon is None else args.horizon
    origins = [_origin(one) for one in args.origin]
    with progress_bars() as bars:
        told = bar_of(bars, "reading"), bar_of(bars, "forecasting")
        found = forecast_file(args.file, horizon, args.step, origins, *told)
    for note in found.notes:
        complain(f"{args.file}: {note}")
    if args.json:
        say_json({"forecasts": found.forecasts})
    else:
        _show(found.forecasts, horizon)
    return 0


def _check_together(args: argparse.Namespace) -> None:
    """Raises ConfigError for options that would be passed over."""
    of_files = {"--file": args.file is not None, "--origin": bool(args.origin)}
    of_budgets = {"--spend": args.spend is not None, "--at": bool(args.at)}
    if args.budgets is not None:
        wrong = [name for name, given in {**of_files, "--horizon": args.horizon is not None}.items() if given]
        if wrong:
            raise ConfigError(f"{', '.join(wrong)}: not with --budgets, which takes --spend FILE and --at T")
    elif wrong := [name for name, given in of_budgets.items() if given]:
        raise ConfigError(f"{', '.join(wrong)}: only with --budgets FILE, of amounts and periods")
    elif args.origin and args.file is None:
        raise ConfigError("--origin: only with --file FILE, of values")


def _origin(text: str) -> int:
    from stream_jobs.timed_csv.instants import instant_within

    try:
        return instant_within(parse_utc(text))
    except ValueError as error:
        why = str(error) if "between" in str(error) else "is not a timestamp like 2026-01-31T08:00"
        raise ConfigError(f"--origin {text[:80]!r} {why}") from None


def _show(found: list[dict[str, Any]], horizon: str) -> None:
    from datetime import datetime

    from stream_jobs.base.readable import clock
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    if not found:
        say("the file has no series")
        return
    table = Table("series", "from (UTC)", f"P10 of {horizon}", "P50", "P90", "label", "why")
    for one in found:
        figures = [f"{value:,.4g}" for value in one["sum"].values()] if "sum" in one else ["", "", ""]
        label, why = (one["label"], one["why"]) if "sum" in one else ("refused", one["refused"])
        table.add_row(one["series"], clock(datetime.fromisoformat(one["origin"])), *figures, label, why)
    Console().print(table)
