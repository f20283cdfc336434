"""Until when an insert may arrive, by the server's own clock.

ClickHouse forgets an insert's deduplication token after 50,000 more inserts into the table. Whoever sleeps longer than
that between its commit and its insert (a stopped process, a suspended machine) would insert its block a second time, so
every insert of a block carries a deadline that the server itself checks (the constraint `inserted_in_time`).

INSERT_DEADLINE_S: 50,000 inserts in 60 s would be 833 inserts/s into one table. One insert into the ledger and what
hangs on it costs the store over 5 ms even with a single row, and a ClickHouse server slows inserts down at 1,000 parts:
neither comes near. A block whose events are of several years takes one place per year in a rollup's memory; with seven
years 119 such inserts/s would be needed. Replicated tables also forget by time, after 3,600 s.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.store.client import StoreClient

INSERT_DEADLINE_S: Final = 60.0
LEARN_EVERY_S: Final = 10.0
VIOLATED_CONSTRAINT: Final = 469
CONSTRAINT_NAME: Final = "inserted_in_time"


class LateInsertError(SpendstreamError):
    """The server's clock is past the deadline of an insert: this attempt wrote nothing, an earlier one may have.

    Nobody may simply try again with a later deadline: first it must be certain that the partition is still owned.
    """


class ServerClock:
    """What the server's clock says, without asking each time. Threads may share it.

    The answer's own instant plus the time since it arrived, by a clock of ours that nobody sets: never later than the
    server's clock, for the way of the answer is left out, and so is time in which this machine was suspended.
    """

    def __init__(self, store: StoreClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._lock = Lock()
        self._learned: tuple[float, datetime] | None = None
        self._latest: datetime | None = None

    def now(self) -> datetime:
        """The server's clock, or a moment before it; see `deadline`. Never goes back, as long as the server's does not
        by more than an answer takes."""
        now = self.deadline(0)
        with self._lock:
            self._latest = now if self._latest is None else max(now, self._latest)
            return self._latest

    def deadline(self, seconds: float = INSERT_DEADLINE_S) -> datetime:
        """The instant in so many seconds, by the server's clock. Blocks for one small query every LEARN_EVERY_S.

        Take it before whatever proves that the partition is owned (the commit; reading the committed offset): a worker
        that sleeps between the two is refused by the broker, one that sleeps after it by the deadline.
        Raises StoreUnavailableError.
        """
        with self._lock:
            if self._learned is None or self._monotonic() - self._learned[0] > LEARN_EVERY_S:
                now = self._store.now()
                self._learned = self._monotonic(), now
            at, said = self._learned
            return said + timedelta(seconds=self._monotonic() - at + seconds)
