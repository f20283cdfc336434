"""A question about figures, and its answer: from the smallest rollup that can tell, else from the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from difflib import get_close_matches
from fractions import Fraction
from functools import partial
from typing import Any, Final, Protocol, cast
from zoneinfo import ZoneInfo

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import unix_micros
from stream_jobs.economics import spread
from stream_jobs.economics.asked import Question, last_day
from stream_jobs.economics.dimensions import TIMES
from stream_jobs.economics.figures import FIGURES, Figure
from stream_jobs.economics.parts import PARTS, TAKEN_BACK, UNPRICED, Part
from stream_jobs.economics.stretches import Stretch, bounds_of, stretches_of
from stream_jobs.series.history import Source
from stream_jobs.series.measures import label_parameters
from stream_jobs.series.sums import scope_condition

COVERAGE: Final = ("events", "unpriced_events", "unallocated_cost", "effective_cost")
"""What every answer says of itself."""
PLACES: Final = 12
_EXACT: Final = Context(prec=76, rounding=ROUND_HALF_EVEN)
_MARK: Final = "="
"""In front of a value, so that it is not empty where a line is cut by it."""
_AS_OF: Final = "booked_at <= fromUnixTimestamp64Micro({as_of:Int64}, 'UTC')"


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
        total, rate = self.total, self.question.rate
        if rate.until is not None and rate.until <= last_day(self.question):
            said.append(
                f"{rate.currency} has another rate from {rate.until} on, within this time: all of this is at the rate "
                f"of {rate.valid_from}"
            )
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
    return ask_each(store, question, [question.by])[0]


def ask_each(store: Store, question: Question, cuts: Sequence[Sequence[str]]) -> list[Answer]:
    """The question by each of several cuts (at least one, all different) in place of its `by`: in one statement, with
    one total. Raises as `ask` does."""
    names = list(dict.fromkeys([*COVERAGE, *(part for figure in question.figures for part in figure.needs)]))
    fields = list(dict.fromkeys(name for cut in cuts for name in cut))
    stretches = stretches_of(question, fields, names)
    asked = {frozenset(cut): replace(question, by=cut) for cut in cuts}
    lines: dict[frozenset[str], list[Line]] = {key: [] for key in asked}
    everything = dict.fromkeys(names, Fraction(0))
    for row in store.rows(*_statement(question, cuts, names, stretches)):
        sums = dict(zip(names, map(_fraction, row[1:]), strict=True))
        marked = zip(fields, cast(Sequence[str], row[0]), strict=True)
        values = {name: text.removeprefix(_MARK) for name, text in marked if text}
        key = frozenset(values)
        if not values:
            everything = sums
        elif any(sums.values()):
            lines[key].append(_line(asked[key], tuple(values[name] for name in asked[key].by), sums))
    tables = "+".join(dict.fromkeys(stretch.source.table for stretch in stretches))
    return [
        Answer(cut, sorted(lines[key], key=partial(_order, cut)), _line(cut, ("",) * len(cut.by), everything), tables)
        for key, cut in asked.items()
    ]


def _statement(
    question: Question, cuts: Sequence[Sequence[str]], names: Sequence[str], stretches: Sequence[Stretch]
) -> tuple[str, dict[str, Any]]:
    """A row per cut and combination of its values, and one of everything: the values of all fields as an array, marked,
    and empty where a row is not cut by them; then the parts.

    What a table holds is first added up by the values as they lie there, which are fewer than its rows, then by cuts.
    """
    keys = {name: f"key_{number}" for number, name in enumerate(dict.fromkeys(name for cut in cuts for name in cut))}
    adds_up = all(PARTS[name].adds_up for name in names)
    parameters: dict[str, Any] = label_parameters(keys)
    tables = []
    for number, stretch in enumerate(stretches):
        text, given = _rows_of(question, number, stretch, keys, names, adds_up)
        tables.append(text)
        parameters |= given
    if adds_up:
        sums = [f"sum(part_{number})" for number in range(len(names))]
    else:
        sums = [
            _sql(PARTS[name], stretches[0].source, _time(question, 0, stretches[0].source), question) for name in names
        ]
    marked = [f"concat('{_MARK}', {_shown_as(name, key)}) AS marked_{key}" for name, key in keys.items()]
    sets = ", ".join(f"({', '.join(f'marked_{keys[name]}' for name in cut)})" for cut in cuts if cut)
    return (
        f"SELECT CAST([{', '.join(f'marked_{key}' for key in keys.values())}], 'Array(String)'), {', '.join(sums)} "
        f"FROM (SELECT {', '.join([*marked, '*'])} FROM ({' UNION ALL '.join(tables)}) AS {stretches[0].source.table}) "
        f"AS {stretches[0].source.table}{f' GROUP BY GROUPING SETS ({sets}, ())' if sets else ''}",
        parameters,
    )


def _rows_of(
    question: Question, number: int, stretch: Stretch, keys: Mapping[str, str], names: Sequence[str], adds_up: bool
) -> tuple[str, dict[str, Any]]:
    """The SELECT of a stretch: its rows with the keys, or, of parts that add up, their sums by these."""
    source = stretch.source
    condition, parameters = scope_condition(question.where or {}, (), source.column)
    rows = _time(question, number, source)
    parameters |= {f"since_{number}": stretch.since, f"until_{number}": stretch.until}
    if question.as_of is not None:
        parameters["as_of"] = unix_micros(question.as_of)
    sums = [_sql(PARTS[name], source, rows, question) for name in names]
    table = f"{source.table} WHERE {rows}{condition}"
    if question.spread:
        parameters |= {"cuts": _cuts(question, keys), "first": stretch.since, "end": stretch.until}
        booked = "" if question.as_of is None else f" AND {_AS_OF}"
        table = spread.table(booked + condition, ", ".join(sums))
    selected = [f"{_field(name, source, question.zone)} AS {key}" for name, key in keys.items()]
    if not adds_up:
        return f"SELECT {', '.join([*selected, '*'])} FROM {table}", parameters
    selected += [f"{sql} AS part_{place}" for place, sql in enumerate(sums)]
    grouped = f" GROUP BY {', '.join(keys.values())}" if keys else ""
    return f"SELECT {', '.join(selected)} FROM {table}{grouped}", parameters


def _cuts(question: Question, fields: Iterable[str]) -> list[int]:
    bounds = bounds_of(question, fields)
    if len(bounds) > spread.MAX_CELLS + 1:
        raise ConfigError(
            f"{len(bounds) - 1} days are too many to spread over: at most {spread.MAX_CELLS}, or ask by month"
        )
    return bounds


def _field(name: str, source: Source, zone: ZoneInfo) -> str:
    """As it lies in the table."""
    if name not in TIMES:
        return source.column(name)
    day = f"toDate({source.at}, {_text(str(zone))})"
    return day if name == "day" else f"toStartOfMonth({day})"


def _shown_as(name: str, key: str) -> str:
    return f"substring(toString({key}), 1, 7)" if name == "month" else f"toString({key})"


def _sql(part: Part, source: Source, rows: str, question: Question) -> str:
    sql = part.of(source) or part.ledger
    if question.spread and part.spread is not None:
        sql = part.spread
    for asked in (UNPRICED, TAKEN_BACK):
        sql = sql.replace(asked, asked.format(rows=rows, table=source.table))
    return sql


def _time(question: Question, number: int, source: Source) -> str:
    """The condition of a stretch's rows."""
    return (
        f"{source.at} >= fromUnixTimestamp64Micro({{since_{number}:Int64}}, 'UTC') "
        f"AND {source.at} < fromUnixTimestamp64Micro({{until_{number}:Int64}}, 'UTC')"
        f"{'' if question.as_of is None else f' AND {_AS_OF}'}"
    )


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fraction(value: object) -> Fraction:
    return Fraction(value) if isinstance(value, (int, Decimal)) else Fraction(0)


def _line(question: Question, values: tuple[str, ...], sums: Mapping[str, Fraction]) -> Line:
    known = {figure.name: figure.share_known(sums) for figure in question.figures}
    usd = Fraction(question.rate.usd)
    return Line(
        values,
        {figure.name: _shown(figure, sums, usd) for figure in question.figures},
        int(sums["events"]),
        int(sums["unpriced_events"]),
        decimal(sums["unallocated_cost"] / usd),
        decimal(sums["effective_cost"] / usd),
        {name: decimal(share) for name, share in known.items() if share is not None},
    )


def _shown(figure: Figure, sums: Mapping[str, Fraction], usd: Fraction) -> Decimal | int | None:
    value = figure.value(sums)
    if value is not None and figure.is_money:
        value /= usd
    return None if value is None else int(value) if figure.is_count else decimal(value)


def decimal(value: Fraction) -> Decimal:
    """To 12 places, half to even: exact for sums of USD."""
    return _EXACT.scaleb(Decimal(round(value * 10**PLACES)), -PLACES)


def _order(question: Question, line: Line) -> tuple[Any, ...]:
    first = line.figures.get(question.figures[0].name) if question.figures else None
    times = tuple(value for name, value in zip(question.by, line.values, strict=True) if name in TIMES)
    return (times, first is None, -(first or 0), line.values)
