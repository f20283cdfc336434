"""What metering asks the ledger: which events are booked, and with which entries."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from stream_jobs.blocks.model import Block
from stream_jobs.blocks.store import OTHER_BLOCKS, own_range
from stream_jobs.instants import as_utc
from stream_jobs.metering.dedupe import Booked
from stream_jobs.metering.rows import LEDGER_COLUMNS
from stream_jobs.store.client import StoreClient


class ClickHouseLedger:
    """Implements LedgerReader. Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        if not event_ids:
            return {}
        known = self._store.arrow_for_ids(
            "SELECT event_id, max(revision), min(booked_at) FROM booked_ids "
            f"WHERE event_id IN {{ids:Array(String)}} AND {OTHER_BLOCKS} GROUP BY event_id",
            event_ids,
            own_range(block),
        )
        columns = (column.to_pylist() for column in known.columns)
        return {event_id: Booked(revision, as_utc(since)) for event_id, revision, since in zip(*columns, strict=True)}

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        if not event_ids:
            return []
        names = ", ".join(LEDGER_COLUMNS.names)
        # booked_ids knows when the events occurred, which is what the ledger is ordered by.
        rows = self._store.rows_for_ids(
            f"SELECT {names} FROM ledger WHERE event_id IN {{ids:Array(String)}} AND occurred_at IN "
            "(SELECT occurred_at FROM booked_ids WHERE event_id IN {ids:Array(String)}) "
            f"AND {OTHER_BLOCKS} ORDER BY booked_at, offset, entry_kind",
            event_ids,
            own_range(block),
        )
        return [_entry(row) for row in rows]


def _entry(row: tuple[object, ...]) -> dict[str, Any]:
    entry = dict(zip(LEDGER_COLUMNS.names, row, strict=True))
    for name, value in entry.items():
        if isinstance(value, datetime):
            entry[name] = as_utc(value)
        elif isinstance(value, dict):
            entry[name] = list(value.items())
    return entry
