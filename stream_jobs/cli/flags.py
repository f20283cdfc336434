"""Flags that several commands have, and what they mean."""

import argparse
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import folder_of
from stream_jobs.base.instants import parse_utc

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def add_json(parser: argparse.ArgumentParser, what: str = "one JSON object") -> None:
    parser.add_argument("--json", action="store_true", help=f"{what}, for machines")


def add_store(parser: argparse.ArgumentParser) -> None:
    """`--url` and `--data-dir`, for find_clickhouse."""
    parser.add_argument("--url", help="ClickHouse (default: SPENDSTREAM_CLICKHOUSE_*, or the running instance's)")
    add_data_dir(parser)


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=folder_of,
        help="the instance's data folder (default: SPENDSTREAM_DATA_DIR, or the one that runs)",
    )


def add_kafka(parser: argparse.ArgumentParser) -> None:
    """`--bootstrap`, for find_kafka."""
    parser.add_argument(
        "--bootstrap", metavar="HOST:PORT", help="Kafka (default: SPENDSTREAM_KAFKA_*, or the running instance's)"
    )


def add_config_dir(parser: argparse.ArgumentParser, files: str) -> None:
    """`--config-dir`, for config_dir_of."""
    parser.add_argument(
        "--config-dir",
        type=folder_of,
        help=f"folder with {files} (default: SPENDSTREAM_CONFIG_DIR, or the running instance's)",
    )


def instant_of(args: argparse.Namespace, name: str) -> datetime | None:
    """What `--name` says, in UTC; None where it is not given. Raises ConfigError."""
    text = getattr(args, name)
    if not text:
        return None
    try:
        return parse_utc(text)
    except ValueError:
        raise ConfigError(f"--{name} {text!r} is not a timestamp like 2026-01-31T08:00") from None


def local_instant(text: str, zone: "ZoneInfo", flag: str) -> datetime:
    """What `--flag` says, in UTC. A date is its first instant in the zone; a time without an offset is that zone's.
    Raises ConfigError."""
    from spendstream_schemas.types import INSTANTS
    from stream_jobs.base.instants import as_utc
    from stream_jobs.series.calendar import first_instant

    try:
        if len(text) == len("2026-10-01"):
            at = first_instant(zone, date.fromisoformat(text))
        else:
            said = datetime.fromisoformat(text)
            at = as_utc(said if said.tzinfo else said.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        raise ConfigError(f"--{flag} {text!r} is no time like 2026-10-01 or 2026-10-01T12:00") from None
    if not INSTANTS[0] <= at <= INSTANTS[1] - timedelta(days=1):
        raise ConfigError(f"--{flag} {text!r} is out of range")
    return at
