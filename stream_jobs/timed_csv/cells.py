"""Cells of a column as arrays. What is no instant or no number is a BadCell, which says where and why."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_jobs.base.instants import parse_utc, unix_micros

Floats = npt.NDArray[np.float64]
Micros = npt.NDArray[np.int64]
FIRST: Final = 0
"""Of the instants that are taken, in microseconds since 1970: usage is younger than that."""
LAST: Final = unix_micros(datetime.fromisoformat("2200-01-01T00:00+00:00"))
MOST: Final = 1e15
"""The largest number that is taken: sums of it stay exact enough to be judged."""
_UNITS: Final = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0))
"""Numbers below the first are seconds since 1970, below the second milliseconds, below the third microseconds."""
_ZONE: Final = r"(Z|z|[+-]\d\d(:?\d\d)?)$"
_WRITTEN_OUT: Final = r"(:\d\d(?:\.\d+)?) UTC$"
_COMPACT: Final = r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?$"
"""ISO 8601 without its signs, 20260131 or 202601310800. As numbers they would lie in the seventies."""
_LONG: Final = r"^(?:\d{8}|\d{12}|\d{14})$"
_PARTS: Final = (
    (r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3T00:00:00"),
    (r"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$", r"\1-\2-\3T\4:\5:00"),
    (r"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$", r"\1-\2-\3T\4:\5:\6"),
)
_ZONED_MINUTE: Final = r"^(.*[T ]\d\d:\d\d)(Z|z|[+-]\d\d(?::?\d\d)?)$"


@dataclass
class BadCell(Exception):  # noqa: N818 - an answer about a cell, turned into an error with its line
    """`row` counts from 0 within what was given."""

    row: int
    why: str


def texts(cells: Any, name: str) -> Any:
    """Bytes as texts without blanks around them. Raises BadCell for what is no UTF-8."""
    try:
        return pc.utf8_trim_whitespace(cells.cast(pa.string()))
    except pa.ArrowInvalid:
        for row, cell in enumerate(cells.to_pylist()):
            try:
                (cell or b"").decode("utf-8")
            except UnicodeDecodeError:
                raise BadCell(row, f"{name} is no UTF-8: convert the file") from None
        raise


def numbers(cells: Any, name: str, *, least: float = -math.inf, decimal_comma: bool = False) -> Floats:
    """Finite numbers from `least` on; a `value` that is empty is NaN. Raises BadCell."""
    written = cells
    if decimal_comma:
        cells = pc.replace_substring(cells, ",", ".")
    try:
        found = np.asarray(cells.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowInvalid:
        found = np.array([_number(cell) for cell in cells.to_pylist()])
    bad = ~np.isfinite(found) | (found < least) | (np.abs(found) > MOST)
    if name == "value" and bad.any():
        bad &= pc.not_equal(cells, "").to_numpy(zero_copy_only=False)
    if bad.any():
        row = int(np.argmax(bad))
        shown = _shown(written[row].as_py())
        raise BadCell(row, f"{name} {shown} {_why(float(found[row]), cells[row].as_py(), least)}")
    return found


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan") if "_" not in (cell or "") else math.nan
    except ValueError:
        return math.nan


def _why(found: float, cell: str | None, least: float) -> str:
    if not cell:
        return "is empty: leave out the row where nothing is known"
    if math.isfinite(found):
        return f"is less than {least:g}" if found < least else f"is beyond {MOST:g}"
    if cell.lower().strip("+-") in ("nan", "inf", "infinity"):
        return "is no finite number"
    return "is no number" if math.isnan(_number(cell)) else f"is beyond {MOST:g}"


def instants(cells: Any) -> Micros:
    """Microseconds since 1970: ISO 8601 with or without a zone (then it is UTC; so it is where that is written out, as
    in exports of databases), or seconds, milliseconds or microseconds since 1970. Raises BadCell."""
    cells = pc.replace_substring_regex(cells, _WRITTEN_OUT, r"\1Z")
    cells, wrong = _apart(cells)
    try:
        found = _unix(np.asarray(cells.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64))
    except pa.ArrowInvalid:
        found = _iso(cells)
    found = np.where(wrong, -1, found)
    bad = (found < FIRST) | (found >= LAST)
    if bad.any():
        row = int(np.argmax(bad))
        cell = cells[row].as_py()
        why = "is no instant: write 2026-01-31T08:00:00Z or seconds since 1970"
        if _instant(cell) is not None and not wrong[row]:
            why = "is not between 1970 and 2200"
        raise BadCell(row, f"time {_shown(cell)} {why}")
    return found


def _apart(cells: Any) -> tuple[Any, npt.NDArray[np.bool_]]:
    """With compact dates written apart where most numbers of their lengths are dates, and which of these then are
    none: seconds that somebody counts from 0 look like a date now and then."""
    long = _matches(cells, _LONG)
    dates = _matches(cells, _COMPACT) if long.any() else long
    if 2 * dates.sum() <= long.sum():
        return cells, np.zeros(len(cells), np.bool_)
    for pattern, apart in _PARTS:
        cells = pc.replace_substring_regex(cells, pattern, apart)
    return cells, long & ~dates


def _matches(cells: Any, pattern: str) -> npt.NDArray[np.bool_]:
    found = pc.fill_null(pc.match_substring_regex(cells, pattern), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def _unix(found: Floats) -> Micros:
    with np.errstate(invalid="ignore", over="ignore"):
        factor = np.select([np.abs(found) < limit for limit, _ in _UNITS], [by for _, by in _UNITS], np.nan)
        micros = np.nan_to_num(np.round(found * factor), nan=-1.0, posinf=-1.0, neginf=-1.0)
    return np.asarray(micros, np.int64)


def _iso(cells: Any) -> Micros:
    """What is no instant is -1."""
    zoned = pc.fill_null(pc.match_substring_regex(cells, r"[T ]\d\d(:\d\d.*)" + _ZONE), False)
    mask = zoned.to_numpy(zero_copy_only=False).astype(bool)
    found = np.full(len(cells), -1, np.int64)
    for chosen, kind in ((mask, pa.timestamp("us", tz="UTC")), (~mask, pa.timestamp("us"))):
        if not chosen.any():
            continue
        part = cells.filter(pa.array(chosen))
        try:
            if kind.tz:
                part = pc.replace_substring_regex(part, _ZONED_MINUTE, r"\1:00\2")
            read = part.cast(kind).cast(pa.int64()).to_numpy(zero_copy_only=False)
            found[chosen] = np.nan_to_num(read, nan=-1)
        except pa.ArrowInvalid:
            known: dict[str | None, int] = {}
            for text in part.to_pylist():
                if text not in known:
                    known[text] = _micros(text)
            found[chosen] = [known[text] for text in part.to_pylist()]
    return found


def _micros(text: str | None) -> int:
    read = _instant(text)
    return -1 if read is None else read


def _instant(text: str | None) -> int | None:
    try:
        return unix_micros(parse_utc(text or ""))
    except (ValueError, OverflowError):
        pass
    try:
        read = float(_unix(np.array([float(text or "nan")]))[0])
    except ValueError:
        return None
    return int(read) if math.isfinite(float(text or "nan")) else None


def _shown(cell: str | None) -> str:
    text = repr(cell or "")
    return text if len(text) <= 60 else f"{text[:57]}...'"
