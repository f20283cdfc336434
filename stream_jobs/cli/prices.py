"""`spendstream prices check|show|import`: lint the price files, look a price up, import GPU catalogues."""

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_jobs.base.instants import utc_now
from stream_jobs.base.readable import instant
from stream_jobs.cli.checking import Usable, report
from stream_jobs.cli.config_dir import config_dir_of
from stream_jobs.cli.flags import add_config_dir, add_json, instant_of
from stream_jobs.output.lines import complain, say, say_json, say_text

if TYPE_CHECKING:
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.pricing.lookup import Found

_FORMATS = ("gpuhunt", "skypilot")


def add_parser(subparsers: Any) -> None:
    """Add `prices` and its subcommands."""
    parser = subparsers.add_parser(
        "prices",
        help="check the price files, or look up what a model cost on a day",
        description="Base prices come from genai-prices; above them stand corrections/, rate_cards/ and overlays/.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="report everything that is wrong with the price files")
    check.set_defaults(run=run_check)
    show = actions.add_parser("show", help="what a model costs at an instant, in every tier that has a price")
    show.add_argument("model", metavar="MODEL", help="a model id as services report it, or an accelerator")
    show.add_argument("--at", metavar="DATE", help="a date or an ISO timestamp (default: now)")
    show.add_argument("--provider", metavar="P", help="only this provider (default: all that know the id)")
    show.set_defaults(run=run_show)
    export = actions.add_parser(
        "export",
        help="what models cost, as a list that services' guards read (JSON on stdout)",
        description="Contracted prices of standard text requests at an instant, for Guard.cheapest_capable; with "
        "--tasks also which models do which type of task, and then of those models only.",
    )
    export.add_argument("--at", metavar="DATE", help="a date or an ISO timestamp (default: now)")
    export.add_argument(
        "--provider", metavar="P", action="append", default=[], help="only of this one; may be repeated"
    )
    export.add_argument("--tasks", metavar="FILE", type=Path, help="tasks and their models (YAML)")
    export.set_defaults(run=run_export)
    add_config_dir(export, "price files")
    for action in (check, show):
        add_config_dir(action, "price files")
        add_json(action)
    load = actions.add_parser("import", help="turn a GPU price catalogue (CSV) into a rate card (YAML on stdout)")
    load.add_argument("file", metavar="FILE", type=Path)
    load.add_argument("--format", required=True, choices=_FORMATS, help="where the CSV comes from")
    load.add_argument("--provider", required=True, metavar="P", help="whose prices they are (aws, gcp, lambda, ...)")
    load.add_argument("--source", metavar="URL", help="where the catalogue was taken from (default: the file's name)")
    load.add_argument("--checked", type=date.fromisoformat, help="the day of the prices (default: today)")
    load.set_defaults(run=run_import)


def run_check(args: argparse.Namespace) -> int:
    """See `report`."""
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.pricing.lint import warnings

    def check() -> Usable:
        folder = config_dir_of(args)
        book = PriceBook.load(folder)
        about = book.describe()
        valid = (
            f"price book {about['version']} is valid: {about['models']} models of {about['providers']} providers "
            f"(genai-prices {about['genai_prices']}), {about['corrections']} corrections, "
            f"{about['rate_cards']['accelerators']} accelerators, {about['rate_cards']['skus']} SKUs, "
            f"{about['overlays']} overlays"
        )
        return Usable(valid, warnings(folder, book, datetime.now(UTC).date()), facts={"price_book": about})

    return report(args, check, {"price_book": None})


def run_show(args: argparse.Namespace) -> int:
    """Exit code 0 when a price was found, 1 when not."""
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.pricing.lookup import look_up

    book = PriceBook.load(config_dir_of(args))
    at = instant_of(args, "at") or utc_now()
    found = look_up(book, args.model, at, args.provider)
    advice = "" if found else _advice(book, args.model, args.provider)
    if args.json:
        models = [item.json() for item in found]
        say_json({"at": at, "price_book_version": book.version, "models": models, "advice": advice or None})
    else:
        for item in found:
            _print(item, at)
        if not found:
            say(f"no provider{' ' + args.provider if args.provider else ''} has a model {args.model!r}")
            if advice:
                say(f"  {advice}")
    return 0 if any(item.rows for item in found) else 1


def run_export(args: argparse.Namespace) -> int:
    """Print the list. Exit code 1 when a model of a task has no price: it is named on stderr."""
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.pricing.export import TasksFile, price_list, unlisted
    from stream_jobs.pricing.yaml_models import load_model

    book = PriceBook.load(config_dir_of(args))
    tasks = None if args.tasks is None else load_model(TasksFile, args.tasks)
    document = price_list(book, instant_of(args, "at") or utc_now(), args.provider, tasks)
    say_json(document)
    missing = unlisted(document)
    for name in missing:
        complain(f"{name}: has no price for text in the price book")
    return 1 if missing else 0


def _advice(book: "PriceBook", model: str, provider: str | None) -> str:
    """What the unknown name may be, and where to say so."""
    from stream_jobs.pricing.nearest import nearest_models, nearest_providers

    known = None if provider is None else book.catalog.provider(provider)
    if provider is not None and known is None:
        return nearest_providers(book, provider).advice(provider, model) or book.providers.unknown(provider)
    return nearest_models(book, model, known).advice(known or "", model)


def run_import(args: argparse.Namespace) -> int:
    """Print the rate card. Raises ConfigError naming every line of the CSV that cannot be read."""
    from stream_jobs.pricing.importers import rate_card, read_catalog

    offers = read_catalog(args.file, args.format)
    checked = args.checked or datetime.now(UTC).date()
    say_text(rate_card(offers, args.provider, args.source or args.file.name, checked))
    return 0


def _print(item: "Found", at: datetime) -> None:
    """One row per condition, one column per price key: what a person compares."""
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    console = Console()
    keys = list(dict.fromkeys(row.price_key for row in item.rows))
    prices: dict[str, dict[str, str]] = {}
    for row in item.rows:
        prices.setdefault(row.conditions, {})[row.price_key] = row.usd
    table = Table(title=f"{item.name} at {instant(at)} UTC, list USD")
    table.add_column("conditions")
    for key in keys:
        per = next(row.per for row in item.rows if row.price_key == key)
        table.add_column(f"{key.rsplit('_', 1)[0].replace('_', ' ')} per {per}", justify="right")
    for conditions, values in prices.items():
        table.add_row(conditions, *(values.get(key, "") for key in keys))
    if item.rows:
        console.print(table)
    for text in item.unpriced:
        console.print(f"  {text}")
