"""The Azure LLM inference traces: CSV with TIMESTAMP, ContextTokens, GeneratedTokens.

Source: https://github.com/Azure/AzurePublicDataset. Times carry no zone and are taken as UTC; their seventh
fractional digit (100 ns) is below the contract's microseconds and is cut off.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from spendstream_traffic.replay.rows import BadRow, Row, csv_rows, whole_number
from stream_jobs.base.instants import parse_utc

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def read_azure(path: Path) -> Iterator[Row | BadRow]:
    """One row per request, in the file's order. Raises ConfigError when the file has other columns."""
    for item in csv_rows(path, COLUMNS):
        if isinstance(item, BadRow):
            yield item
            continue
        line, record = item
        try:
            usage = {
                "kind": "tokens",
                "input_tokens": whole_number(record["ContextTokens"], "ContextTokens"),
                "output_tokens": whole_number(record["GeneratedTokens"], "GeneratedTokens"),
            }
            occurred_at = azure_time(record["TIMESTAMP"])
        except ValueError as error:
            yield BadRow(line, str(error))
            continue
        yield Row(line, {"occurred_at": occurred_at, "usage": usage})


def azure_time(text: str) -> datetime:
    """'2023-11-16 18:15:46.6805900' as an instant in UTC."""
    try:
        return parse_utc(text.strip())
    except ValueError:
        raise ValueError(f"TIMESTAMP is not a time: {text[:40]!r}") from None
