"""Posting corrections so that each is in the ledger and in every rollup once, however often a process dies.

The order of writes is the promise:

    run ▸ plan: the entries themselves, into a journal ▸ insert into the ledger, with token and deadline ▸ mark posted

A crash after the plan is made good by whoever goes on with it, with the same bytes and the same token; ClickHouse drops
what it has, in the ledger and in the views behind it.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from stream_jobs.base.errors import CrashError, StoreUnavailableError
from stream_jobs.base.instants import unix_micros
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import LateInsertError, ServerClock
from stream_jobs.store.tables import insert

log = logging.getLogger(__name__)

REMEMBERED_INSERTS: Final = 40_000
"""The ledger remembers the tokens of its last 50,000 inserts; with fewer than this since, a token is surely known."""
INSERT_DEADLINE_S: Final = 120.0
"""How long after the last look an insert may arrive; 10,000 others in that time would be 83 per second."""
T = TypeVar("T")


class Plan(Protocol):
    """What is posted with one insert."""

    @property
    def token(self) -> str:
        """Of the insert into the ledger."""

    @property
    def at(self) -> datetime:
        """When it was planned, by the store's clock."""

    @property
    def entries(self) -> pa.Table | None:
        """All columns of the ledger; of one booked_at and one adjustment_run. None if there is nothing to post."""


P = TypeVar("P", bound=Plan)


class Journal(Protocol[P]):
    """Where runs write down what they are about to post. Every call may raise StoreUnavailableError and be repeated."""

    def plan(self, plan: P) -> P:
        """Write it down. Returns the plan that counts, which may be another's: the first."""

    def awaits(self, plan: P) -> bool:
        """Whether this is still to be posted: not once its run is done, which another process of it may have seen to.

        Raises when the run was ended before.
        """

    def mark_posted(self, plan: P) -> None:
        """Write down that it is in the ledger."""


class Retry(Protocol):
    """How a step is repeated that could not reach the store."""

    def __call__(self, step: Callable[[], T], /) -> T: ...


def no_retry(step: Callable[[], T]) -> T:
    return step()


class Poster:
    """Posts what was planned. Raises StoreUnavailableError; everything it does may be repeated."""

    def __init__(self, store: StoreClient, clock: ServerClock, retry: Retry = no_retry) -> None:
        self._store = store
        self._clock = clock
        self._retry = retry

    def post(self, plan: P, journal: Journal[P]) -> P:
        """Returns what was posted: what was planned first."""
        if plan.entries is not None:
            # A crash before this leaves no trace; it is computed anew. Whoever writes the plan first decides what is
            # posted, and nobody posts anything else.
            plan = self._retry(partial(journal.plan, plan))
        # A crash here leaves a plan that is posted later, entry for entry.
        self.finish(plan, journal)
        return plan

    def finish(self, plan: P, journal: Journal[P]) -> None:
        """Post what is written down already."""
        if plan.entries is not None:
            self._retry(partial(self._insert, plan, journal))
        # A crash here, or within the insert, posts again: the token drops what is there, in the ledger and in each
        # rollup.
        self._retry(partial(journal.mark_posted, plan))

    def _insert(self, plan: P, journal: Journal[P]) -> None:
        entries = plan.entries
        assert entries is not None
        # Taken before the look: a process that sleeps between the two is refused by the server's own clock, and looks
        # again. So nothing is inserted whose token could have been forgotten since.
        not_after = self._clock.deadline(INSERT_DEADLINE_S)
        if not journal.awaits(plan):
            return
        if self._inserts_since(plan.at) > REMEMBERED_INSERTS and self._is_held(plan.token, entries):
            log.error(
                "%s, planned at %s, is in the ledger and was too long ago to be repeated; if ClickHouse was killed "
                "while it was posted, the rollups may lack it: spendstream query --name rollup_difference",
                plan.token,
                plan.at,
            )
            return
        try:
            insert(self._store.client, "ledger", entries, plan.token, not_after)
        except LateInsertError as error:
            raise StoreUnavailableError(f"{plan.token} came after its deadline, {not_after}: not posted") from error

    def _inserts_since(self, instant: datetime) -> int:
        """About how many inserts the ledger has seen since: how many tokens it has been given to remember."""
        since = "fromUnixTimestamp64Micro({at:Int64}, 'UTC')"
        rows = self._store.rows(
            f"SELECT (SELECT count() FROM block_receipts WHERE completed_at >= {since})"
            f" + (SELECT count() FROM adjustment_chunks WHERE at >= {since})"
            f" + (SELECT count() FROM reconciliation_batches WHERE at >= {since})",
            {"at": unix_micros(instant)},
        )
        return int(str(rows[0][0]))

    def _is_held(self, token: str, entries: pa.Table) -> bool:
        """Whether the ledger has them: their instant and run are their own. The hours are what it is ordered by."""
        occurred = pc.min_max(entries["occurred_at"].cast(pa.int64())).as_py()
        booked_at, run = (entries[name][0].as_py() for name in ("booked_at", "adjustment_run"))
        rows = self._store.rows(
            "SELECT count() FROM ledger WHERE occurred_at BETWEEN fromUnixTimestamp64Micro({min:Int64}, 'UTC') "
            "AND fromUnixTimestamp64Micro({max:Int64}, 'UTC') "
            "AND booked_at = fromUnixTimestamp64Micro({booked_at:Int64}, 'UTC') AND adjustment_run = {run:String}",
            {**occurred, "booked_at": unix_micros(booked_at), "run": run},
        )
        held = int(str(rows[0][0]))
        if held not in (0, entries.num_rows):
            raise CrashError(f"{token}: {held} of its {entries.num_rows} entries are booked")
        return held > 0
