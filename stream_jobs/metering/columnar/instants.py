"""Timestamps of the common form as numbers, many at once."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.store.texts import Codes, Mask

SHAPE: Final = np.frombuffer(b"0000-00-00T00:00:00.000000Z", np.uint8)
_DIGITS: Final = np.flatnonzero(ord("0") == SHAPE)
_MARKS: Final = np.flatnonzero(ord("0") != SHAPE)
_LENGTH: Final = len(SHAPE)
_SECOND_LENGTH: Final = len("0000-00-00T00:00:00Z")
US_PER_S: Final = 1_000_000
Characters = npt.NDArray[np.uint8]


def _padded(text: str) -> str:
    """Whole seconds, or fewer digits of a second than six, written with six."""
    if len(text) == _LENGTH or not text.endswith("Z") or len(text) < _SECOND_LENGTH:
        return text
    seconds, dot, fraction = text[:-1].partition(".")
    return f"{seconds}.{fraction:0<6}Z" if bool(dot) == bool(fraction) else text


def characters(texts: Sequence[str]) -> Characters:
    """A row of characters per text, zeros after its end; longer ones lose their end but not the next character."""
    matrix = _characters(texts)
    if (matrix[:, _LENGTH - 1] == ord("Z")).all():
        return matrix
    return _characters([_padded(text) for text in texts])


def _characters(texts: Sequence[str]) -> Characters:
    try:
        raw = np.array(texts, f"S{_LENGTH + 1}")
    except UnicodeEncodeError:
        raw = np.array([text.encode("ascii", "replace") for text in texts], f"S{_LENGTH + 1}")
    return raw.view(np.uint8).reshape(len(texts), _LENGTH + 1)


def microseconds(matrix: Characters) -> tuple[Codes, Mask]:
    """Microseconds since 1970 in UTC, and which texts are of the form `2026-11-20T09:30:00[.123456]Z`.

    Other forms may well be valid timestamps: those rows hold no meaning.
    """
    known = matrix[:, _LENGTH] == 0
    matrix = matrix[:, :_LENGTH]
    digits = matrix[:, _DIGITS].astype(np.int64) - ord("0")
    known &= (matrix[:, _MARKS] == SHAPE[_MARKS]).all(axis=1) & ((digits >= 0) & (digits <= 9)).all(axis=1)
    digits[~known] = 1  # anything that is a date

    def number(first: int, count: int) -> Codes:
        value = digits[:, first].copy()
        for column in range(first + 1, first + count):
            value = value * 10 + digits[:, column]
        return value

    year, month, day = number(0, 4), number(4, 2), number(6, 2)
    hour, minute, second = number(8, 2), number(10, 2), number(12, 2)
    known &= (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    month = np.where(known, month, 1)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first_day = months.astype("datetime64[D]").astype(np.int64)
    next_first_day = (months + 1).astype("datetime64[D]").astype(np.int64)
    known &= (day <= next_first_day - first_day) & (year >= 1)
    days = first_day + day - 1
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * US_PER_S + number(14, 6), known
