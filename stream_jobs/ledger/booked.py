"""What a block asks of what is booked: which events are, and with which entries."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from stream_jobs.base.instants import as_utc
from stream_jobs.ledger.columns import BLOCK_COLUMNS
from stream_jobs.ledger.known import Booked
from stream_jobs.ledger.own_block import OWN_BLOCK, own_block
from stream_jobs.ledger.reader import OF_EVENTS, entries_of
from stream_jobs.origin.standing import Held
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import Block

_AMONG_IDS: Final = "event_id IN (SELECT arrayJoin({ids:Array(String)}))"
"""As a subquery's rows: a constant array of thousands is copied and hashed with the statement, again and again."""
HELD_COLUMNS: Final = ("event_id", *Held._fields[:-1], "entry_kind")


class Tables(NamedTuple):
    """Where a topic's events are booked: one row per entry, and which ids have a charge."""

    entries: str
    ids: str
    columns: Sequence[str]  # those that a block fills
    of_events: str  # SQL condition: the entries of {ids}
    by_blocks: str  # SQL condition: entries that blocks have booked, or that take such back


LEDGER: Final = Tables(
    "ledger", "booked_ids", BLOCK_COLUMNS.names, OF_EVENTS, "(entry_kind = 'charge' OR adjustment_run = '')"
)


class ClickHouseLedger:
    """Implements BookedEvents. Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient, tables: Tables = LEDGER) -> None:
        self._store = store
        self._tables = tables

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        if not event_ids:
            return {}
        known = self._store.arrow_for_ids(
            "SELECT event_id, groupArray(revision), groupArray(booked_at) "
            f"FROM {self._tables.ids} "
            f"WHERE {_AMONG_IDS} AND NOT {OWN_BLOCK} GROUP BY event_id",
            event_ids,
            own_block(block),
        )
        own = self._own_revisions(block) if block.redone and known.num_rows else {}
        columns = (column.to_pylist() for column in known.columns)
        found = {
            event_id: _by_others(revisions, instants, own.get(event_id))
            for event_id, revisions, instants in zip(*columns, strict=True)
        }
        return {event_id: booked for event_id, booked in found.items() if booked is not None}

    def _own_revisions(self, block: Block) -> dict[str, int]:
        """What the block charged before it was redone. From the ledger itself: booked_ids hangs on it, and may lack
        what the store had no time to hand on when it died."""
        rows = self._store.rows(
            f"SELECT event_id, max(revision) FROM {self._tables.entries} "
            f"WHERE {OWN_BLOCK} AND entry_kind = 'charge' GROUP BY event_id",
            own_block(block),
        )
        return {str(event_id): int(str(revision)) for event_id, revision in rows}

    def held(self, event_ids: Collection[str], block: Block) -> Mapping[str, list[Held]]:
        entries = self._of(event_ids, HELD_COLUMNS, self._tables.by_blocks, block)
        own = self._own_revisions(block) if block.redone and entries else {}
        found: dict[str, list[Held]] = {}
        for entry in entries:
            event_id, held = entry["event_id"], Held.of(entry)
            # See _by_others: what others booked of this or a later revision, they booked since.
            if event_id not in own or held.revision < own[event_id]:
                found.setdefault(event_id, []).append(held)
        return found

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        return self._of(event_ids, self._tables.columns, "true", block)

    def _of(
        self, event_ids: Collection[str], names: Sequence[str], condition: str, block: Block
    ) -> list[Mapping[str, Any]]:
        source = f"{self._tables.entries} WHERE {self._tables.of_events}"
        return entries_of(
            self._store, event_ids, names, f"NOT {OWN_BLOCK} AND {condition}", own_block(block), source=source
        )


def _by_others(revisions: list[int], instants: list[datetime], own_revision: int | None) -> Booked | None:
    """What other blocks booked of an event before this one did.

    A block that is redone may have charged it itself (`own_revision`). Then others had booked lower revisions only: it
    would not have charged it otherwise. Anything else they booked since.
    """
    others = list(zip(revisions, instants, strict=True))
    if own_revision is not None:
        others = [(revision, since) for revision, since in others if revision < own_revision]
    if not others:
        return None
    since = min(as_utc(instant) for _, instant in others)
    return Booked(max(revision for revision, _ in others), since, several=len(others) > 1)
