"""`spendstream reattribute`: apply the attribution rules to the ledger's history, as adjustments."""

import argparse
from typing import TYPE_CHECKING

from stream_jobs.cli import corrections_common as common
from stream_jobs.cli.config_dir import config_dir_of

if TYPE_CHECKING:
    from stream_jobs.repricing.run import Corrector
    from stream_jobs.store.client import StoreClient


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "reattribute",
        help="apply the attribution rules to history and post the moves",
        description="Applies the rules of attribution.yaml that are loaded now to what is booked, starting from what "
        "the senders said. An event whose tags or category change is taken back where it stands and booked where it "
        "belongs; totals and the number of events stay the same. Costs are not changed: see 'spendstream reprice'. "
        "Look first: --dry-run. An interrupted --apply goes on when it is called again.",
        epilog="example: spendstream reattribute --since 2026-11-01 --dry-run",
    )
    common.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 done; 1 done, but some events were left as they are; raises ConfigError."""
    return common.run(args, "reattribute", _corrector)


def _corrector(store: "StoreClient", args: argparse.Namespace) -> "Corrector":
    from stream_jobs.attribution.rules import AttributionRules
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.repricing.run import Corrector, Versions

    config_dir = config_dir_of(args)
    rules = AttributionRules.load(config_dir)
    if args.apply and args.config_dir is None:
        common.refuse_another_version(store, "attribution_versions", rules.version)
    return Corrector(store, Versions(PriceBook.load(config_dir), rules), common.progress(args))
