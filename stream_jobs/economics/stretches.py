"""Which tables answer a question, and each for which part of its time: days from a rollup of days, and what is left at
both ends, hours and minutes, from finer ones."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from stream_jobs.base.instants import unix_micros
from stream_jobs.economics.asked import Question
from stream_jobs.economics.dimensions import TIMES
from stream_jobs.economics.parts import PARTS
from stream_jobs.series import calendar
from stream_jobs.series.history import LEDGER, SOURCES, Source
from stream_jobs.series.sums import MICROS

_WHOLE: Final = (LEDGER,)


class Stretch(NamedTuple):
    """[since, until), in microseconds since 1970, from one table."""

    source: Source
    since: int
    until: int


def stretches_of(question: Question, fields: Iterable[str], parts: Sequence[str]) -> list[Stretch]:
    """One after the other all of the question's time, cut by `fields`; no row of a table lies on a bound.

    A part that does not add up, and days and months, which may begin at any hour, come from one table: the smallest
    that can tell.
    """
    since, *cells, until = bounds_of(question, fields)
    tables = _tables(question, {*fields, *(question.where or ())} - set(TIMES), parts)
    if cells or not all(PARTS[part].adds_up for part in parts):
        bounds = [since, *cells, until]
        return [Stretch(next(table for table in tables if _fits(table, bounds)), since, until)]
    return _covered(tables, since, until) or [Stretch(LEDGER, since, until)]


def _tables(question: Question, dimensions: set[str], parts: Sequence[str]) -> Sequence[Source]:
    """Those that know what is asked for, the smallest first; the ledger, which knows everything, is the last."""
    if question.as_of is not None or question.spread:
        return _WHOLE  # a rollup does not know when its rows were booked, nor how long they ran
    asked = dimensions.union(*(PARTS[part].dimensions for part in parts))
    telling = (source for source in SOURCES if all(PARTS[part].of(source) is not None for part in parts))
    return [*(source for source in telling if source is not LEDGER and source.has(asked, ())), LEDGER]


def bounds_of(question: Question, fields: Iterable[str]) -> list[int]:
    """Of the question and of the days or months that it is cut by, rising, in microseconds since 1970."""
    since, until, fields = question.since, question.until, set(fields)
    cells: list[datetime] = []
    if "day" in fields:
        cells = calendar.days(question.zone).boundaries(since, until)
    elif "month" in fields:
        cells = calendar.months(question.zone).boundaries(since, until)
    return [unix_micros(at) for at in (since, *(at for at in cells if since < at < until), until)]


def _fits(source: Source, bounds: Sequence[int]) -> bool:
    return source is LEDGER or source.has((), bounds)


def _covered(tables: Sequence[Source], since: int, until: int) -> list[Stretch]:
    """The most that the first table can tell, and the ends from those behind it."""
    if since >= until:
        return []
    first, finer = tables[0], tables[1:]
    if first is LEDGER:
        return [Stretch(LEDGER, since, until)]
    unit = first.whole * MICROS
    begin, end = -(-since // unit) * unit, until // unit * unit
    if begin >= end:
        return _covered(finer, since, until)
    return [*_covered(finer, since, begin), Stretch(first, begin, end), *_covered(finer, end, until)]
