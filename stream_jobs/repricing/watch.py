"""What corrects itself: usage without a price once its price is there, and corrections that a revision crossed.

Runs in a thread of the metering worker. Every worker looks; the journal lets one post. It is the same engine as
`spendstream reprice --unpriced`, with the prices the worker books with.
"""

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from stream_jobs.base.who import user_at_host
from stream_jobs.ledger.versions import version_in_use
from stream_jobs.repricing.journal import RunIsOpenError
from stream_jobs.repricing.run import Corrector, Versions
from stream_jobs.repricing.selection import CROSSING, Selection
from stream_jobs.runtime.metrics import PRICED_LATER
from stream_jobs.runtime.timer import Timer
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

INTERVAL_S: Final = 60.0
CHUNK_ROWS: Final = 10_000
"""Small: the thread shares its interpreter with the booking of new events."""
IDLE_AFTER: Final = timedelta(minutes=2)
"""A run on which nothing was done for so long belongs to a worker that died."""
AUTOMATIC: Final = "spendstream"
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)


class _StoppedError(Exception):
    pass


class Watch:
    """Looks whenever its `timer` ticks; or call `tick` oneself. A run under way stops with the timer, after the chunk
    at hand; whoever looks next goes on with it."""

    def __init__(self, store_of: Callable[[], StoreClient], versions: Versions, interval_s: float = INTERVAL_S) -> None:
        self._store_of = store_of
        self._versions = self._wanted = versions
        self._store: StoreClient | None = None  # of the thread, kept from look to look
        self.timer = Timer(
            "corrections", interval_s, self._look, doing="look for corrections", at_once=True, release=self._release
        )
        self._looked: datetime | None = None  # what was booked before was looked at with this price book

    def use(self, versions: Versions) -> None:
        """From the next look on, which is now."""
        self._wanted = versions
        self.timer.wake()

    def _look(self) -> None:
        if self._store is None:
            self._store = self._store_of()
        with contextlib.suppress(_StoppedError):
            self.tick(self._store)

    def _release(self) -> None:
        if self._store is not None:
            store, self._store = self._store, None
            store.close()

    def tick(self, store: StoreClient) -> None:
        """Look once, and post what there is to post. Raises StoreUnavailableError."""
        if self._versions is not self._wanted:
            self._versions, self._looked = self._wanted, None
        if version_in_use(store, "price_book_versions") != self._versions.book.version:
            return  # a newer worker has other prices: its answer counts
        corrector = Corrector(store, self._versions, self._check_stopping)
        if not self._no_run_is_open(corrector):
            return
        try:
            self._price(corrector)
            if corrector.journal.latest() is not None:
                now = corrector.journal.now()
                everything = Selection("reprice", _BEGINNING, now + timedelta(days=1))
                corrector.settle(everything, now - 2 * CROSSING, operator=_operator())
        except RunIsOpenError:
            return  # somebody else was faster

    def _no_run_is_open(self, corrector: Corrector) -> bool:
        journal = corrector.journal
        latest = journal.latest()
        if latest is None or latest[1] != "open":
            return True
        run = latest[0]
        idle = journal.now() - journal.last_seen(run) > IDLE_AFTER
        if not run.operator.startswith(f"{AUTOMATIC}:"):
            if idle:  # a person may have stopped it on purpose
                log.warning("correction run %s of %s is open, but nobody works on it", run.run, run.operator)
        elif idle:
            if run.price_book_version == self._versions.book.version:
                log.info("going on with correction run %s", run.run)
                corrector.work(run)
            else:
                log.info("ending correction run %s: it was begun with other prices", run.run)
                journal.abandon(run)
            return True
        return False

    def _price(self, corrector: Corrector) -> None:
        now = corrector.journal.now()
        selection = Selection(
            "unpriced",
            _BEGINNING,
            now + timedelta(days=1),
            booked_since=self._looked - CROSSING if self._looked else _BEGINNING,
            not_priced_by=self._versions.book.version,
        )
        seen = corrector.look(selection, chunk_rows=CHUNK_ROWS)
        if seen.priced or seen.bounded:
            what = "has a price" if seen.priced else "knows the model"
            note = f"price book {self._versions.book.version} {what}"
            run = corrector.open(selection, note=note, operator=_operator(), chunk_rows=CHUNK_ROWS)
            summary = corrector.work(run)
            PRICED_LATER.inc(summary.priced)
            log.info("run %s priced %d events that had no price", run.run, summary.priced)
        self._looked = now

    def _check_stopping(self, _done: int, _all: int) -> None:
        if self.timer.stopping:
            raise _StoppedError


def _operator() -> str:
    return f"{AUTOMATIC}:{user_at_host()}"
