"""What reconciliation asks the ledger: which events are suspects, and what is booked of them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.ledger.reader import OF_EVENTS, entries_of
from stream_jobs.reconciliation.names import SHARED_ID
from stream_jobs.reconciliation.reports import TOLD, Call, Precedence
from stream_jobs.store.client import StoreClient, store_errors

PART_ROWS: Final = 500_000
"""Entries looked at by one query: bounds the memory that its set of ids takes."""
_SINCE: Final = "fromUnixTimestamp64Micro({since:Int64}, 'UTC')"
_UNTIL: Final = "fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
_WITHIN: Final = (
    f"(booked_at >= {_SINCE} AND booked_at < {_UNTIL} OR booked_at IN "
    "(SELECT fromUnixTimestamp64Micro(arrayJoin({late:Array(Int64)}), 'UTC')))"
)

_COMPARED: Final = "provider NOT IN {excluded:Array(String)} AND NOT match(response_id, {shared:String})"


@dataclass(frozen=True, slots=True)
class Interval:
    """What was booked in a stretch of time, and at the instants of blocks that were fixed earlier but inserted late."""

    since: datetime
    until: datetime
    late: tuple[datetime, ...] = ()

    def parameters(self) -> dict[str, object]:
        return {
            "since": unix_micros(self.since),
            "until": unix_micros(self.until),
            "late": [unix_micros(instant) for instant in self.late],
        }


class LedgerSearch:
    """Read-only, except that `index_calls` fills response_ids. Raises StoreUnavailableError."""

    def __init__(self, store: StoreClient, precedence: Precedence) -> None:
        self._store = store
        self._precedence = precedence

    def first_booked(self) -> datetime | None:
        rows = self._store.rows("SELECT min(booked_at) FROM ledger HAVING count() > 0")
        return _instant(rows[0][0]) if rows else None

    def late_blocks(self, since: datetime) -> tuple[datetime, ...]:
        """The instants of blocks that were fixed before and finished after: inserts that had to wait for the store."""
        rows = self._store.rows(
            f"SELECT DISTINCT fixed_at FROM blocks WHERE fixed_at < {_SINCE} AND (topic_id, partition, last_offset) IN "
            f"(SELECT topic_id, partition, last_offset FROM block_receipts WHERE completed_at >= {_SINCE})",
            {"since": unix_micros(since)},
        )
        return tuple(_instant(row[0]) for row in rows)

    def count(self, interval: Interval) -> int:
        """Entries in the interval."""
        return _number(self._store.rows(f"SELECT count() FROM ledger WHERE {_WITHIN}", interval.parameters())[0][0])

    def index_calls(self, interval: Interval) -> None:
        """Bring response_ids up to date."""
        sql = (
            "INSERT INTO response_ids "
            "SELECT response_id, provider, kind, event_id, revision, source, booked_at, topic_id, partition "
            f"FROM ledger WHERE {_WITHIN} AND entry_kind = 'charge' AND response_id != '' AND NOT cached_response "
            # A block is inserted whole, and no two of a partition are fixed at one instant: it is here or it is not.
            "AND (booked_at, topic_id, partition) NOT IN "
            f"(SELECT booked_at, topic_id, partition FROM response_ids WHERE {_WITHIN})"
        )
        with store_errors(self._store.settings.address):
            self._store.client.command(sql, parameters=interval.parameters())

    def suspects(self, interval: Interval, entries: int) -> Iterator[set[str]]:
        """Ids of events that may need a posting, in parts that one question can hold."""
        parts = 1 + entries // PART_ROWS
        for part in range(parts):
            parameters = {**interval.parameters(), "parts": parts, "part": part}
            yield self._booked_several_times(parameters) | self._doubly_reported(parameters)
        yield self._touched_again(interval.parameters())

    def _booked_several_times(self, parameters: Mapping[str, object]) -> set[str]:
        rows = self._store.rows(
            "SELECT event_id FROM booked_ids WHERE event_id IN (SELECT event_id FROM ledger "
            f"WHERE {_WITHIN} AND entry_kind = 'charge' AND cityHash64(event_id) % {{parts:UInt32}} = {{part:UInt32}}) "
            "GROUP BY event_id HAVING count() > 1",
            dict(parameters),
        )
        return self._uneven({str(row[0]) for row in rows})

    def _uneven(self, ids: Collection[str]) -> set[str]:
        """Those whose entries do not come to one event of the highest revision and nothing else."""
        rows = self._store.rows_for_ids(
            f"""
            SELECT event_id FROM
            (
                SELECT event_id, revision, sum(events) AS standing, sum(unpriced) AS open,
                    sum(ifNull(list_cost, 0)) AS cost, sum(ifNull(effective_cost, 0)) AS effective,
                    sum(ifNull(input_tokens, 0)) + sum(ifNull(output_tokens, 0)) AS tokens
                FROM ledger
                WHERE {OF_EVENTS}
                GROUP BY event_id, revision
            )
            GROUP BY event_id
            HAVING argMax(standing, revision) != 1
                OR countIf(standing != 0 OR open != 0 OR cost != 0 OR effective != 0 OR tokens != 0) > 1
            """,
            sorted(ids),
        )
        return {str(row[0]) for row in rows}

    def _doubly_reported(self, parameters: Mapping[str, object]) -> set[str]:
        """Events of calls that several events report and that something in the interval belongs to."""
        several = self._store.rows(
            f"""
            SELECT response_id
            FROM response_ids
            WHERE response_id IN
            (
                SELECT response_id FROM ledger
                WHERE {_WITHIN} AND response_id != ''
                    AND cityHash64(response_id) % {{parts:UInt32}} = {{part:UInt32}}
            )
            AND {_COMPARED}
            GROUP BY response_id, kind
            HAVING min(event_id) != max(event_id)
            """,
            {**parameters, **self._compared()},
        )
        found: set[str] = set()
        crowded: list[str] = []
        for call, ids in self._reporting([str(row[0]) for row in several]).items():
            if ids is None:
                crowded.append(call.response_id)
            else:
                found |= ids
        # No id of one call, as it turns out: what was taken back while it still looked like one is put back.
        return found | self._found_before(crowded)

    def _found_before(self, response_ids: Collection[str]) -> set[str]:
        rows = self._store.rows_for_ids(
            "SELECT DISTINCT event_id FROM reconciliation_findings WHERE response_id IN {ids:Array(String)}",
            response_ids,
        )
        return {str(row[0]) for row in rows}

    def _touched_again(self, parameters: Mapping[str, object]) -> set[str]:
        """Events found before of which something was booked since, by whomever."""
        rows = self._store.rows(
            f"SELECT DISTINCT event_id FROM ledger WHERE {_WITHIN} "
            "AND event_id IN (SELECT event_id FROM reconciliation_findings)",
            dict(parameters),
        )
        return {str(row[0]) for row in rows}

    def reporting(self, calls: Collection[Call]) -> dict[Call, set[str] | None]:
        """Every event that ever named one of these calls; None of a call that too many name."""
        found = self._reporting({call.response_id for call in calls})
        return {call: found.get(call, set()) for call in calls}

    def _reporting(self, response_ids: Collection[str]) -> dict[Call, set[str] | None]:
        limit = self._precedence.max_reports
        rows = self._store.rows_for_ids(
            f"SELECT response_id, kind, groupUniqArray({limit + 1})(event_id) FROM response_ids "
            f"WHERE response_id IN {{ids:Array(String)}} AND {_COMPARED} GROUP BY response_id, kind",
            sorted(response_ids),
            self._compared(),
        )
        found: dict[Call, set[str] | None] = {}
        for response_id, kind, ids in cast(list[tuple[Any, ...]], rows):
            found[Call(response_id, kind)] = set(ids) if len(ids) <= limit else None
        many = [call for call, few in found.items() if few is None]
        return found | self._repeated(many)

    def _repeated(self, calls: Collection[Call]) -> dict[Call, set[str] | None]:
        """The events of calls that many name because the same is told again and again. The others are left out: their
        events never come here, however many there are."""
        limit, most = self._precedence.max_reports, self._precedence.max_events
        different = f"uniqExact(tuple({', '.join(TOLD)}))"
        named = f"SELECT event_id FROM response_ids WHERE response_id IN {{ids:Array(String)}} AND {_COMPARED}"
        rows = self._store.rows_for_ids(
            f"SELECT response_id, kind, groupUniqArray({most + 1})(event_id) AS events FROM ledger "
            f"WHERE entry_kind = 'charge' AND response_id IN {{ids:Array(String)}} AND event_id IN ({named}) "
            f"AND occurred_at IN (SELECT occurred_at FROM booked_ids WHERE event_id IN ({named})) "
            f"GROUP BY response_id, kind HAVING length(events) <= {most} AND {different} <= {limit}",
            sorted({call.response_id for call in calls}),
            self._compared(),
        )
        found = {Call(row[0], row[1]): set(row[2]) for row in cast(list[tuple[Any, ...]], rows)}
        return {call: found[call] for call in calls if call in found}

    def _compared(self) -> dict[str, object]:
        return {"excluded": list(self._precedence.excluded_providers), "shared": SHARED_ID}

    def entries(self, event_ids: Collection[str]) -> dict[str, list[Mapping[str, Any]]]:
        """All entries by event, oldest first."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for entry in entries_of(self._store, event_ids):
            found.setdefault(entry["event_id"], []).append(entry)
        return found

    def relied_on(self, event_ids: Collection[str]) -> dict[str, datetime]:
        """By event found before, when the oldest charge was booked on which a finding relies."""
        rows = self._store.rows_for_ids(
            "SELECT event_id, min(kept_booked_at) FROM reconciliation_findings WHERE event_id IN {ids:Array(String)} "
            "GROUP BY event_id",
            sorted(event_ids),
        )
        return {str(event_id): _instant(at) for event_id, at in rows}


def _instant(value: object) -> datetime:
    return as_utc(cast(datetime, value))


def _number(value: object) -> int:
    return int(str(value))
