"""The first line of a CSV file: how it is separated, which of its columns are meant, and what is missing."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Literal

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import printable

Mode = Literal["cost", "gauge"]
MAX_HEADER_BYTES: Final = 64 * 1024
_SEPARATORS: Final = (",", ";", "\t")
_BOMS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "a gzip archive", b"PK": "a zip archive"}
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_ALSO: Final = {"timestamp": "time", "squares": "cost_squares", "capped": "capped_cost"}
NO_OTHERS: Final[Mapping[str, str]] = {}
_NUMBERS: Final = {"cost": ("events", "cost", "cost_squares", "capped_cost"), "gauge": ("value",)}
_NEEDED: Final = {"cost": ("events", "cost"), "gauge": ("value",)}
_READ_AS: Final = {"cost": "requests and what they cost", "gauge": "values"}
_FORMS: Final = {
    None: "a line with names comes first: time and either events,cost or value, and series if there are several",
    "cost": "a line with names comes first: time,events,cost, and series if there are several",
    "gauge": "a line with names comes first: time,value, and series if there are several",
}
_OTHERWISE: Final = {"date": "time"}


@dataclass(frozen=True, slots=True)
class Columns:
    """What a file's columns mean."""

    mode: Mode
    separator: str
    header_bytes: int
    names: list[str]  # one for each column, in the file's order; those without a meaning have names of their own
    numbers: tuple[str, ...]  # that hold numbers, in our order
    has_series: bool
    ignored: list[str] = field(default_factory=list)  # as the file calls them
    adds_up: bool = False  # a `value` is a cost: of those of the same minute the sum counts, not the mean


def read_columns(
    stream: BinaryIO, path: Path, forced: Mode | None = None, also: Mapping[str, str] = NO_OTHERS
) -> Columns:
    """From the stream's beginning. `also`: what else a column may be called, by that name; the name itself goes first.
    Raises ConfigError."""
    form = _FORMS[forced]
    line = stream.readline(MAX_HEADER_BYTES)
    for mark, what in _BOMS.items():
        if line.startswith(mark):
            raise _refused(path, f"is {what}, and no CSV of UTF-8: convert it")
    if not line.strip():
        raise _refused(path, f"has no first line: {form}" if line else f"is empty: {form}")
    if len(line) == MAX_HEADER_BYTES:
        raise _refused(path, f"has a first line of more than {MAX_HEADER_BYTES:,} bytes: {form}")
    try:
        text = line.removeprefix(_UTF8_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, f"line 1: byte {error.start + 1} is no UTF-8: convert the file") from None
    separator = max(_SEPARATORS, key=text.count)
    try:
        given = next(csv.reader([text.strip("\r\n")], delimiter=separator), [])
    except csv.Error as error:
        raise _refused(path, f"line 1: {error}: {form}") from None
    known = [_ALSO.get(name.strip().lower(), name.strip().lower()) for name in given]
    also = {**_OTHERWISE, **also}
    known = [also[name] if also.get(name, name) not in known else name for name in known]
    return _meant(path, given, known, separator, len(line), forced)


def _meant(
    path: Path, given: Sequence[str], known: list[str], separator: str, header_bytes: int, forced: Mode | None
) -> Columns:
    """`known`: what the columns are called here."""
    adds_up = forced == "gauge" and "value" not in known and "cost" in known
    if adds_up:  # sums of hours or days, say: whoever asks for it means the amounts
        known = ["value" if name == "cost" else name for name in known]
    mode = forced or ("cost" if {"events", "cost"} <= set(known) else "gauge")
    missing = [name for name in ("time", *_NEEDED[mode]) if name not in known]
    if missing:
        found = printable(", ".join(given))
        if forced is None and "value" not in known:
            raise _refused(path, f"line 1: {_missing(known)} missing; its columns are: {found[:500]}. {_FORMS[None]}")
        raise _refused(
            path,
            f"line 1: {', '.join(missing)} missing, to read it as {_READ_AS[mode]}; its columns are: {found[:500]}",
        )
    wanted = ("time", "series", *_NUMBERS[mode])
    twice = sorted({name for name in known if known.count(name) > 1 and name in wanted})
    if twice:
        raise _refused(path, f"line 1: {', '.join(twice)} more than once: which one is meant?")
    names = [name if name in wanted else f"ignored {place}" for place, name in enumerate(known)]
    numbers = tuple(name for name in _NUMBERS[mode] if name in known)
    ignored = [given[place] for place, name in enumerate(known) if name not in wanted]
    return Columns(mode, separator, header_bytes, names, numbers, "series" in known, ignored, adds_up)


def _missing(known: Sequence[str]) -> str:
    needed = [name for name in ("time", "events", "cost") if name not in known]
    return f"{' and '.join(needed)} (or value)" if needed != ["time"] else "time"


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{printable(str(path))} {why}" if not why.startswith("line") else f"{path.name}, {why}")
