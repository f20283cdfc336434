"""What corrections (re-pricing, re-attribution, reconciliation) have touched, or blocks that nobody heard of: which
periods, and which values in them.

Whoever keeps sums of periods that are no longer in memory asks here which of them to look at again. The entries of a
correction are all booked at the instant at which they were planned, which its journal knows; so a question reads little
of the ledger, however long ago the corrected events happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, cast

from stream_jobs.base.instants import as_utc, from_unix_micros, unix_micros
from stream_jobs.series.facts import Values
from stream_jobs.series.measures import column
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import MICROS, runs, scope_condition
from stream_jobs.store.client import StoreClient

MAX_INSTANTS: Final = 2_000
"""Of one question; of more, all corrections between the first and the last are looked at."""
JOURNAL_KEEPS: Final = timedelta(days=13)
"""What was posted longer ago may be gone from a journal: the shortest of their TTLs, less a day."""
POSTED_LATE: Final = timedelta(days=35)
"""How long after it was planned a correction may still be posted."""
_PLANS: Final = (
    "SELECT concat(run, '/', toString(chunk)), min(at), uniqExact(state) FROM adjustment_chunks GROUP BY run, chunk "
    "UNION ALL SELECT batch, min(at), uniqExact(state) FROM reconciliation_batches GROUP BY batch"
)


@dataclass(frozen=True, slots=True)
class Booked:
    """When corrections were booked, at these instants or at any from `since` to `until`; with `blocks`, anything."""

    since: datetime
    until: datetime
    instants: frozenset[datetime] | None = None
    blocks: bool = False

    def with_(self, other: "Booked") -> "Booked":
        instants = None if self.instants is None or other.instants is None else self.instants | other.instants
        return Booked(
            min(self.since, other.since),
            max(self.until, other.until),
            instants if instants is not None and len(instants) <= MAX_INSTANTS else None,
            self.blocks or other.blocks,
        )

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Of a row of the ledger: that it is one of these."""
        sql = (
            "booked_at >= fromUnixTimestamp64Micro({booked_since:Int64}, 'UTC') "
            "AND booked_at <= fromUnixTimestamp64Micro({booked_until:Int64}, 'UTC')"
        )
        if not self.blocks:
            sql += " AND adjustment_run != ''"
        given: dict[str, Any] = {"booked_since": unix_micros(self.since), "booked_until": unix_micros(self.until)}
        if self.instants is not None:
            sql += " AND booked_at IN (SELECT fromUnixTimestamp64Micro(arrayJoin({booked_at:Array(Int64)}), 'UTC'))"
            given["booked_at"] = sorted(map(unix_micros, self.instants))
        return sql, given


Touched = dict[int, set[Values]]
"""By the start of a period, in microseconds since 1970."""


class PostedCorrections:
    """Raises StoreUnavailableError when ClickHouse does not answer. Used by one thread."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._seen: dict[str, int] = {}

    def look(self) -> Booked | None:
        """Those that were planned or posted since the last call; the first call gives all that the journals know."""
        found = [(str(plan), as_utc(cast(datetime, at)), int(str(states))) for plan, at, states in
                 self._store.rows(_PLANS)]  # fmt: skip
        new = {at for plan, at, states in found if self._seen.get(plan) != states}
        self._seen = {plan: states for plan, _, states in found}
        if not new:
            return None
        return Booked(min(new), max(new), frozenset(new) if len(new) <= MAX_INSTANTS else None)


class CorrectedLedger:
    """What corrections touched of a series. Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def touched(self, spec: SeriesSpec, booked: Booked, since: datetime) -> Touched:
        """The periods that end after `since` with entries of these corrections, and the values of those entries. Of a
        calendar with periods: a rolling window has none."""
        is_one, given = booked.condition()
        where, scope = scope_condition(spec.scope, spec.per)
        given |= scope | {"since": unix_micros(since)}
        condition = f"{is_one} AND occurred_at >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC'){where}"
        ((count, first, last),) = self._store.rows(
            f"SELECT count(), toUnixTimestamp(min(occurred_at)), toUnixTimestamp(max(occurred_at)) FROM ledger "
            f"WHERE {condition}",
            given,
        )
        found: Touched = {}
        if not count:
            return found
        start, end = (from_unix_micros(int(str(bound)) * MICROS) for bound in (first, last))
        bounds = spec.calendar.boundaries(start, end + timedelta(seconds=1))
        for run in runs(list(pairwise(map(unix_micros, bounds)))):
            for cell, values in self._ask(spec, run, condition, given):
                found.setdefault(cell, set()).add(values)
        return found

    def _ask(
        self, spec: SeriesSpec, run: Sequence[int], condition: str, given: dict[str, Any]
    ) -> list[tuple[int, Values]]:
        fields = ", ".join(map(column, spec.per))
        rows = self._store.rows(
            "SELECT DISTINCT roundDown(toUnixTimestamp(occurred_at), {starts:Array(UInt32)}) AS cell, "
            f"CAST([{fields}], 'Array(String)') AS vals FROM ledger WHERE {condition} "
            "AND occurred_at >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
            "AND occurred_at < fromUnixTimestamp64Micro({end:Int64}, 'UTC')",
            {"starts": [bound // MICROS for bound in run[:-1]], "first": run[0], "end": run[-1], **given},
        )
        return [(int(str(cell)) * MICROS, tuple(cast(list[str], values))) for cell, values in rows]
