"""A CSV file as cells: whatever is in it, each row is used, or refused by its line."""

import csv
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import open_file, printable
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.explain.amounts import pico
from stream_jobs.explain.model import Cells
from stream_jobs.explain.table import AFTER, BEFORE, COST, amount_columns, cells

if TYPE_CHECKING:
    from _csv import Reader

MAX_BYTES: Final = 1024**3
MAX_ROWS: Final = 5_000_000
MAX_LINE_BYTES: Final = 1024 * 1024
MAX_PROBLEMS: Final = 20
MAX_VALUE_CHARS: Final = 1_000
_MAX_SHOWN: Final = 40
_MAX_HEADER_SHOWN: Final = 500
NULL: Final = r"\N"
"""As databases write that there is none: '' and 0, as in a table."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_MAX_NUMBER_CHARS: Final = 400
_LESS: Final = "add up rows of the same values first, or leave out dimensions"
_SEPARATORS: Final = (",", ";", "\t")
_SIGNED: Final = (f"{COST}{BEFORE}", f"{COST}{AFTER}")


def read_cells(path: Path) -> Cells:
    """Raises ConfigError, each problem as `file:line: what is wrong`."""
    name = printable(str(path))
    with open_file(path) as stream:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{name}: is larger than {MAX_BYTES:,} bytes: {_LESS}")
        separator = _separator(stream)
        rows = csv.reader(_lines(name, stream), strict=True, delimiter=separator)
        return _Reading(name, rows, decimal_comma=separator == ";").cells()


def _separator(stream: BinaryIO) -> str:
    """What the first line has most of."""
    line = stream.readline(MAX_LINE_BYTES)
    stream.seek(0)
    return max(_SEPARATORS, key=lambda separator: line.count(separator.encode()))


def _lines(name: str, stream: BinaryIO) -> Iterator[str]:
    """With their ends: a quoted value may hold one."""
    for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 1), b""), 1):
        if len(line) > MAX_LINE_BYTES:
            raise ConfigError(f"{name}:{number}: is longer than {MAX_LINE_BYTES:,} bytes; is it a CSV file?")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name}:{number}: is not UTF-8: {error.reason} at byte {error.start + 1}") from None


class _Reading:
    """One pass over a file: codes of the values of each dimension, and amounts in units of 1e-12."""

    def __init__(self, name: str, rows: "Reader", *, decimal_comma: bool) -> None:
        self._name = name
        self._decimal_comma = decimal_comma
        self._rows = rows
        self._problems: list[str] = []
        self._more = 0
        self._values: dict[str, dict[str, int]] = {}
        self._codes: dict[str, list[int]] = {}
        self._amounts: dict[str, list[int]] = {}

    def cells(self) -> Cells:
        """Raises ConfigError."""
        header = self._header()
        count = 0
        while (row := self._next()) is not None:
            if not row:
                continue  # an empty line
            count += 1
            if count > MAX_ROWS:
                raise ConfigError(f"{self._name}: has more than {MAX_ROWS:,} rows: {_LESS}")
            if len(row) != len(header):
                self._problem(f"has {len(row)} values, and the header {len(header)}")
            else:
                self._take(header, row)
        if self._more:
            self._problems.append(f"{self._name}: {self._more:,} more problems")
        if self._problems:
            raise ConfigError(self._problems)
        if not count:
            raise ConfigError(f"{self._name}: has no row below its header")
        coded = {
            column: (list(values), np.array(self._codes[column], np.int64)) for column, values in self._values.items()
        }
        return cells(coded, self._amounts)

    def _header(self) -> list[str]:
        header = [_name(text.strip()) for text in self._next() or ()]
        if not header:
            raise ConfigError(f"{self._name}: is empty: the first line names the columns")
        try:
            dimensions, _ = amount_columns(header)
        except ValueError as error:
            found = ", ".join(header)[:_MAX_HEADER_SHOWN]
            raise ConfigError(f"{self._name}:1: {printable(f'{error}; its columns are: {found}')}") from None
        self._values = {column: {} for column in dimensions}
        self._codes = {column: [] for column in dimensions}
        self._amounts = {column: [] for column in header if column not in self._values}
        return header

    def _take(self, header: Sequence[str], row: Sequence[str]) -> None:
        for column, text in zip(header, row, strict=True):
            if column in self._amounts:
                self._amounts[column].append(self._amount(column, text))
                continue
            if len(text) > MAX_VALUE_CHARS:
                self._problem(f"{column}: has more than {MAX_VALUE_CHARS:,} characters")
            known = self._values[column]
            self._codes[column].append(known.setdefault("" if text == NULL else text, len(known)))

    def _next(self) -> Sequence[str] | None:
        try:
            return next(self._rows, None)
        except csv.Error as error:
            raise ConfigError([*self._problems, f"{self._name}:{self._rows.line_num}: is no CSV: {error}"]) from None

    def _amount(self, column: str, text: str) -> int:
        if text == NULL:
            return 0
        try:
            return _amount(text, signed=column in _SIGNED, decimal_comma=self._decimal_comma)
        except ValueError as error:
            self._problem(f"{column}: {error}")
            return 0

    def _problem(self, text: str) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(f"{self._name}:{self._rows.line_num}: {text}")
        else:
            self._more += 1


def _name(text: str) -> str:
    """Of a column: amounts are known in capitals, too."""
    return text.lower() if text.lower().endswith((BEFORE, AFTER)) else text


def _amount(text: str, *, signed: bool, decimal_comma: bool) -> int:
    """In units of 1e-12. Raises ValueError."""
    if text.isdecimal() and text.isascii() and len(text) <= 18:
        return int(text) * PICO_PER_USD
    text = text.strip()
    if not text:
        raise ValueError("is empty: write 0 where there was nothing")
    number = text.replace(",", ".") if decimal_comma else text
    if len(text) > _MAX_NUMBER_CHARS or not _NUMBER.fullmatch(number):
        shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
        raise ValueError(f"{shown!r} is no number like 12.5")
    amount = pico(Decimal(number))
    if amount < 0 and not signed:
        raise ValueError("is below zero: only a cost may be")
    return amount
