"""`spendstream query`: ask the ledger in SQL."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from stream_jobs.cli.flags import add_json, add_store
from stream_jobs.output.lines import complain, data, json_data
from stream_jobs.output.spreadsheet import SpreadsheetSafe, refuse_others

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MAX_TABLE_ROWS: Final = 1000
_NUMBERS: Final = ("Decimal", "Int", "UInt", "Float")
_SYNTAX_ERROR: Final = 62
_NAMES: Final = ("word", "identifier")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "query",
        help="ask the ledger in SQL",
        description=(
            "Runs one SQL statement and prints the answer as a table. Tables: ledger, cost_1m, cost_1h, cost_1d, "
            "operations_1d, quarantine, ...; views: cost_by_team, cost_by_model, unpriced_usage, ... Try: "
            "spendstream query 'SELECT team, sum(effective_cost) FROM operations_1d GROUP BY team'"
        ),
    )
    parser.add_argument("sql", nargs="?", help="the statement; - reads it from stdin")
    parser.add_argument("--name", help="a named query instead; an unknown name lists them all")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="value of a {NAME:Type} placeholder"
    )
    add_json(parser, "one JSON object per row")
    parser.add_argument(
        "--format",
        type=_with_header,
        help="a ClickHouse output format (CSV, Parquet, ...), passed through as it is; CSV and TSV have a header",
    )
    parser.add_argument(
        "--spreadsheet-safe",
        action="store_true",
        help="with --format CSV or TSV (and the like): put a quote before cells that a spreadsheet takes for formulas",
    )
    add_store(parser)
    parser.set_defaults(run=run)


def _with_header(name: str) -> str:
    """A table that leaves the house says what its columns are; ClickHouse's own `CSV` has none."""
    return f"{name}WithNames" if name in ("CSV", "TSV", "TabSeparated") else name


def run(args: argparse.Namespace) -> int:
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import connect, store_errors

    sql = _statement(args)
    parameters = _parameters(args.param)
    if args.spreadsheet_safe:
        refuse_others(args.format, sql)
    settings = find_clickhouse(args.url, args.data_dir)
    if args.json or args.format:
        options = {
            "date_time_output_format": "iso",  # as base/json_values has instants
            "output_format_json_quote_decimals": 1,
            "output_format_json_quote_64bit_integers": 0,
            "output_format_json_quote_denormals": 1,
        }
        with connect(settings) as client, _one_format(sql), store_errors(settings.address):
            stream = client.raw_stream(
                sql, parameters, fmt=args.format or "JSONEachRow", settings=options if args.json else None
            )
            with json_data() if args.json else data() as out:
                safe = SpreadsheetSafe(out, args.format) if args.spreadsheet_safe else None
                for piece in _pieces(stream):
                    (safe or out).write(piece)
                if safe is not None:
                    safe.finish()
        return 0
    with connect(settings) as client, _one_format(sql), store_errors(settings.address):
        result = client.query(sql, parameters, settings={"max_block_size": MAX_TABLE_ROWS + 1})
        names, types = list(result.column_names), [kind.name for kind in result.column_types]
        if not names:
            names, types = _columns(client, sql, parameters)
        with result.rows_stream as rows:
            print_table(names, types, rows)
    return 0


def _columns(client: "Client", sql: str, parameters: dict[str, str]) -> tuple[list[str], list[str]]:
    """Names and types of a query's columns, which do not come with an empty answer; none of another statement."""
    from stream_jobs.store.sql_text import tokens

    if not next(tokens(sql)).is_word("SELECT", "WITH"):
        return [], []
    rows = client.query(f"DESCRIBE TABLE ({sql}\n)", parameters).result_rows
    return [str(row[0]) for row in rows], [str(row[1]) for row in rows]


@contextmanager
def _one_format(sql: str) -> Iterator[None]:
    """A statement may not name a format, since the command names one: says what to do. Raises ConfigError."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.store.client import StoreQueryError
    from stream_jobs.store.sql_text import tokens

    try:
        yield
    except StoreQueryError as error:
        found = list(tokens(sql)) if error.code == _SYNTAX_ERROR else []
        named = [two.value for one, two in pairwise(found) if one.is_word("FORMAT") and two.kind in _NAMES]
        if not named:
            raise
        raise ConfigError(
            f"a statement cannot name its format here: leave FORMAT {named[-1]} out, and give --format {named[-1]} "
            "(or --json)"
        ) from error


def _statement(args: argparse.Namespace) -> str:
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.store.queries import named_query
    from stream_jobs.store.sql_text import SqlTextError, split_statements

    if (args.sql is None) == (args.name is None):
        raise ConfigError("give one SQL statement or --name NAME")
    if args.json and args.format:
        raise ConfigError("give --json or --format, not both")
    if args.name is not None:
        return named_query(args.name).sql
    text = sys.stdin.read() if args.sql == "-" else args.sql
    try:
        statements = split_statements(text)
    except SqlTextError as error:
        raise ConfigError(f"the statement cannot be read: {error}") from None
    if len(statements) != 1:
        raise ConfigError("the statement is empty" if not statements else "give one statement at a time")
    return statements[0]


def _parameters(given: list[str]) -> dict[str, str]:
    from stream_jobs.base.errors import ConfigError

    parameters = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--param {text}: must look like name=value")
        parameters[name] = value
    return parameters


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(1 << 20):
        yield piece


def print_table(names: list[str], types: list[str], rows: Iterable[Any]) -> None:
    """A table on stdout, at most MAX_TABLE_ROWS rows of it. Numbers stand to the right, Decimals in full."""
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    table = Table(header_style="bold", exact=True)
    for name, kind in zip(names, types, strict=True):
        is_number = kind.removeprefix("Nullable(").startswith(_NUMBERS)
        table.add_column(name, justify="right" if is_number else "left")
    truncated = False
    for number, row in enumerate(rows):
        if number == MAX_TABLE_ROWS:
            truncated = True
            break
        table.add_row(*(_cell(value) for value in row))
    Console().print(table)
    if truncated:
        complain(f"only the first {MAX_TABLE_ROWS} rows are shown; add LIMIT, or use --json for all")


def _cell(value: Any) -> Any:
    from decimal import Decimal

    from rich.text import Text

    from stream_jobs.base.readable import exact

    if value is None:
        return Text("NULL", style="dim")
    if isinstance(value, Decimal):
        return Text(exact(value))
    if isinstance(value, bytes):
        return Text(value.decode("utf-8", errors="backslashreplace"))
    return Text(str(value))
