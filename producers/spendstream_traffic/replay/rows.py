"""Lines of a file, what a reader makes of them, and what it says about the ones it cannot read."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import open_file

MAX_LINE_BYTES: Final = 1024 * 1024
RELATIVE_ZERO: Final = datetime(2026, 6, 1, tzinfo=UTC)
"""Where time zero of a trace with relative times lies, unless the caller says otherwise. A Monday."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event to be, read from `line` (1-based): the parts of a UsageEvent that the file knows.

    `payload` may lack everything that is the same for the whole run (source, provider, model, ...). A line that
    stands for several events numbers them with `part` from 0.
    """

    line: int
    payload: dict[str, Any]
    part: int | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot become an event, and why."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


class _LineTooLongError(ValueError):
    def __init__(self, number: int) -> None:
        super().__init__(f"is longer than {MAX_LINE_BYTES} bytes")
        self.number = number


class Lines:
    """The lines of a binary stream as text, one at a time and of bounded size, with the number of the last one.

    Bytes that are not UTF-8 become lone surrogates, which the contract refuses later, field by field. A line above
    the bound is skipped and raises once; iteration goes on after it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.number = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        raw = self._stream.readline(MAX_LINE_BYTES + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        if len(raw) > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = self._stream.readline(MAX_LINE_BYTES)
            raise _LineTooLongError(self.number)
        if self.number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        return raw.decode("utf-8", errors="surrogateescape")


def open_log(path: Path) -> BinaryIO:
    """Raises ConfigError when it is no file: it is read twice, once for the ids of its events."""
    return open_file(path)


def text_lines(path: Path) -> Iterator[tuple[int, str] | BadRow]:
    """Every line that is not blank, with its number."""
    with open_log(path) as stream:
        lines = Lines(stream)
        while True:
            try:
                text = next(lines)
            except StopIteration:
                return
            except _LineTooLongError as error:
                yield BadRow(error.number, str(error))
                continue
            if text.strip():
                yield lines.number, text


def csv_rows(
    path: Path, required: Sequence[str], delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]] | BadRow]:
    """The records of a CSV file with a header line, as column -> text; the number is that of a record's last line.

    Raises ConfigError when the header lacks a required column: then the file is of another kind, and no row of it
    can be read.
    """
    with open_log(path) as stream:
        lines = Lines(stream)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            try:
                record = next(reader)
            except StopIteration:
                if header is None:
                    raise ConfigError(f"{path}: is empty; expected a header with {', '.join(required)}") from None
                return
            except (_LineTooLongError, csv.Error) as error:
                if header is None:
                    raise ConfigError(f"{path}: line {lines.number}: no CSV header: {error}") from None
                yield BadRow(lines.number, str(error))
                continue
            if not record:
                continue
            if header is None:
                header = [name.strip() for name in record]
                check_columns(path, header, required)
            elif len(record) != len(header):
                yield BadRow(lines.number, f"has {len(record)} columns, the header has {len(header)}")
            else:
                yield lines.number, dict(zip(header, record, strict=True))


def check_columns(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    """Raises ConfigError that names the missing columns and those that are there."""
    times = Counter(header)
    missing = [name for name in required if name not in times]
    if missing:
        found = ", ".join(header)[:300]
        raise ConfigError(f"{path}: has no column {', '.join(missing)}; its header is: {found}")
    twice = sorted(name for name, count in times.items() if count > 1)
    if twice:
        raise ConfigError(f"{path}: the header names {', '.join(twice)[:300]} twice")


def json_record(text: str) -> dict[str, Any]:
    """The object of one line, with exact numbers. Raises ValueError that says what it is instead."""
    try:
        record = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("is not a JSON object")
    return record


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def shown(value: object) -> str:
    """A value as messages quote it. Lists and objects are named only: they may be nested to the end of the stack."""
    if isinstance(value, (dict, list)):
        return "a JSON object" if isinstance(value, dict) else "a JSON array"
    return repr(str(value) if isinstance(value, Decimal) else value)[:40]


def whole_number(text: str, name: str) -> int:
    """A count from text such as '374' or '374.0'. Raises ValueError that names the column."""
    try:
        value = int(text)
    except ValueError:
        digits, _, zeros = text.strip().partition(".")
        if not zeros or zeros.strip("0") or not digits.isdecimal():
            raise ValueError(f"{name} is not a whole number: {text[:40]!r}") from None
        value = int(digits)
    if value < 0:
        raise ValueError(f"{name} is negative: {value}")
    return value


def instant(zero: datetime, microseconds: int, name: str) -> datetime:
    """`zero` plus so many microseconds. Raises ValueError that names the column when that is no date."""
    try:
        return zero + timedelta(microseconds=microseconds)
    except OverflowError:
        raise ValueError(f"{name} is out of range") from None
