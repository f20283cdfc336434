"""All entries of an event, whoever asks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from stream_jobs.base.instants import as_utc
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.store.client import StoreClient

OF_EVENTS: Final = (
    "event_id IN {ids:Array(String)} "
    "AND occurred_at IN (SELECT occurred_at FROM booked_ids WHERE event_id IN {ids:Array(String)})"
)
"""SQL condition for `rows_for_ids`; booked_ids knows when events occurred, which is what the ledger is ordered by."""


def entries_of(
    store: StoreClient,
    event_ids: Collection[str],
    names: Sequence[str] = LEDGER_COLUMNS.names,
    condition: str = "true",
    parameters: dict[str, object] | None = None,
    source: str = f"ledger WHERE {OF_EVENTS}",
) -> list[Mapping[str, Any]]:
    """The entries of these events, those of each oldest first, and of one record what it takes back before what it
    books; maps as lists of pairs. Raises StoreUnavailableError.

    `source`: where they are, and which of them; another table than the ledger has the columns that they are sorted by.
    """
    rows = store.rows_for_ids(
        f"SELECT {', '.join(names)} FROM {source} AND {condition} "
        "ORDER BY booked_at, topic_id, partition, offset, events, entry_kind",
        sorted(event_ids),
        parameters,
    )
    return [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in rows]


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return as_utc(value)
    return list(value.items()) if isinstance(value, dict) else value
