"""The command line options that describe an embedded instance."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stream_jobs.embedded.brokers import TANSU

if TYPE_CHECKING:
    from stream_jobs.embedded.supervisor import Embedded

DEFAULT_DATA_DIR = Path(".spendstream")


def add_instance_options(
    parser: argparse.ArgumentParser, *, default_port: int | None = None, default_data_dir: Path = DEFAULT_DATA_DIR
) -> None:
    """With `default_port` (0: any free one) all ports default to it."""
    parser.add_argument(
        "--data-dir", type=Path, default=default_data_dir, help="where the ledger is kept (default: %(default)s)"
    )
    for option, port in (("--kafka-port", 9092), ("--clickhouse-port", 8123), ("--http-port", 8321)):
        parser.add_argument(
            option,
            type=int,
            default=port if default_port is None else default_port,
            metavar="N",
            help="0 picks a free one (default: %(default)s)",
        )
    parser.add_argument(
        "--config-dir",
        type=Path,
        help="folder with attribution.yaml, overlays/, rate_cards/ (default: config/ in the data folder, if any)",
    )


def embedded_from(args: argparse.Namespace, broker: str = TANSU) -> "Embedded":
    """An instance, not started; `broker` is one of BROKERS."""
    from stream_jobs.embedded.supervisor import Embedded, Ports

    ports = Ports(kafka=args.kafka_port, clickhouse=args.clickhouse_port, http=args.http_port)
    return Embedded(args.data_dir, ports, args.config_dir, broker=broker)
