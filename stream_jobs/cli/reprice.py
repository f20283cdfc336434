"""`spendstream reprice`: price the ledger's history again, as signed adjustments."""

import argparse
from typing import TYPE_CHECKING

from stream_jobs.cli import corrections_common as common
from stream_jobs.cli.config_dir import config_dir_of

if TYPE_CHECKING:
    from stream_jobs.repricing.run import Corrector
    from stream_jobs.repricing.selection import Kind
    from stream_jobs.store.client import StoreClient


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "reprice",
        help="price history again and post the differences",
        description="Prices what is booked again, each event at its own instant, with the price files that are loaded "
        "now, and posts the signed differences as adjustments. Nothing that is booked is changed. Look first: "
        "--dry-run shows the difference by model and team. An interrupted --apply goes on when it is called again.",
        epilog="example: spendstream reprice --since 2026-11-01 --model 'gpt-4o*' --dry-run",
    )
    common.add_arguments(parser)
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="only these models; * stands for anything"
    )
    parser.add_argument("--provider", action="append", default=[], metavar="NAME", help="only these providers")
    parser.add_argument("--unpriced", action="store_true", help="only events without a price")
    parser.add_argument(
        "--unprice",
        action="store_true",
        help="also take the price away from events that the loaded price files have none for (default: they keep it)",
    )
    parser.add_argument("--book", metavar="VERSION", help="a price book that was in use before, by its version")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 done; 1 done, but some events were left as they are; raises ConfigError."""
    from stream_jobs.base.errors import ConfigError

    if args.unpriced and args.unprice:
        raise ConfigError("--unpriced looks only at events without a price; --unprice takes prices away")
    if args.since is None and args.unpriced:
        args.since = common.BEGINNING
    kind: Kind = "unpriced" if args.unpriced else "reprice"
    return common.run(args, kind, _corrector, models=args.model, providers=args.provider, unprice=args.unprice)


def _corrector(store: "StoreClient", args: argparse.Namespace) -> "Corrector":
    from stream_jobs.attribution.rules import AttributionRules
    from stream_jobs.ledger.versions import recorded_book
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.repricing.run import Corrector, Versions

    config_dir = config_dir_of(args)
    book = recorded_book(store, args.book) if args.book else PriceBook.load(config_dir)
    if args.apply and args.book is None and args.config_dir is None:
        common.refuse_another_version(store, "price_book_versions", book.version)
    return Corrector(store, Versions(book, AttributionRules.load(config_dir)), common.progress(args))
