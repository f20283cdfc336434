"""`spendstream anomalies scan FILE`: what the job would have found in a file of usage or of any other values."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from stream_jobs.cli.flags import add_json
from stream_jobs.output.lines import complain, say, say_json

EPILOG = """\
columns, by their names in the first line, in any order; rows in any order:
  time            ISO 8601, in UTC where no zone is given; or seconds, milliseconds or microseconds since 1970
  series          whose it is, if there are several
  events, cost    requests and what they cost (USD); rows of the same minute are added up, and a minute without a row
                  had no requests. cost_squares (the sum of each request's cost squared) and capped_cost (of each
                  request's cost up to 1 USD) tell more of single dear requests
  value           instead of events and cost: any figure, one per step. The step is the median gap of the series; a gap
                  is a gap; values of the same minute become their mean. With --mode gauge and no value
                  the cost is read as one, added up: for sums of hours or days

Rows are replayed in the order of time. Nothing of what comes later is known to it, but for the step of a `value`.

examples:
  spendstream anomalies scan usage.csv
  spendstream anomalies scan latency.csv --json --scores scores.csv
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `scan` to the actions of `anomalies`."""
    parser = subparsers.add_parser(
        "scan",
        help="judge a CSV file as the job would have judged it on the stream",
        description="Replays a file and says what would have been found, and when, with the default configuration.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV with time and either events,cost or value")
    parser.add_argument(
        "--scores", type=Path, metavar="OUT", help="write time,series,score,surprise of every point (CSV)"
    )
    parser.add_argument(
        "--mode",
        choices=("cost", "gauge"),
        help="read events,cost or value (default: by the columns); gauge takes the cost where there is no value",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 whatever was found. Raises ConfigError for a file that cannot be read."""
    from stream_jobs.base.no_pandas import arrow_without_pandas
    from stream_jobs.detection.scan.answer import scan_file
    from stream_jobs.output.console import bar_of, progress_bars

    arrow_without_pandas()
    with progress_bars() as bars:
        found = scan_file(args.file, args.mode, args.scores, bar_of(bars, "reading"), bar_of(bars, "judging"))
    for note in found.notes:
        complain(f"{args.file}: {note}")
    if args.json:
        say_json({"findings": found.findings})
    else:
        _show(found.findings, found.mode)
    return 0


def _show(findings: list[dict[str, Any]], mode: str) -> None:
    from stream_jobs.base.readable import clock
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    if not findings:
        say("nothing unusual")
        return
    unit = " (USD)" if mode == "cost" else ""
    heads = (
        "told at (UTC)",
        "since",
        "until",
        "series",
        "what",
        "severity",
        f"expected{unit}",
        f"actual{unit}",
        "nats",
    )
    table = Table(*heads)
    for one in findings:
        times = [
            clock(datetime.fromisoformat(one[name])) if one[name] else "open"
            for name in ("detected_at", "start", "end")
        ]
        figures = [f"{one[name]:,.4g}" for name in ("expected", "actual")]
        what = f"{one['kind']} {'↑' if one['direction'] == 'up' else '↓'}"
        table.add_row(*times, one["series"], what, one["severity"], *figures, f"{one['score']:.3g}")
    Console().print(table)
