"""The rows of a price book in the store, for analysts: each version is written once, by whoever finds it missing."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import pyarrow as pa

from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.listed_terms import prices
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES, insert

LOOK_S: Final = 30.0
"""How often a worker looks whether the prices of its book are there, until they are."""
_BATCH: Final = 2_000


class PriceRows:
    """Beside booking, in a thread of its own: a worker waits for nothing here."""

    def __init__(
        self, new_client: Callable[[], StoreClient], book: PriceBook, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        """`stopping`: whether the worker ends, which does not wait for the rest."""
        self._new_client = new_client
        self.book = book  # in use; written by another thread
        self._stopping = stopping
        self._written = ""

    def tick(self) -> None:
        """Write what is missing. Raises StoreUnavailableError: then the next tick does it."""
        book = self.book
        if self._written != book.version:
            with self._new_client() as store:
                if record_prices(store, book, calm=True, stopping=self._stopping):
                    self._written = book.version


def record_prices(
    store: StoreClient, book: PriceBook, *, calm: bool = False, stopping: Callable[[], bool] = lambda: False
) -> bool:
    """All rows of the book, if none is there.

    One insert: a worker that dies before its answer has written all or nothing, and of several that start at once the
    first one's insert counts, because they have the same token. `calm`: half of the time is left to others. Returns
    whether they are there: not when it was `stopping` on the way, and nothing is written then.
    """
    found = store.rows("SELECT count() FROM prices WHERE version = {version:String}", {"version": book.version})
    if not int(str(found[0][0])):
        batches = []
        for batch in _batches(book, calm=calm):
            if stopping():
                return False
            batches.append(batch)
        insert(store.client, "prices", pa.Table.from_batches(batches, TABLES["prices"]), f"prices:{book.version}")
    return True


def _batches(book: PriceBook, *, calm: bool) -> Iterator[pa.RecordBatch]:
    schema = TABLES["prices"]
    rows = prices(book)
    while True:
        start = time.thread_time()
        batch = list(islice(rows, _BATCH))
        if not batch:
            return
        columns = [pa.repeat(pa.scalar(book.version), len(batch))]
        for name, values in zip(schema.names[1:], zip(*batch, strict=True), strict=True):
            columns.append(pa.array(values, schema.field(name).type))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        if calm:
            time.sleep(time.thread_time() - start)
