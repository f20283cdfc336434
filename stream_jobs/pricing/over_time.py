"""What a model costs over all time under given conditions, for the price book as rows.

Worked out by the engine once for all conditions that it reads alike: nine places of data that cost a tenth more are one
answer, and nine names of it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.pricing import schedule
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.compiled import TEXT_PARTS, Compiled, Rate
from stream_jobs.pricing.engine import Brackets, Engine, Meaning, Meant
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.tokens import INPUT_PARTS, OUTPUT_PARTS, meter_of
from stream_jobs.pricing.units import PER

WEEK_S: Final = 7 * 86_400
EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""From the beginning."""
FOR_GOOD: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Until something else is written."""
NO_END: Final = 2**63 - 1
"""Of a context that has no end."""
PLACES: Final = 18
_EXACT: Final = Context(prec=60)
Span = tuple[datetime, datetime]
Week = tuple[int, int]
"""Seconds of the week, from inclusive, to exclusive."""


class Line(NamedTuple):
    """A list price, without the conditions that its SKU names and without its time."""

    meter: str
    head: str  # of the SKU, before its conditions
    slot: int  # which conditions
    tail: str  # of the SKU, after them
    context_from: int
    context_to: int
    pico: Fraction  # per unit of the meter
    key: str  # of the price
    source: str | None  # of the correction that says it; None: the base data


class Dated(NamedTuple):
    """A line with its price in USD and its times."""

    line: Line
    per: int
    usd_per_unit: Decimal
    usd: Decimal
    week: Week
    spans: list[Span]


class Under(NamedTuple):
    """One meaning of the names and conditions."""

    meaning: Meaning
    sold: object
    slot: int
    heard: schedule.Heard


class OverTime:
    """The lines of one model by one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[object, list[Dated]] = {}
        self._at_instants: dict[object, schedule.Heard] = {}
        self._answers: dict[object, list[Line]] = {}

    def lines(self, meant: Meant) -> tuple[list[Dated], list[Mapping[str, str]]]:
        """What its names and conditions cost, and the conditions that each slot stands for."""
        slots: list[Mapping[str, str]] = []
        unders: list[Under | None] = []
        for meaning in meant.meanings:
            if isinstance(meaning, Missing):
                unders.append(None)
                continue
            identity, conditions = meaning
            if conditions not in slots:
                slots.append(conditions)
            heard = schedule.heard_under(identity, conditions)
            unders.append(Under(meaning, self._engine.sold(identity), slots.index(conditions), heard))
        key = tuple(meant.moves), tuple([under and under[1:] for under in unders])
        if (known := self._known.get(key)) is None:
            known = self._known[key] = list(self._dated(meant, unders))
        return known, slots

    def _dated(self, meant: Meant, unders: Sequence[Under | None]) -> Iterator[Dated]:
        starts, seconds = self._engine.changes(meant)
        parts = list(pairwise([0, *(second for second in seconds if 0 < second < WEEK_S), WEEK_S]))
        found: dict[tuple[Line, Week], list[Span]] = {}
        for start, end in pairwise([EVER, *(at for at in starts if EVER < at < FOR_GOOD), FOR_GOOD]):
            under = unders[bisect_right(meant.moves, start)]
            if under is None:
                continue
            for line, weeks in self._in_weeks(under, parts, start, end).items():
                for week in weeks:
                    spans = found.setdefault((line, week), [])
                    if spans and spans[-1][1] == start:
                        spans[-1] = (spans[-1][0], end)
                    else:
                        spans.append((start, end))
        for (line, week), spans in found.items():
            per = PER[line.key]
            yield Dated(line, per, usd(line.pico), usd(line.pico * per), week, spans)

    def _in_weeks(self, under: Under, parts: Sequence[Week], start: datetime, end: datetime) -> dict[Line, list[Week]]:
        """What is charged between two instants, and in which parts of the week."""
        found: dict[Line, list[Week]] = {}
        for begin, until in parts:
            if (instant := _instant(start, end, begin, until)) is None:
                continue
            for line in self._at(under, instant):
                weeks = found.setdefault(line, [])
                if weeks and weeks[-1][1] == begin:
                    weeks[-1] = (weeks[-1][0], until)
                else:
                    weeks.append((begin, until))
        return found

    def _at(self, under: Under, at: datetime) -> list[Line]:
        (identity, _), sold, slot, heard = under
        now = self._at_instants.get((sold, at))
        if now is None:
            now = self._at_instants[(sold, at)] = schedule.heard_at(identity, at)
        key = sold, slot, heard.entries & now.entries, heard.variants & now.variants, heard.rest, now.rest
        lines = self._answers.get(key)
        if lines is None:
            lines = self._answers[key] = list(self._answered(under, at))
        return lines

    def _answered(self, under: Under, at: datetime) -> Iterator[Line]:
        answer = self._engine.answer(under.meaning, {}, at)
        if isinstance(answer, Missing):
            return
        identity, conditions = under.meaning
        starts = [0, *answer.starts] if isinstance(answer, Brackets) else [0]
        for index, (start, end) in enumerate(zip(starts, [*starts[1:], NO_END], strict=True)):
            first = start + 1 if index else 0
            compiled = answer.at(first) if isinstance(answer, Brackets) else answer
            for meter, rate in rates_of(compiled):
                key, head, tail = _parts(identity, conditions, rate.sku)
                source = self._engine.speaker(identity, key, conditions, at)
                yield Line(meter, head, under.slot, tail, first, end, rate.terms.listed, key, source)


def _parts(identity: Identity, conditions: Mapping[str, str], sku: str) -> tuple[str, str, str]:
    """Price key, and the SKU before and after its conditions."""
    begin = len(f"{identity.provider}/{identity.model}/")
    key = sku[begin:].partition(";")[0]
    head = sku[: begin + len(key)]
    return key, head, sku[len(head) + len(suffix_of(conditions)) :]


def suffix_of(conditions: Mapping[str, str]) -> str:
    """The conditions in a SKU."""
    return "".join(f";{name}={conditions[name]}" for name in sorted(conditions))


def _instant(start: datetime, end: datetime, begin: int, until: int) -> datetime | None:
    """One of [start, end) that lies in that part of the week; None if there is none."""
    monday = datetime(start.year, start.month, start.day, tzinfo=UTC) - timedelta(days=start.weekday())
    for week in (0, 7):
        first = max(start, monday + timedelta(days=week, seconds=begin))
        if first < min(end, monday + timedelta(days=week, seconds=until)):
            return first
    return None


def rates_of(compiled: Compiled) -> Iterator[tuple[str, Rate]]:
    """Every rate by the meter of a receipt's line."""
    seen: set[tuple[str, str]] = set()
    plain = compiled.text["output_tokens"]  # what is written and costs the same is one line
    told = [part for part in TEXT_PARTS if part not in OUTPUT_PARTS or compiled.text[part] is not plain]
    found: list[tuple[str, Rate | Missing | None]] = [(part, compiled.text[part]) for part in told]
    for part in told:
        side = "input" if part in INPUT_PARTS or part == "input_tokens" else "output"
        found += [(meter_of(side, part, kind), compiled.cell(part, kind)) for kind in compiled.kinds]
    found += compiled.flats.items()
    found += [(f"tool.{kind}", rate) for kind, rate in compiled.tools.items()]
    found.append(("requests", compiled.request))
    for meter, rate in found:
        if isinstance(rate, Rate) and (meter, rate.sku) not in seen:
            seen.add((meter, rate.sku))
            yield meter, rate


@lru_cache(maxsize=4096)
def usd(pico: Fraction) -> Decimal:
    """USD to 18 places, half to even: exact for what is not a price per hour told by the second."""
    scaled = Fraction(pico) * 10**PLACES / PICO_PER_USD
    return _EXACT.scaleb(Decimal(round(scaled)), -PLACES)
