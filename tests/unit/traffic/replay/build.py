"""Helpers of the tests around replay."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from spendstream_traffic.replay.rows import BadRow, Row


def write(path: Path, lines: Sequence[str | bytes]) -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return path


def good(items: Iterable[Row | BadRow]) -> list[Row]:
    """All of them are rows."""
    rows = []
    for item in items:
        assert isinstance(item, Row), str(item)
        rows.append(item)
    return rows


def split(items: Iterable[Row | BadRow]) -> tuple[list[Row], list[BadRow]]:
    rows: list[Row] = []
    bad: list[BadRow] = []
    for item in items:
        if isinstance(item, BadRow):
            bad.append(item)
        else:
            rows.append(item)
    return rows, bad
