"""Periods that are kept, as they were said, against what the ledger holds of them: questions about one budget, and
their answers. Nothing is changed here; it is done beside the thread that counts.

Of a budget per value a period may have a hundred thousand rows. So a question that has much to look at is answered by
smaller ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.budgets.history import BudgetHistory, Recorded
from stream_jobs.budgets.tracked import Tracked
from stream_jobs.series.calendar import Period
from stream_jobs.series.corrected import Booked, CorrectedLedger, Touched
from stream_jobs.series.counters import Loaded
from stream_jobs.series.facts import Sums, Values
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import LedgerSums, Vector, runs
from stream_jobs.store.client import StoreClient
from stream_jobs.store.retention import kept_for, whole_since

CELLS_AT_ONCE: Final = 400
ROWS_AT_ONCE: Final = 100_000
ALL_PERIODS: Final = 100_000
NOTHING: Final = Sums()
_MICROSECOND: Final = timedelta(microseconds=1)


class Finding(NamedTuple):
    """A period and values of which something else was said than the ledger holds."""

    cell: int
    values: Values
    booked: Sums
    recorded: Sums | None  # None: nothing was said
    held_alone: bool = False  # all but what is held is as it was said: perhaps the budget's flat bound was another


@dataclass(frozen=True, slots=True)
class Question:
    """Of one budget: what to look at. All of `cells` (None: find out which), or only what `booked` touched of them."""

    budget_id: str
    cells: tuple[int, ...] | None = None
    booked: Booked | None = None
    touched: Touched | None = field(default=None, hash=False)
    changed: bool = False  # it looks at something else than before
    misfits: bool = False  # perhaps: only where periods are kept that it does not have
    sampled: bool = False  # nobody said that anything has changed
    look: int = 1
    not_before: datetime | None = None
    before: frozenset[Finding] = frozenset()  # what differed at the look before

    def anew(self) -> "Question":
        """The same, asked of a budget that may have other periods by now."""
        return Question(self.budget_id, booked=self.booked, changed=self.changed, misfits=self.misfits)


@dataclass(slots=True)
class Answer:
    """What came of a question."""

    compared: Question
    found: list[Finding] = field(default_factory=list)
    stale: list[Recorded] = field(default_factory=list)  # rows of periods and values that the budget does not have
    next: list[Question] = field(default_factory=list)
    sampled_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what it was asked with."""

    question: Question
    tracked: Tracked
    spec: SeriesSpec
    vector: Vector
    recent: frozenset[int]  # cells that are counted all the time, and recorded with every change
    now: datetime


class Comparison:
    """Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient, sums: LedgerSums, history: BudgetHistory) -> None:
        self._sums, self._history = sums, history
        self._ledger = CorrectedLedger(store)
        self._kept = kept_for(store, "ledger")

    def answer(self, asked: Asked, sampled_to: datetime | None) -> Answer:
        """`sampled_to`: how far the check came with this budget."""
        question = asked.question
        kept = whole_since(self._kept, asked.now)
        if question.cells is not None:
            return self._compared(asked, question)
        if question.changed:
            return self._changed(asked, kept)
        if question.booked is not None:
            return self._touched(asked, question.booked, kept)
        return self._sample(asked, max(sampled_to or kept, kept), kept)

    # -- which periods to look at

    def _changed(self, asked: Asked, kept: datetime) -> Answer:
        """All from the first on that is kept: where the budget looks now there may be something in periods in which
        there was nothing for it. Of `misfits` only those that are kept as another calendar had them. And those that
        begin where the budget has no period: before a list of dates begins, or a total."""
        rows = self._history.periods(asked.question.budget_id, kept, asked.now, ALL_PERIODS)
        periods = list(rows)
        nowhere: dict[int, int] = {}
        for period in periods:
            if asked.spec.calendar.period_at(period.start) is None:
                cell = unix_micros(period.start)
                nowhere[cell] = nowhere.get(cell, 0) + rows[period]
        if asked.question.misfits:
            periods = [period for period in periods if asked.spec.calendar.period_at(period.start) != period]
        elif periods:
            periods = [Period(periods[0].start, asked.now)]
        parts = _slices(asked, _cells(asked, periods, kept), _by_cell(asked, rows))
        return Answer(asked.question, next=[*parts, *_slices(asked, sorted(nowhere), nowhere)])

    def _touched(self, asked: Asked, booked: Booked, kept: datetime) -> Answer:
        found = self._ledger.touched(asked.spec, booked, kept)
        touched = {cell: found[cell] for cell in found if cell not in asked.recent and cell >= unix_micros(kept)}
        sizes = {cell: len(values) for cell, values in touched.items()}
        return Answer(asked.question, next=_slices(asked, sorted(touched), sizes, touched))

    def _sample(self, asked: Asked, since: datetime, kept: datetime) -> Answer:
        """The next that are kept, and are over."""
        question = asked.question
        rows = self._history.periods(question.budget_id, since, asked.now, CELLS_AT_ONCE)
        cells = _cells(asked, [period for period in rows if period.end <= asked.now], kept)
        parts = _slices(asked, cells, _by_cell(asked, rows))
        if not parts:
            return Answer(question, sampled_to=kept)
        answer = self._compared(asked, parts[0])
        if len(parts) > 1:
            assert parts[1].cells is not None
            answer.sampled_to = from_unix_micros(parts[1].cells[0])
        else:
            answer.sampled_to = [*rows][-1].start + _MICROSECOND if len(rows) == CELLS_AT_ONCE else kept
        return answer

    # -- comparing them

    def _compared(self, asked: Asked, question: Question) -> Answer:
        answer = Answer(question)
        periods = {cell: asked.tracked.counters.cell_of(from_unix_micros(cell)) for cell in question.cells or ()}
        for cell in [cell for cell, period in periods.items() if period is None]:
            start = from_unix_micros(cell)
            answer.stale += self._history.recorded(question.budget_id, start, start + _MICROSECOND)
        bounds = [
            (cell, unix_micros(period.end))
            for cell, period in periods.items()
            if period is not None and asked.tracked.counts_in(period, asked.now)
        ]
        for run in runs(bounds):
            cells = list(pairwise(run))
            touched = None
            if question.booked is not None and question.touched is not None and asked.spec.per:
                touched = question.touched
                loaded = self._sums.sums_where(asked.spec, cells, asked.vector, question.booked.condition())
            else:
                loaded = self._sums.sums(asked.spec, cells, asked.vector)
            among = None if touched is None else {values for cell, _ in cells for values in touched[cell]}
            recorded = self._history.recorded(
                question.budget_id, from_unix_micros(run[0]), from_unix_micros(run[-1]), among
            )
            _compare(asked, answer, dict(cells), loaded, recorded, touched)
        return answer


def _cells(asked: Asked, periods: Iterable[Period], kept: datetime) -> list[int]:
    """The budget's own periods that hold something of these, rising."""
    found: set[int] = set()
    for period in periods:
        bounds = asked.spec.calendar.boundaries(max(period.start, kept), min(period.end, asked.now))[:-1]
        found |= {unix_micros(bound) for bound in bounds if bound >= kept}
    return sorted(found)


def _by_cell(asked: Asked, rows: Mapping[Period, int]) -> dict[int, int]:
    """How many rows are kept of the budget's own periods, which may be other ones than those of the rows."""
    found: dict[int, int] = {}
    for period, count in rows.items():
        own = asked.spec.calendar.period_at(period.start)
        if own is not None:
            found[unix_micros(own.start)] = found.get(unix_micros(own.start), 0) + count
    return found


def _slices(
    asked: Asked, cells: Sequence[int], sizes: Mapping[int, int], touched: Touched | None = None
) -> list[Question]:
    parts: list[list[int]] = []
    rows = 0
    for cell in cells:
        rows += sizes.get(cell, 0)
        if not parts or len(parts[-1]) == CELLS_AT_ONCE or rows > ROWS_AT_ONCE:
            parts.append([])
            rows = sizes.get(cell, 0)
        parts[-1].append(cell)
    return [
        replace(
            asked.question,
            cells=tuple(part),
            touched=None if touched is None else {cell: touched[cell] for cell in part},
        )
        for part in parts
    ]


def _compare(
    asked: Asked,
    answer: Answer,
    ends: Mapping[int, int],
    loaded: Loaded,
    recorded: Mapping[Recorded, Sums],
    touched: Touched | None,
) -> None:
    said: dict[int, dict[Values, tuple[Sums, bool]]] = {}
    for row, sums in recorded.items():
        start, end = map(unix_micros, row.period)
        if start not in ends or len(row.values) != len(asked.spec.per):
            answer.stale.append(row)
        else:
            said.setdefault(start, {})[row.values] = sums, end == ends[start]
    for cell in ends:
        blocks, corrections = loaded.blocks.get(cell, {}), loaded.corrections.get(cell, {})
        here = said.get(cell, {})
        for values in {*blocks, *corrections, *here} if touched is None else touched[cell]:
            booked = blocks.get(values, NOTHING).plus(corrections.get(values, NOTHING))
            before, as_it_is = here.get(values, (None, booked == NOTHING))
            kept = asked.tracked.as_kept(booked)
            if (before == kept and as_it_is) or (before is None and booked == NOTHING):
                continue
            if answer.compared.changed and booked == NOTHING and asked.spec.per:
                answer.stale.append(Recorded(Period(*map(from_unix_micros, (cell, ends[cell]))), values))
            else:
                alike = before is not None and as_it_is and before._replace(held=kept.held) == kept
                answer.found.append(Finding(cell, values, booked, before, alike))
