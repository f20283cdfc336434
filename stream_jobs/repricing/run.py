"""Working through history: look first, then post, chunk by chunk, so that each difference is posted exactly once.

The order of writes is that of `ledger.posting`.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Final, TypeVar

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.base.who import user_at_host
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.entries import LINE_COLUMNS, PLACE, Entries
from stream_jobs.ledger.long_calls import LongCallsOfLedger
from stream_jobs.ledger.posting import Poster
from stream_jobs.ledger.rebuild import PRICING_COLUMNS
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.hold import NO_HISTORY, LongCalls
from stream_jobs.repricing.build import Stamp, adjustments
from stream_jobs.repricing.corrections import COSTS, OTHERS, Decide, Found, find_corrections, reattributed, repriced
from stream_jobs.repricing.journal import Journal, Planned, Run, RunIsOpenError
from stream_jobs.repricing.selection import CHUNK_ROWS, Chunk, Selection, crossed, cut, holds, kept_since, read
from stream_jobs.repricing.summary import Summary, total
from stream_jobs.runtime.retry import Backoff, retry_blocking
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

OUTAGE_S: Final = 300.0
"""How long a run waits for ClickHouse before it gives up; it can be resumed."""
RETRY_S: Final = 1.0
_LOOK: Final = tuple(
    name
    for name in LEDGER_COLUMNS.names
    if name
    in {
        "event_id",
        "revision",
        "entry_kind",
        "booked_at",
        "events",
        "unpriced",
        "held_cost",
        "held_flat",
        "labels",
        "reported_tags",
    }
    or name in {*COSTS, *OTHERS, *PLACE, *PRICING_COLUMNS}
)
T = TypeVar("T")
Progress = Callable[[int, int], None]
"""(chunks done, chunks in all)"""


def _no_progress(_done: int, _all: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Versions:
    """What corrections are computed with."""

    book: PriceBook
    rules: AttributionRules

    def decide(self, selection: Selection, entries: Entries, calls: LongCalls = NO_HISTORY) -> Decide:
        """`calls`: how long the longest ones are, for what has no price."""
        if selection.kind == "reattribute":
            return reattributed(entries, self.rules)
        return repriced(entries, self.book, calls)


class Corrector:
    """Looks for differences and posts them. One run at a time; several processes may work on the same run."""

    def __init__(self, store: StoreClient, versions: Versions, progress: Progress = _no_progress) -> None:
        self._store = store
        self._versions = versions
        self._progress = progress
        self.journal = Journal(store)
        self._poster = Poster(store, self.journal.clock, self._retry)

    def look(self, selection: Selection, *, unprice: bool = False, chunk_rows: int = CHUNK_ROWS) -> Summary:
        """The differences, without posting any: a dry run. Nothing is written."""
        chunks = cut(self._store, selection, self.journal.now(), chunk_rows)
        summaries = []
        for number, chunk in enumerate(chunks):
            entries = Entries(self._retry(partial(read, self._store, selection, chunk, _LOOK)))
            summaries.append(Summary.of(entries, self._find(selection, chunk, entries, unprice=unprice)))
            self._progress(number + 1, len(chunks))
        return total(summaries)

    @cached_property
    def _calls(self) -> LongCalls:
        return self._retry(lambda: LongCallsOfLedger(self._store).latest(self.journal.now()))

    def _find(self, selection: Selection, chunk: Chunk, entries: Entries, *, unprice: bool) -> Found:
        decide = None if chunk.crossed_since is not None else self._versions.decide(selection, entries, self._calls)
        since = self._retry(lambda: kept_since(self._store, self.journal.now()))
        return find_corrections(entries, decide, unprice=unprice, kept_since=since)

    def open(
        self, selection: Selection, *, note: str = "", unprice: bool = False, until_now: bool = False,
        operator: str | None = None, chunk_rows: int = CHUNK_ROWS, chunks: Sequence[Chunk] | None = None,
    ) -> Run:  # fmt: skip
        """Open a run, or take up an unfinished one that asks for the same. Raises RunIsOpenError for another one."""
        now = self.journal.now()
        wanted = Run(
            number=0,
            run=f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}",
            started_at=now,
            selection=selection,
            operator=operator or user_at_host(),
            note=note,
            price_book_version=self._versions.book.version,
            attribution_version=self._versions.rules.version,
            chunks=tuple(cut(self._store, selection, now, chunk_rows) if chunks is None else chunks),
            unprice=unprice,
            until_now=until_now,
        )
        try:
            return self.journal.open(wanted)
        except RunIsOpenError as error:
            if _alike(error.open_run, wanted):
                log.info("resuming run %s", error.open_run.run)
                return error.open_run
            raise

    def work(self, run: Run) -> Summary:
        """Post what the run has not posted yet, and end it. Returns what all of it came to.

        Safe to interrupt at any instant and to repeat, also by another process at the same time.
        Raises ConfigError when the run was planned with other prices or rules than those loaded.
        """
        self._check_versions(run)
        state = self.journal.state(run)
        done = self.journal.posted(run)
        if state == "open":
            *chunks, last = run.chunks or (None,)
            with ThreadPoolExecutor(1) as pool:
                posting: Future[None] | None = None
                for chunk in chunks:
                    assert chunk is not None
                    if chunk.number in done:
                        continue
                    plan = self._plan(run, chunk)
                    if posting is not None:
                        posting.result()
                        self._progress(len(done), len(run.chunks))
                    # While ClickHouse inserts one chunk, the next one is computed.
                    posting = pool.submit(self._post, plan, done)
                if posting is not None:
                    posting.result()
            if last is not None and last.number not in done:
                # A revision that was computed before these adjustments, and booked since, has not taken them back.
                self._post(self._plan(run, last), done)
            self._progress(len(run.chunks), len(run.chunks))
            self.journal.close(run, "done", total(done.values()))
        return total(done.values())

    def settle(self, selection: Selection, since: datetime, *, operator: str | None = None) -> Summary:
        """Take back what is left of corrections to events that revisions took back since then, in a run of its own."""
        chunk = crossed(selection, since)
        entries = Entries(self._retry(partial(read, self._store, selection, chunk, _LOOK)))
        if not self._find(selection, chunk, entries, unprice=False).postings:
            return Summary()
        return self.work(
            self.open(selection, note="a revision crossed a correction", operator=operator, chunks=[chunk])
        )

    def _check_versions(self, run: Run) -> None:
        if run.selection.kind == "reattribute":
            what, planned, loaded = "attribution rules", run.attribution_version, self._versions.rules.version
        else:
            what, planned, loaded = "price book", run.price_book_version, self._versions.book.version
        if planned != loaded:
            raise ConfigError(
                f"run {run.run} was opened with {what} {planned}, but {loaded} is loaded. Resume it with the "
                f"--config-dir it was opened with, or end it where it is with --abandon {run.run} and start anew"
            )

    def _plan(self, run: Run, chunk: Chunk) -> Planned:
        """What a chunk posts: as an earlier attempt planned it, or computed now. Nothing if it is posted already."""
        earlier = self._retry(lambda: self.journal.planned(run, chunk))
        if earlier is not None:
            return earlier
        if self._retry(lambda: holds(self._store, chunk, run.posted_as(chunk))):
            return Planned(run, chunk, self._retry(self.journal.now), self.journal.attempt, Summary(), None)
        table = self._retry(lambda: read(self._store, run.selection, chunk))
        entries = Entries(table)
        found = self._find(run.selection, chunk, entries, unprice=run.unprice)
        now = self._retry(self.journal.now)
        rows = None
        if not found.postings and (earlier := self._retry(lambda: self.journal.planned(run, chunk))) is not None:
            return earlier  # another process of this run was faster
        if found.postings:
            reason = f"{run.selection.kind} {run.run}" + (f": {run.note}" if run.note else "")
            rows = adjustments(entries, found.postings, Stamp(run.posted_as(chunk), now, reason))
        return Planned(run, chunk, now, self.journal.attempt, Summary.of(entries, found), rows)

    def _post(self, plan: Planned, done: dict[int, Summary]) -> None:
        done[plan.chunk.number] = self._poster.post(plan, self.journal).summary

    def _retry(self, step: Callable[[], T]) -> T:
        """Through an outage of ClickHouse. Raises StoreUnavailableError after OUTAGE_S."""
        what, pauses = "corrections wait for the store", Backoff(RETRY_S, RETRY_S)
        return retry_blocking(step, what, StoreUnavailableError, pauses, lambda _: OUTAGE_S)


def _alike(one: Run, other: Run) -> bool:
    """Whether two runs ask for the same. Two that go 'until now' differ only in when they were started."""
    a, b = one.selection, other.selection
    until = a.until == b.until or (one.until_now and other.until_now)
    same = (a.kind, a.since, a.models, a.providers) == (b.kind, b.since, b.models, b.providers)
    return until and same and one.unprice == other.unprice


assert set(LINE_COLUMNS).isdisjoint(_LOOK)
