"""The outcomes job's look-up of what is booked, when a block is redone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from stream_jobs.outcomes.process import ClickHouseOutcomes, Outcomes
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from stream_jobs.streams.model import Block, SourcePartition, Versions
from tests.store_server import StoreProcess
from tests.unit.outcomes.test_process import NOW, record


@pytest.mark.parametrize("ids_too", [True, False], ids=["with its ids", "without its ids"])
def test_a_redo_does_not_call_its_own_outcome_a_duplicate_of_a_later_one(process: StoreProcess, ids_too: bool) -> None:
    """As metering: the table says what the block booked, also when the store died before it handed the ids on."""
    with StoreClient(process.settings) as store:
        for table in ("outcomes", "outcome_ids"):
            store.command(f"TRUNCATE TABLE {table}")
        step = Outcomes(ClickHouseOutcomes(store), timedelta(minutes=5))
        mine, other = (
            Block(
                SourcePartition("usage.outcomes.v1", f"topic-{ids_too}", partition),
                0,
                1,
                NOW + timedelta(microseconds=partition),
                Versions(),
                1,
            )
            for partition in (0, 1)
        )
        records = [record(0, "a"), record(1, "b")]
        first, elsewhere = step.process(mine, records), step.process(other, [record(0, "b"), record(1, "c")])
        insert(store.client, "outcomes", first.tables["outcomes"], mine.token)
        if not ids_too:
            store.command("TRUNCATE TABLE outcome_ids")
        insert(store.client, "outcomes", elsewhere.tables["outcomes"], other.token)
        assert step.process(replace(mine, redone=True), records).counts == first.counts
        later = Block(mine.source, 2, 3, NOW + timedelta(seconds=1), Versions(), 1)
        assert step.process(later, [record(2, "b"), record(3, "d")]).counts.duplicates == 1
