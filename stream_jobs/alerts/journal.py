"""Records what receivers were told, from the event loop. Waits while the store is away: nothing is told that is not on
record."""

import asyncio
import contextlib

from stream_jobs.alerts.compose import Planned
from stream_jobs.alerts.rows import DeliveryState, delivery_row
from stream_jobs.alerts.store import AlertStore, new_token
from stream_jobs.base.errors import LostPartitionError, RetryError
from stream_jobs.base.instants import utc_now
from stream_jobs.runtime.retry import OUTAGE, retry
from stream_jobs.runtime.topics import ALERTS


class Journal:
    def __init__(self, store: AlertStore) -> None:
        self._store = store
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Whoever waits for the store waits no longer."""
        self._closed.set()

    async def record(self, planned: Planned, state: DeliveryState, attempt: int, answer: str = "") -> None:
        """Returns when it is in the store. Raises LostPartitionError when the journal is closed first."""
        rows = await asyncio.to_thread(delivery_row, planned, state, utc_now(), attempt, answer)
        token = new_token()

        async def insert() -> None:
            if self._closed.is_set():
                raise LostPartitionError(ALERTS, 0, 0)
            await asyncio.to_thread(self._store.insert, "alert_deliveries", rows, token)

        await retry(insert, "notifications wait for the store", RetryError, OUTAGE, self._pause)

    async def _pause(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), pause_s)
