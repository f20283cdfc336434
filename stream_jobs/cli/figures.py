"""`spendstream figures`: every figure that there is, and its value for a time, cut by what the ledger knows."""

import argparse
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli.config_dir import config_dir_of
from stream_jobs.cli.flags import add_config_dir, add_json, add_store, local_instant
from stream_jobs.output.lines import complain, data, say, say_json

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from stream_jobs.economics.asked import Question
    from stream_jobs.economics.question import Answer

MAX_TABLE_ROWS: Final = 1000


def add_parser(subparsers: Any) -> None:
    """Add `figures` and its subcommand."""
    parser = subparsers.add_parser(
        "figures",
        help="figures of cost and usage: what there is, and what they are",
        description="Every figure is defined once; without `show`, lists them with their units and what they mean.",
    )
    add_json(parser, "one JSON array")
    parser.set_defaults(run=run_list)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    show = actions.add_parser(
        "show",
        help="what figures are, for a time and by dimensions",
        description="Each answer says what it covers. A figure is NULL where it cannot be told, never 0.",
    )
    show.add_argument("names", nargs="+", metavar="NAME", help="of `spendstream figures`")
    show.add_argument("--from", dest="start", metavar="TIME", help="first instant: 2026-10-01, 2026-10-01T12:00+02:00")
    show.add_argument("--to", dest="end", metavar="TIME", help="first instant after (default: now)")
    show.add_argument("--month", metavar="YYYY-MM", help="a month instead (default: this month until now)")
    show.add_argument("--timezone", default="UTC", metavar="ZONE", help="of months, days and times (default: UTC)")
    show.add_argument(
        "--by", action="append", default=[], metavar="DIMENSION", help="team, labels.KEY, day; repeatable"
    )
    show.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only these; team=a* is a pattern, team= no team; repeatable: of one name, any of them",
    )
    show.add_argument(
        "--currency",
        type=str.upper,
        default="USD",
        metavar="CODE",
        help="money in EUR, ... at the rate of the first day, of currencies.yaml or budgets.yaml (default: USD)",
    )
    show.add_argument("--as-of", metavar="TIME", help="as it stood then: only what was booked until that instant")
    show.add_argument("--spread", action="store_true", help="compute counts over the time that it ran, by duration_s")
    add_json(show)
    show.add_argument("--csv", action="store_true", help="comma-separated values, exact")
    show.add_argument("--parquet", action="store_true", help="a Parquet file, exact (with --out)")
    show.add_argument("--spreadsheet-safe", action="store_true", help="with --csv: no cell that a spreadsheet obeys")
    show.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to the terminal")
    add_store(show)
    add_config_dir(show, "currencies.yaml and budgets.yaml")
    show.set_defaults(run=run_show)


def run_list(args: argparse.Namespace) -> int:
    """All figures."""
    from stream_jobs.economics.figures import FIGURES
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    rows = [
        {
            "name": figure.name,
            "unit": figure.unit,
            "meaning": figure.meaning,
            "needs": figure.fact.name if figure.fact else None,
            "adds_up": figure.additive,
        }
        for figure in FIGURES.values()
    ]
    if args.json:
        say_json(rows)
        return 0
    table = Table("figure", "unit", "what it is")
    for figure in FIGURES.values():
        table.add_row(figure.name, figure.unit, figure.meaning)
    Console().print(table)
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Exit code 0, also for a time without events."""
    from stream_jobs.cli.figures_forms import columns, csv_of, document
    from stream_jobs.economics.question import ask
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    if sum((args.json, args.csv, args.parquet)) > 1:
        raise ConfigError("give one of --json, --csv and --parquet")
    if args.parquet and args.out is None:
        raise ConfigError("--parquet needs --out FILE")
    question = question_of(args)
    with StoreClient(find_clickhouse(args.url, args.data_dir)) as store:
        answer = ask(store, question)
    if args.json:
        _text(args.out, document(answer))
    elif args.csv:
        _bytes(args.out, csv_of(answer, safe=args.spreadsheet_safe))
    elif args.parquet:
        import pyarrow.parquet as pq

        sink = io.BytesIO()
        pq.write_table(columns(answer), sink)
        _bytes(args.out, sink.getvalue())
    elif args.out is not None:
        raise ConfigError("--out goes with --json, --csv or --parquet")
    else:
        _print(answer)
    for text in answer.warnings():
        complain(text)
    return 0


def question_of(args: argparse.Namespace) -> "Question":
    """What the flags ask. Raises ConfigError."""
    from stream_jobs.base.instants import time_zone, utc_now
    from stream_jobs.base.readable import clock
    from stream_jobs.currencies.rates import IN_USD, find_rate
    from stream_jobs.economics.asked import Question, first_day
    from stream_jobs.economics.dimensions import dimension, scope
    from stream_jobs.economics.question import figures_named
    from stream_jobs.series.calendar import months

    figures = figures_named(args.names)
    by = list(dict.fromkeys(dimension(name) for name in args.by))
    try:
        zone = time_zone(args.timezone)
    except ValueError as error:
        raise ConfigError(f"--timezone {args.timezone!r}: {error}") from None
    if args.month and (args.start or args.end):
        raise ConfigError("give --month, or --from and --to")
    now = utc_now()
    if args.month or not args.start:
        at = _month(args.month, zone) if args.month else local_instant(args.end, zone, "to") if args.end else now
        period = months(zone).period_at(at)
        assert period is not None
        since, until = period.start, period.end if args.month else at
    else:
        since, until = local_instant(args.start, zone, "from"), local_instant(args.end, zone, "to") if args.end else now
    if since >= until:
        raise ConfigError(f"the time is empty: it begins at {clock(since)} UTC and ends at {clock(until)} UTC")
    as_of = local_instant(args.as_of, zone, "as-of") if args.as_of else None
    question = Question(figures, since, until, by, scope(args.where), zone, as_of, args.spread)
    if args.currency == IN_USD.currency:
        return question
    return replace(question, rate=find_rate(config_dir_of(args), args.currency, first_day(question)))


def _month(text: str, zone: "ZoneInfo") -> datetime:
    from stream_jobs.series.calendar import first_instant

    try:
        return first_instant(zone, date.fromisoformat(f"{text}-01")) if len(text) == len("2026-10") else _never()
    except (ValueError, OverflowError):
        raise ConfigError(f"--month {text!r} is no month like 2026-10") from None


def _never() -> datetime:
    raise ValueError


def _text(out: Path | None, said: Any) -> None:
    from stream_jobs.base.json_values import json_text

    if out is None:
        say_json(said)
    else:
        _bytes(out, json_text(said, "utf-8").encode() + b"\n")


def _bytes(out: Path | None, content: bytes) -> None:
    if out is None:
        with data() as stream:
            stream.write(content)
        return
    out.write_bytes(content)
    say(f"written to {out}")


def _print(answer: "Answer") -> None:
    """Rounded, so that lines add up to their total; the exact amounts are in --json, --csv and --parquet."""
    from stream_jobs.base.readable import clock, exact, money
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    question = answer.question
    console = Console()
    zone = question.zone
    since, until = (clock(at.astimezone(zone)) for at in (question.since, question.until))
    table = Table(title=f"{since} to {until} {zone}")
    for name in question.by:
        table.add_column(name)
    for figure in question.figures:
        table.add_column(f"{figure.name} ({question.unit(figure)})", justify="right")
    lines = list(answer.lines if question.by else [])
    cells = [_cells(answer, number, lines) for number in range(len(question.figures))]
    for number, line in enumerate(lines[:MAX_TABLE_ROWS]):
        table.add_row(*(value or "(none)" for value in line.values), *(column[number] for column in cells))
    table.add_row(*_head_of_total(question.by), *(column[-1] for column in cells))
    console.print(table)
    if len(lines) > MAX_TABLE_ROWS:
        complain(
            f"only the first {MAX_TABLE_ROWS} of {len(lines)} lines are shown: --json, --csv and --parquet have all"
        )
    total, rate = answer.total, question.rate
    say(
        f"covers {total.events} events, {total.unpriced_events} of them without a price; "
        f"{money(total.unallocated_cost, rate.currency)} of {money(total.effective_cost, rate.currency)} is unallocated"
    )
    if rate.currency != "USD":
        say(f"1 {rate.currency} = {exact(rate.usd)} USD, the rate from {rate.valid_from} on ({rate.source})")


def _head_of_total(by: Sequence[str]) -> list[str]:
    return ["total", *[""] * (len(by) - 1)] if by else []


def _cells(answer: "Answer", number: int, lines: Sequence[Any]) -> list[str]:
    """One figure's column: its lines, then its total."""
    from decimal import Decimal

    from stream_jobs.economics.rounding import places_for, rounded

    figure = answer.question.figures[number]
    values = [line.figures[figure.name] for line in lines]
    total = answer.total.figures[figure.name]
    if figure.additive and figure.unit == "USD" and isinstance(total, Decimal) and lines:
        named = [("\0".join(line.values), Decimal(value)) for line, value in zip(lines, values, strict=True)]
        shown, whole = rounded(named, places_for(total))
        return [f"{value:,f}" for value in (*shown, whole)]
    return [_cell(value, figure.unit) for value in (*values, total)]


def _cell(value: Any, unit: str) -> str:
    from stream_jobs.base.readable import percent
    from stream_jobs.economics.rounding import places_for, rounded

    if value is None:
        return "NULL"
    if isinstance(value, int):
        return f"{value:,}"
    if unit == "share":
        return percent(value, 1)
    return f"{rounded([('', value)], places_for(value))[1]:,f}"
