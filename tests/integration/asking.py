"""A connection to a store for many questions: to make one costs the store four times what a short question does, and
tests ask until something holds, beside the processes that they wait for."""

import weakref
from typing import Any

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings


class Asking:
    """Questions as over a connection of their own; closed by `close`, and where nobody has this any more."""

    def __init__(self) -> None:
        self._settings: ClickHouseSettings | None = None
        self._client: StoreClient | None = None
        self._closing: weakref.finalize[[], Asking] | None = None

    def rows(self, settings: ClickHouseSettings, sql: str) -> list[tuple[Any, ...]]:
        """Raises as StoreClient's `rows` does."""
        if self._client is not None and self._settings == settings:
            try:
                return [tuple(row) for row in self._client.rows(sql)]
            except StoreUnavailableError:
                pass  # it may have been another process that answered there
        self.close()
        client = StoreClient(settings)
        self._settings, self._client, self._closing = settings, client, weakref.finalize(self, client.close)
        return [tuple(row) for row in client.rows(sql)]

    def close(self) -> None:
        """Safe to call twice; a later question makes a new one."""
        closing, self._client, self._closing = self._closing, None, None
        if closing is not None:
            closing()
