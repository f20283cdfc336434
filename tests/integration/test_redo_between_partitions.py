"""A copy of an event in another partition, booked between a block and its redo: each record keeps its one fate."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition
from tests.integration.block_writes import insert_block
from tests.store_server import StoreProcess
from tests.unit.metering.build import TokenPricer, record


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreClient]:
    process = StoreProcess.made(tmp_path / "store")
    try:
        with StoreClient(process.settings) as store:
            yield store
    finally:
        process.kill()


def insert(blocks: ClickHouseBlocks, block: Block, output: BlockOutput) -> None:
    asyncio.run(insert_block(blocks, block, output))


@pytest.mark.parametrize("ids_too", [True, False], ids=["with its ids", "without its ids"])
def test_a_redo_does_not_call_its_own_charge_a_duplicate_of_a_later_one(store: StoreClient, ids_too: bool) -> None:
    """Two partitions book copies of an event side by side; one worker dies with its ledger rows in and the rest not
    (the store, too, may have died before it handed them on to booked_ids). The redo must say what the first run said,
    or the record is a charge and a duplicate at once."""
    metering = Metering(TokenPricer(), AttributionRules.load(None), ClickHouseLedger(store), timedelta(minutes=5))
    blocks = ClickHouseBlocks(store)

    def block(partition: int) -> Block:
        source = SourcePartition("usage.events.v1", "topic", partition)
        return Block(source, 0, 2, datetime.now(UTC), metering.versions(), 1)

    mine, other = block(0), block(1)
    records = [record(0, "stray", tokens=5), record(1, "own", tokens=7), record(2, "stray", tokens=5)]
    first = metering.process(mine, records)
    elsewhere = metering.process(other, [record(offset, f"{offset or 'stray'}", tokens=5) for offset in range(3)])
    insert(blocks, mine, BlockOutput(first.counts, {"ledger": first.tables["ledger"]}))
    store.command("TRUNCATE TABLE block_receipts")  # it died before the receipt
    if not ids_too:
        store.command("TRUNCATE TABLE booked_ids")
    insert(blocks, other, elsewhere)
    redone = metering.process(replace(mine, redone=True), records)
    assert redone.counts == first.counts
    assert redone.tables["duplicates"].column("offset").to_pylist() == [2]


def test_a_redo_of_a_correction_still_takes_back_what_others_booked(store: StoreClient) -> None:
    """What the block itself booked hides only what is not older: a redone correction retracts the earlier revision."""
    metering = Metering(TokenPricer(), AttributionRules.load(None), ClickHouseLedger(store), timedelta(minutes=5))
    blocks = ClickHouseBlocks(store)
    source = SourcePartition("usage.events.v1", "topic", 0)
    earlier = Block(source, 0, 0, datetime.now(UTC), metering.versions(), 1)
    insert(blocks, earlier, metering.process(earlier, [record(0, "a", tokens=100)]))
    block = Block(source, 1, 2, datetime.now(UTC), metering.versions(), 1)
    records = [record(1, "a", tokens=7, revision=1), record(2, "a", tokens=9)]
    first = metering.process(block, records)
    insert(blocks, block, first)
    redone = metering.process(replace(block, redone=True), records)
    assert redone.counts == first.counts
    assert redone.tables["ledger"].column("entry_kind").to_pylist() == ["retraction", "charge"]
