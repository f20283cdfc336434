"""A block is redone with the prices and rules it was fixed with, whatever was loaded since."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.ledger.versions import record_versions
from stream_jobs.metering.pinned_versions import with_pinned_versions
from stream_jobs.metering.process import Metering
from stream_jobs.pricing.book import PriceBook
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from stream_jobs.streams.model import Block, SourcePartition
from tests.integration.block_writes import insert_block
from tests.store_server import StoreProcess
from tests.unit.metering.build import record

OVERLAY = "overlays:\n  - name: half of everything\n    scope: {provider: openai}\n    multiplier: 0.5\n"
RULES = "rules:\n  - name: everything is theirs\n    set: {team: theirs}\n"
SUMS = "SELECT sum(events), sum(contracted_cost), max(team) FROM "


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        for table in ("ledger", "booked_ids", "cost_1d", "price_book_versions", "attribution_versions"):
            store.command(f"TRUNCATE TABLE {table}")
        yield store


def metering(store: StoreClient, config_dir: Path | None) -> Metering:
    """What a worker that loads this folder books with, on record as a worker leaves it."""
    book, rules = PriceBook.load(config_dir), AttributionRules.load(config_dir)
    record_versions(store, book, rules, config_dir)
    return Metering(book, rules, ClickHouseLedger(store), timedelta(minutes=5))


def test_a_redo_after_a_change_of_prices_and_rules_completes_what_the_first_run_began(
    store: StoreClient, tmp_path: Path
) -> None:
    """The ledger has the block, the rollup does not: the redo must feed it what the ledger holds."""
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "half.yaml").write_text(OVERLAY)
    (tmp_path / "attribution.yaml").write_text(RULES)
    then, now = metering(store, None), metering(store, tmp_path)
    source = SourcePartition("usage.events.v1", "topic-redo-versions", 0)
    block = Block(source, 0, 1, datetime.now(UTC), then.versions(), 1)
    records = [record(0, "a", tokens=1_000_000), record(1, "b", tokens=1_000_000)]
    store.command("DETACH TABLE cost_1d_feed")
    try:
        insert(store.client, "ledger", then.process(block, records).tables["ledger"], block.token)
    finally:
        store.command("ATTACH TABLE cost_1d_feed")
    assert store.rows("SELECT count() FROM cost_1d") == [(0,)], "what the crash left behind"

    blocks, again = ClickHouseBlocks(store), replace(block, redone=True)
    output = with_pinned_versions(now, block.versions, store).process(again, records)
    asyncio.run(insert_block(blocks, again, output))
    (events, cost, team), *_ = store.rows(f"{SUMS}ledger")
    assert (events, team) == (2, "")
    assert cost == 2 * Decimal("2.5")
    assert store.rows(f"{SUMS}cost_1d") == [(events, cost, team)]


def test_versions_that_were_never_recorded_are_replaced_by_what_is_loaded(
    store: StoreClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Booking goes on; what was not inserted yet is priced by what is loaded, and the log says so."""
    now = metering(store, None)
    with caplog.at_level(logging.ERROR):
        found = with_pinned_versions(now, replace(now.versions(), price_book="unknown", attribution="unknown"), store)
    assert found == now
    assert caplog.text.count("not with what it was fixed with") == 2
