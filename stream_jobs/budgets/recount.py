"""Periods that are kept and no longer in memory: what was said of them is what the ledger holds, whatever corrects it.

These make it look again: corrections that were posted, and blocks whose deltas did not come (at the periods and values
that their entries touch); a budget that looks at something else now (at all of its periods); and time, for the check
looks at some periods of one budget after the other. What differs is counted again, in the thread that counts; comparing
is done in another one.

A period is kept as long as the ledger holds all of it. What is older stays as it was said last.
"""

import logging
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from stream_jobs.base.errors import RetryError
from stream_jobs.base.instants import from_unix_micros
from stream_jobs.budgets.book import BudgetBook
from stream_jobs.budgets.comparison import Answer, Asked, Comparison, Finding, Question
from stream_jobs.budgets.history import UNRECORDED, BudgetHistory, Recorded
from stream_jobs.budgets.tracked import KEEP_PERIODS
from stream_jobs.runtime.metrics import BUDGET_CHECKS
from stream_jobs.series.corrected import JOURNAL_KEEPS, POSTED_LATE, Booked, PostedCorrections
from stream_jobs.series.facts import Sums, Values
from stream_jobs.series.sums import LedgerSums
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = timedelta(seconds=10)
"""What is counted is recorded within half of it: then it is compared once more, for it may have changed meanwhile."""
MAX_LOOKS: Final = 5
AT_ONCE: Final = 5_000
"""Rows that a cycle takes back, and counts again: a budget of many values has a hundred thousand in each period."""
RESTS: Final = 9
"""For each second that the check looked at past periods: a budget of many values costs it a tenth of a core."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What was found and is not taken up yet."""

    asked: Asked
    compared: Question
    stale: deque[Recorded]
    found: deque[Finding]


class Recount:
    """Used by the thread that counts; asks in one of its own."""

    def __init__(self, store: StoreClient, sums: LedgerSums, history: BudgetHistory) -> None:
        """Raises StoreUnavailableError."""
        self._history = history
        self._posted = PostedCorrections(store)
        self._comparison = Comparison(store, sums, history)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="budgets-recount")
        self._waiting: deque[Question] = deque()
        self._corrections: dict[str, Booked] = {}  # to look at, by budget
        self._blocks: dict[str, Booked] = {}
        self._under_way: tuple[Asked, Future[Answer]] | None = None
        self._left: _Left | None = None
        self._sampled = ""
        self._sampled_to: dict[str, datetime] = {}
        self._rests_until_s = 0.0
        self.different: dict[str, int] = {}

    # -- what makes it look

    def begin(self, book: BudgetBook, now: datetime) -> None:
        """Whatever was corrected or booked while nobody counted, or just before; and periods of another time zone.
        Raises StoreUnavailableError."""
        ids = (tracked.budget.id for tracked in book.tracked if not tracked.counters.rolling)
        self._waiting.extend(Question(budget_id, changed=True, misfits=True) for budget_id in ids)
        self._note(book, self._corrections, self._posted.look())
        last = self._history.last_recorded()
        if last is not None and last < now - JOURNAL_KEEPS:
            self._note(book, self._corrections, Booked(last - POSTED_LATE, now))
        if last is not None:
            self.missed(book, last - UNRECORDED, now)

    def corrections_posted(self, book: BudgetBook) -> None:
        """There may be new ones. Raises StoreUnavailableError, and may then be repeated."""
        self._note(book, self._corrections, self._posted.look())

    def missed(self, book: BudgetBook, since: datetime, now: datetime, only: str | None = None) -> None:
        """What was booked since then may have been counted by nobody (or not by this budget), but for what the ledger
        was read for."""
        self._note(book, self._blocks, Booked(since, now, blocks=True), only)

    @staticmethod
    def _note(book: BudgetBook, waiting: dict[str, Booked], booked: Booked | None, only: str | None = None) -> None:
        for tracked in book.tracked if booked is not None else ():
            if not tracked.counters.rolling and only in (None, tracked.budget.id):
                known = waiting.get(tracked.budget.id)
                assert booked is not None
                waiting[tracked.budget.id] = booked if known is None else known.with_(booked)

    def changed(self, budget_ids: Iterable[str]) -> None:
        """These look at something else now: at other entries, or in other periods."""
        ids = set(budget_ids)
        again = {one.anew() for one in self._waiting if one.budget_id in ids and not one.sampled}
        self._waiting = deque(one for one in self._waiting if one.budget_id not in ids)
        changed = {Question(budget_id, changed=True) for budget_id in ids}
        self._waiting.extendleft(again | changed)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be looked at; the check goes on all the time."""
        asked = [] if self._under_way is None else [self._under_way[0].question]
        return (
            not self._corrections
            and not self._blocks
            and self._left is None
            and all(question.sampled for question in (*asked, *self._waiting))
        )

    # -- looking

    def look(self, book: BudgetBook, now: datetime, *, sample: bool) -> None:
        """Take up what was found, and go on with the next question; `sample`: with one of the check's, if there is no
        other. Raises StoreUnavailableError."""
        if self._under_way is not None:
            asked, future = self._under_way
            if not future.done():
                return
            self._under_way = None
            try:
                answer = future.result()
            except RetryError as error:
                log.warning("cannot compare past periods of %s with the ledger: %s", asked.question.budget_id, error)
                self._waiting.append(replace(asked.question, not_before=now + AGAIN_AFTER))
            else:
                self._take(book, asked, answer, now)
        if self._left is not None:
            self._go_on(book, self._left, now)
        if self._left is not None:
            return
        question = self._next(book, now, sample=sample)
        tracked = book.tracked_by(question.budget_id) if question is not None else None
        if question is None or tracked is None or tracked.counters.rolling:
            return
        cells = ((cell, tracked.period_of(cell)) for cell in tracked.counters.cells)
        recent = frozenset(cell for cell, period in cells if period is not None and period.end > now - KEEP_PERIODS)
        asked = Asked(question, tracked, tracked.counters.spec, dict(book.follower.vector), recent, now)
        self._under_way = asked, self._thread.submit(self._answer, asked, self._sampled_to.get(question.budget_id))

    def _answer(self, asked: Asked, sampled_to: datetime | None) -> Answer:
        """In the other thread."""
        begin_s = time.monotonic()
        answer = self._comparison.answer(asked, sampled_to)
        if asked.question.sampled:
            end_s = time.monotonic()
            self._rests_until_s = end_s + RESTS * (end_s - begin_s)
        return answer

    def _next(self, book: BudgetBook, now: datetime, *, sample: bool) -> Question | None:
        for _ in range(len(self._waiting)):
            question = self._waiting.popleft()
            if question.not_before is None or question.not_before <= now:
                return question
            self._waiting.append(question)
        for booked in (self._corrections, self._blocks):
            if booked:
                budget_id = next(iter(booked))
                return Question(budget_id, booked=booked.pop(budget_id))
        return self._sample(book) if sample and time.monotonic() >= self._rests_until_s else None

    def _sample(self, book: BudgetBook) -> Question | None:
        ids = sorted(tracked.budget.id for tracked in book.tracked if not tracked.counters.rolling)
        self.different = {one: count for one, count in self.different.items() if one in book.budgets}
        if not ids:
            return None
        self._sampled = next((one for one in ids if one > self._sampled), ids[0])
        return Question(self._sampled, sampled=True)

    def _take(self, book: BudgetBook, asked: Asked, answer: Answer, now: datetime) -> None:
        question, budget_id = asked.question, asked.question.budget_id
        if book.tracked_by(budget_id) is not asked.tracked:  # it was changed, or read anew, meanwhile
            if budget_id in book.budgets and not question.sampled:
                self._waiting.append(question.anew())
            return
        self._waiting.extendleft(reversed(answer.next))
        found = answer.found
        if question.sampled:
            self._sampled_to[budget_id] = answer.sampled_to or self._sampled_to.get(budget_id, now)
            found = self._checked(answer, now)
        if found or answer.stale:
            self._left = _Left(asked, answer.compared, deque(answer.stale), deque(found))

    def _go_on(self, book: BudgetBook, left: _Left, now: datetime) -> None:
        """With what was found: so much that the cycle has time for the present."""
        budget_id = left.asked.question.budget_id
        if book.tracked_by(budget_id) is not left.asked.tracked:
            if budget_id in book.budgets and not left.asked.question.sampled:
                self._waiting.append(left.asked.question.anew())
            self._left = None
            return
        if left.stale:
            some = list(islice(left.stale, AT_ONCE))
            self._history.take_back(budget_id, some, now)  # when that fails, it is done by the next call
            for _ in some:
                left.stale.popleft()
        by_cell: dict[int, dict[Values, Sums]] = {}
        for _ in range(min(AT_ONCE, len(left.found))):
            one = left.found.popleft()
            by_cell.setdefault(one.cell, {})[one.values] = one.booked
        for cell, sums in by_cell.items():
            book.count_again(budget_id, cell, sums, now)
        if left.stale or left.found:
            return
        self._left = None
        if left.compared.look < MAX_LOOKS:  # what was taken back may have got something meanwhile, too
            again = replace(left.compared, sampled=False, look=left.compared.look + 1)
            self._waiting.append(replace(again, not_before=now + AGAIN_AFTER))

    def _checked(self, answer: Answer, now: datetime) -> list[Finding]:
        """What of a sample is to be counted again. Something may just have changed and not be recorded yet: so what
        differs is a difference when it still does at a second look, and nothing else explains it."""
        compared, found = answer.compared, answer.found
        budget_id = compared.budget_id
        # What a file's flat bound was when a period was recorded is not kept: another one explains what is held.
        wrong = frozenset(one for one in found if one.recorded is not None and not one.held_alone)
        if compared.look == 1:
            if wrong:
                self._waiting.append(replace(compared, look=2, before=wrong, not_before=now + AGAIN_AFTER))
            else:
                self.different[budget_id] = 0
            return [one for one in found if one not in wrong]
        explained = (
            budget_id in self._corrections
            or budget_id in self._blocks
            or any(one.budget_id == budget_id and not one.sampled for one in self._waiting)
        )
        confirmed = [] if explained else sorted(wrong & compared.before)
        for one in confirmed[:10]:
            log.error(
                "budget %s: of the period from %s on (%s) something else was said than the ledger holds, it is counted "
                "again: %s",
                *(budget_id, from_unix_micros(one.cell), ", ".join(one.values), one),
            )
        self.different[budget_id] = len(confirmed)
        BUDGET_CHECKS.labels("different" if confirmed else "equal").inc()
        return found

    def close(self) -> None:
        """Stop. What was to be looked at is found again by whoever begins next."""
        self._thread.shutdown(wait=True)
