"""Ledgers in memory for measuring the metering step without a store."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from stream_jobs.ledger.known import Booked
from stream_jobs.origin.standing import Held
from stream_jobs.streams.model import Block


class EmptyLedger:
    """Knows no event: every one is new."""

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        return {}

    def held(self, event_ids: Collection[str], block: Block) -> Mapping[str, list[Held]]:
        return {}

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        return []


class MemoryLedger(EmptyLedger):
    """Remembers every event it was told of."""

    def __init__(self) -> None:
        self._booked: dict[str, Booked] = {}

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        known = self._booked
        return {event_id: known[event_id] for event_id in event_ids if event_id in known}

    def remember(self, event_ids: Collection[str]) -> None:
        """They are booked from now on."""
        first = Booked(0, datetime.now(UTC))
        self._booked.update(dict.fromkeys(event_ids, first))
