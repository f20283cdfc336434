"""The command line options that describe an embedded instance."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stream_jobs.base.files import folder_of
from stream_jobs.embedded.brokers import TANSU
from stream_jobs.embedded.datadir import DATA_DIR_VARIABLE, usual_data_dir
from stream_jobs.runtime.ports import CLICKHOUSE_PORT, HTTP_PORT, KAFKA_PORT

if TYPE_CHECKING:
    from stream_jobs.embedded.supervisor import Embedded


def add_instance_options(
    parser: argparse.ArgumentParser, *, default_port: int | None = None, default_data_dir: Path | None = None
) -> None:
    """With `default_port` (0: any free one) all ports default to it, else to the usual ones."""
    parser.add_argument(
        "--data-dir",
        type=folder_of,
        default=default_data_dir or usual_data_dir(),
        help="where the ledger is kept (default: "
        + ("%(default)s)" if default_data_dir else f"{DATA_DIR_VARIABLE}, else %(default)s)"),
    )
    for option, port in (
        ("--kafka-port", KAFKA_PORT),
        ("--clickhouse-port", CLICKHOUSE_PORT),
        ("--http-port", HTTP_PORT),
    ):
        unless_taken = f"{port}, or a free one if that is taken" if default_port is None else "%(default)s"
        parser.add_argument(
            option, type=int, default=default_port, metavar="N", help=f"0 picks a free one (default: {unless_taken})"
        )
    parser.add_argument(
        "--config-dir",
        type=folder_of,
        help="folder with attribution.yaml, budgets.yaml, overlays/, rate_cards/ and the like (default: "
        + ("" if default_data_dir else "SPENDSTREAM_CONFIG_DIR, else ")
        + "config/ in the data folder, if any)",
    )


def embedded_from(args: argparse.Namespace, broker: str = TANSU) -> "Embedded":
    """An instance, not started; `broker` is one of BROKERS."""
    from stream_jobs.embedded.supervisor import Embedded, Ports

    ports = Ports(kafka=args.kafka_port, clickhouse=args.clickhouse_port, http=args.http_port)
    return Embedded(args.data_dir, ports, args.config_dir, broker=broker)
