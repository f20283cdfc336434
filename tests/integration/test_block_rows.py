"""The rows that fix blocks, when two workers fixed the same range: what is redone must be what was booked."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import Block, SourcePartition, Versions
from tests.store_server import StoreProcess

SOURCE = SourcePartition("usage.events.v1", "topic", 3)
FIXED_AT = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreClient]:
    process = StoreProcess.made(tmp_path / "store")
    try:
        with StoreClient(process.settings) as store:
            yield store
    finally:
        process.kill()


def test_a_block_that_a_refused_worker_fixed_before_keeps_its_own_instant_and_versions(store: StoreClient) -> None:
    """The row of a worker whose commit was refused does not stand in for the same range fixed again: a redo computes
    with the instant and the versions that the official block was booked with."""
    refused = Block(SOURCE, 4, 253, FIXED_AT, Versions("book-1", "rules-1"), 1)
    official = Block(SOURCE, 4, 253, FIXED_AT + timedelta(seconds=4), Versions("book-2", "rules-2"), 1)
    blocks = ClickHouseBlocks(store)

    async def book() -> Block | None:
        await blocks.write_block_row(refused)
        for _ in range(2):  # the second time because the answer to the first was lost
            await blocks.write_block_row(official)
        return await blocks.last_block(SOURCE, 254)

    assert asyncio.run(book()) == official
    assert store.rows("SELECT count() FROM blocks") == [(2,)], "and a repeated row is one row"
