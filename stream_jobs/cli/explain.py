"""`spendstream explain`: why a cost moved, by factor and by the values of attribution that explain it."""

import argparse
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_jobs.cli.flags import add_json
from stream_jobs.output.lines import say, say_json

if TYPE_CHECKING:
    from stream_jobs.explain import Explanation


def add_parser(subparsers: Any) -> None:
    """Add `explain`."""
    parser = subparsers.add_parser(
        "explain",
        help="why a cost moved: by factor, and by the values that explain it",
        description=(
            "Compares costs before (or expected) and after, cell by cell: which factor moved (volume, mix, tokens per "
            "request, cache, price), and the smallest sets of values that explain it."
        ),
    )
    parser.add_argument(
        "--table",
        type=Path,
        required=True,
        metavar="FILE",
        help=(
            "CSV: any columns of values such as model and team, requests_before, cost_before, requests_after, "
            "cost_after, and perhaps input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, each _before "
            "and _after; rows of the same values add up"
        ),
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0, also where nothing stands out. Raises ConfigError for a file that cannot be used."""
    from stream_jobs.base.no_pandas import arrow_without_pandas
    from stream_jobs.explain import explain
    from stream_jobs.explain.csv_file import read_cells

    arrow_without_pandas()
    explanation = explain(read_cells(args.table))
    if args.json:
        say_json(explanation)
    else:
        _print(explanation)
    return 0


def _print(explanation: "Explanation") -> None:
    from stream_jobs.base.readable import money
    from stream_jobs.explain.sentences import WORDS, name_of, sentences
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    console = Console()
    before, after, excess = (money(amount) for amount in (explanation.before, explanation.after, explanation.excess))
    say(f"{before} before, {after} after: {excess}")
    for sentence in sentences(explanation):
        say(f"- {sentence}")
    table = Table("what", "before", "after", "difference", *WORDS.values(), title="By factor, USD")
    for column in table.columns[1:]:
        column.justify = "right"
    lines: list[tuple[str, Decimal, Decimal, Decimal, Mapping[Any, Decimal]]] = [
        (name_of(one.values), one.before, one.after, one.excess, one.factors) for one in explanation.sets
    ]
    lines.append(("everything", explanation.before, explanation.after, explanation.excess, explanation.decomposition))
    for name, was, now, difference, factors in lines:
        cells = [money(factors[factor]) if factor in factors else "" for factor in WORDS]
        table.add_row(name, money(was), money(now), money(difference), *cells)
    console.print(table)
