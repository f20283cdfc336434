"""A question about figures, and its answer: from the smallest rollup that can tell, else from the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from spendstream_schemas.scope import Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import unix_micros
from stream_jobs.economics import spread
from stream_jobs.economics.dimensions import TIMES
from stream_jobs.economics.figures import FIGURES, Figure
from stream_jobs.economics.parts import PARTS, TAKEN_BACK, UNPRICED, Part
from stream_jobs.series import calendar
from stream_jobs.series.history import LEDGER, SOURCES, Source
from stream_jobs.series.measures import label_parameters
from stream_jobs.series.sums import scope_condition

COVERAGE: Final = ("events", "unpriced_events", "unallocated_cost", "effective_cost")
"""What every answer says of itself."""
PLACES: Final = 12
_EXACT: Final = Context(prec=76, rounding=ROUND_HALF_EVEN)
_AS_OF: Final = "booked_at <= fromUnixTimestamp64Micro({as_of:Int64}, 'UTC')"


@dataclass(frozen=True, slots=True)
class Question:
    """Of [since, until). `as_of`: only entries that were booked until then. `spread`: compute that says how long it ran
    counts over that time, not where it began; what counts events stays there."""

    figures: Sequence[Figure]
    since: datetime
    until: datetime
    by: Sequence[str] = ()
    where: Mapping[str, Condition] | None = None
    zone: ZoneInfo = ZoneInfo("UTC")  # noqa: RUF009 - immutable
    as_of: datetime | None = None
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Of one combination of values: figures by name, exact (ratios to 12 places), None where they cannot be told."""

    values: tuple[str, ...]
    figures: Mapping[str, Decimal | int | None]
    events: int
    unpriced_events: int
    unallocated_cost: Decimal
    effective_cost: Decimal
    known: Mapping[str, Decimal]  # share of the cost for which a figure's fact is known, by figure


@dataclass(frozen=True, slots=True)
class Answer:
    """`lines` by falling first figure, then by values; `total` is of everything, not a sum of lines."""

    question: Question
    lines: Sequence[Line]
    total: Line
    source: str  # the table that was read

    def warnings(self) -> list[str]:
        """What a reader must know of the coverage."""
        said = []
        total = self.total
        if total.unpriced_events:
            said.append(f"{total.unpriced_events} of {total.events} events have no price yet: no cost covers them")
        for figure in self.question.figures:
            share = total.known.get(figure.name)
            if figure.fact is not None and share is not None and share < Decimal("0.5"):
                said.append(f"{figure.name}: the {figure.fact.name} is known for {share * 100:.1f} % of the cost only")
        return said


def figures_named(names: Iterable[str]) -> list[Figure]:
    """Each once. Raises ConfigError with the nearest names."""
    found = []
    for name in dict.fromkeys(names):
        if name not in FIGURES:
            near = get_close_matches(name, FIGURES, 3, 0.4) or list(FIGURES)[:5]
            raise ConfigError(
                f"there is no figure {name[:80]!r}: did you mean {' or '.join(near)}? See spendstream figures"
            )
        found.append(FIGURES[name])
    return found


class Store(Protocol):
    """Who is asked."""

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[object, ...]]:
        """The rows of a query; {name:Type} placeholders are filled from `parameters`."""
        ...


def ask(store: Store, question: Question) -> Answer:
    """One statement, so that all of it is of one moment. Raises StoreUnavailableError, and ConfigError for a spread
    question of too many days."""
    names = list(dict.fromkeys([*COVERAGE, *(part for figure in question.figures for part in figure.needs)]))
    source = source_of(question, names)
    rows = store.rows(*_statement(question, names, source))
    lines, total = [], None
    for row in rows:
        is_total, values, sums = bool(row[0]), row[1], dict(zip(names, map(_fraction, row[2:]), strict=True))
        line = _line(question, tuple(map(str, values)), sums)  # type: ignore[call-overload]
        if is_total:
            total = line
        elif any(sums.values()):
            lines.append(line)
    if total is None:
        total = _line(question, ("",) * len(question.by), dict.fromkeys(names, Fraction(0)))
    return Answer(question, sorted(lines, key=lambda line: _order(question, line)), total, source.table)


def source_of(question: Question, parts: Sequence[str]) -> Source:
    """The smallest table that has the parts and the dimensions, and no row of which lies on a bound."""
    if question.as_of is not None or question.spread:
        return LEDGER  # a rollup does not know when its rows were booked, nor how long they ran
    asked = {*(question.where or ()), *(name for name in question.by if name not in TIMES)}
    asked |= {name for part in parts for name in PARTS[part].dimensions}
    bounds = _bounds(question)
    if all(PARTS[part].rollup is not None for part in parts):
        return next((source for source in SOURCES if source.has(asked, bounds)), LEDGER)
    return LEDGER


def _bounds(question: Question) -> list[int]:
    """Of the question and of its days or months, rising, in microseconds since 1970."""
    since, until = question.since, question.until
    cells: list[datetime] = []
    if "day" in question.by:
        cells = calendar.days(question.zone).boundaries(since, until)
    elif "month" in question.by:
        cells = calendar.months(question.zone).boundaries(since, until)
    return [unix_micros(at) for at in (since, *(at for at in cells if since < at < until), until)]


def _cuts(question: Question) -> list[int]:
    bounds = _bounds(question)
    if len(bounds) > spread.MAX_CELLS + 1:
        raise ConfigError(
            f"{len(bounds) - 1} days are too many to spread over: at most {spread.MAX_CELLS}, or ask by month"
        )
    return bounds


def _statement(question: Question, names: Sequence[str], source: Source) -> tuple[str, dict[str, Any]]:
    condition, parameters = scope_condition(question.where or {}, (), source.column)
    rows = (
        f"{source.at} >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') "
        f"AND {source.at} < fromUnixTimestamp64Micro({{end:Int64}}, 'UTC')"
    )
    parameters |= {"first": unix_micros(question.since), "end": unix_micros(question.until)}
    parameters |= label_parameters(question.by)
    if question.as_of is not None:
        rows += f" AND {_AS_OF}"
        parameters["as_of"] = unix_micros(question.as_of)
    fields = [_field(name, source, question.zone) for name in question.by]
    keys = [f"key_{number}" for number in range(len(fields))]
    sums = ", ".join(_sql(PARTS[name], source, question) for name in names)
    for asked in (UNPRICED, TAKEN_BACK):
        sums = sums.replace(asked, asked.format(rows=rows, table=source.table))
    table = f"{source.table} WHERE {rows}{condition}"
    if question.spread:
        parameters["cuts"] = _cuts(question)
        booked = "" if question.as_of is None else f" AND {_AS_OF}"
        table = spread.table(booked + condition, sums)
    inner = ", ".join([*(f"concat('=', {text}) AS {key}" for text, key in zip(fields, keys, strict=True)), "*"])
    sets = f"GROUP BY GROUPING SETS (({', '.join(keys)}), ())" if keys else ""
    total = "key_0 = ''" if keys else "1"  # a line's keys have a mark in front: they are never empty
    return (
        f"SELECT {total}, CAST([{', '.join(f'substring({key}, 2)' for key in keys)}], 'Array(String)'), {sums} "
        f"FROM (SELECT {inner} FROM {table}) AS {source.table} {sets}",
        parameters,
    )


def _field(name: str, source: Source, zone: ZoneInfo) -> str:
    if name not in TIMES:
        return f"toString({source.column(name)})"
    day = f"toDate({source.at}, {_text(str(zone))})"
    return f"toString({day})" if name == "day" else f"substring(toString({day}), 1, 7)"


def _sql(part: Part, source: Source, question: Question) -> str:
    if question.spread and part.spread is not None:
        return part.spread
    return part.ledger if source is LEDGER or part.rollup is None else part.rollup


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fraction(value: object) -> Fraction:
    return Fraction(value) if isinstance(value, (int, Decimal)) else Fraction(0)


def _line(question: Question, values: tuple[str, ...], sums: Mapping[str, Fraction]) -> Line:
    known = {figure.name: figure.share_known(sums) for figure in question.figures}
    return Line(
        values,
        {figure.name: _shown(figure, sums) for figure in question.figures},
        int(sums["events"]),
        int(sums["unpriced_events"]),
        decimal(sums["unallocated_cost"]),
        decimal(sums["effective_cost"]),
        {name: decimal(share) for name, share in known.items() if share is not None},
    )


def _shown(figure: Figure, sums: Mapping[str, Fraction]) -> Decimal | int | None:
    value = figure.value(sums)
    counts = len(figure.parts) == 1 and PARTS[figure.parts[0]].kind == "count"
    return None if value is None else int(value) if counts else decimal(value)


def decimal(value: Fraction) -> Decimal:
    """To 12 places, half to even: exact for sums of money."""
    return _EXACT.scaleb(Decimal(round(value * 10**PLACES)), -PLACES)


def _order(question: Question, line: Line) -> tuple[Any, ...]:
    first = line.figures.get(question.figures[0].name) if question.figures else None
    times = tuple(value for name, value in zip(question.by, line.values, strict=True) if name in TIMES)
    return (times, first is None, -(first or 0), line.values)
