"""The rows of a price book in the store, for analysts: python -m stream_jobs.ledger.prices VERSION.

A process of its own (see price_process.py): the rows of today's book are seconds of work. Where the store is comes as
one line of JSON on stdin (the fields of ClickHouseSettings); when stdin closes, the process ends. The book is the one
that was recorded in the store under that version. What cannot be done is said in one line on stderr (exit code 1).
"""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import pyarrow as pa

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.ledger.versions import recorded_book
from stream_jobs.pricing.base import base_hash
from stream_jobs.pricing.book import RULES, PriceBook
from stream_jobs.pricing.listed_terms import prices
from stream_jobs.runtime.logs import log_to_stderr
from stream_jobs.runtime.memory import bound_allocators, calm_collector
from stream_jobs.runtime.orphan import stop_with_parent
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings
from stream_jobs.store.tables import TABLES, insert

log = logging.getLogger("spendstream.prices")

_BATCH: Final = 2_000


def has_prices(store: StoreClient, version: str) -> bool:
    """Whether the rows of a book are there."""
    found = store.rows("SELECT count() FROM prices WHERE version = {version:String}", {"version": version})
    return int(str(found[0][0])) > 0


def without_prices(store: StoreClient, version: str) -> list[str]:
    """The books that have no rows yet: the one in use, if so, then what was in use before, the latest first. Only those
    that this release can make again. Raises StoreUnavailableError."""
    rows = store.rows(
        "SELECT version FROM price_book_versions WHERE version NOT IN (SELECT DISTINCT version FROM prices) "
        "AND JSONExtractString(content, 'base_hash') = {base:String} "
        "AND JSONExtractInt(content, 'rules') = {rules:Int64} GROUP BY version ORDER BY max(loaded_at) DESC",
        {"base": base_hash(), "rules": RULES},
    )
    before = [str(found) for (found,) in rows if found != version]
    return before if has_prices(store, version) else [version, *before]


def record_prices(store: StoreClient, book: PriceBook) -> None:
    """All rows of the book, if none is there.

    One insert: who dies before its answer has written all or nothing, and of several that start at once the first one's
    insert counts, because they have the same token. Raises StoreUnavailableError.
    """
    if not has_prices(store, book.version):
        rows = pa.Table.from_batches(_batches(book), TABLES["prices"])
        insert(store.client, "prices", rows, f"prices:{book.version}")


def _batches(book: PriceBook) -> Iterator[pa.RecordBatch]:
    schema = TABLES["prices"]
    rows = prices(book)
    while batch := list(islice(rows, _BATCH)):
        columns = [pa.repeat(pa.scalar(book.version), len(batch))]
        for name, values in zip(schema.names[1:], zip(*batch, strict=True), strict=True):
            columns.append(pa.array(values, schema.field(name).type))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def main(argv: Sequence[str]) -> int:
    """The exit code."""
    (version,) = argv
    settings = ClickHouseSettings.model_validate(json.loads(sys.stdin.buffer.readline()))
    stop_with_parent()
    bound_allocators()
    log_to_stderr()
    try:
        with StoreClient(settings) as store:
            book = recorded_book(store, version)
            calm_collector()
            record_prices(store, book)
    except SpendstreamError as error:
        log.error("cannot write the prices of price book %s: %s", version, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
