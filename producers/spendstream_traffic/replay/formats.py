"""The formats a file can be replayed from."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from spendstream_traffic.replay.mapping import Mapping
from spendstream_traffic.replay.readers.azure import read_azure
from spendstream_traffic.replay.readers.mapped import read_csv, read_jsonl
from spendstream_traffic.replay.readers.mooncake import read_mooncake
from spendstream_traffic.replay.readers.servegen import read_servegen
from spendstream_traffic.replay.rows import RELATIVE_ZERO, BadRow, Row
from stream_jobs.base.errors import ConfigError

FORMATS = ("azure", "mooncake", "servegen", "csv", "jsonl")
RELATIVE_FORMATS = frozenset({"mooncake", "servegen"})
"""Their times count from the start of the trace, so a start instant is their time zero."""
MAPPED_FORMATS = frozenset({"csv", "jsonl"})


@dataclass(frozen=True)
class ReadOptions:
    """What a reader needs beside the file."""

    start: datetime | None = None
    cache_writes: bool = False
    mapping: Mapping | None = None


def rows_of(path: Path, file_format: str, options: ReadOptions) -> Iterator[Row | BadRow]:
    """The rows of a file, as a stream. Raises ConfigError when the options do not fit the format."""
    if file_format in MAPPED_FORMATS:
        if options.mapping is None:
            raise ConfigError(
                f"--format {file_format} needs --mapping FILE.yaml or --map FIELD=COLUMN, to say which column is what"
            )
        return (read_csv if file_format == "csv" else read_jsonl)(path, options.mapping)
    if options.mapping is not None:
        raise ConfigError(f"--mapping and --map go with --format csv or jsonl, not with {file_format}")
    if file_format == "azure":
        return read_azure(path)
    zero = options.start or RELATIVE_ZERO
    if file_format == "mooncake":
        return read_mooncake(path, zero=zero, cache_writes=options.cache_writes)
    if file_format == "servegen":
        return read_servegen(path, zero=zero)
    raise ConfigError(f"unknown format {file_format!r}; use one of {', '.join(FORMATS)}")
