"""The outcomes job's look-up of what is booked: for corrections, and when a block is redone."""

from dataclasses import asdict, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.outcomes.process import OUTCOMES, Outcomes
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert
from stream_jobs.streams.model import Block, SourcePartition, Versions
from tests.store_server import StoreProcess
from tests.unit.outcomes.test_process import NOW, record


@pytest.mark.parametrize("ids_too", [True, False], ids=["with its ids", "without its ids"])
def test_a_redo_does_not_call_its_own_outcome_a_duplicate_of_a_later_one(process: StoreProcess, ids_too: bool) -> None:
    """As metering: the table says what the block booked, also when the store died before it handed the ids on."""
    with StoreClient(process.settings) as store:
        for table in ("outcomes", "outcome_ids"):
            store.command(f"TRUNCATE TABLE {table}")
        step = Outcomes(ClickHouseLedger(store, OUTCOMES), timedelta(minutes=5))
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


def test_a_correction_moves_an_outcome_to_its_new_day(process: StoreProcess) -> None:
    """In the store, through the tables as they are: the sums of the day it was of are zero, those of the new day are
    what the last revision says; conservation counts each record once, a redo finds what it found, and a copy is one."""
    with StoreClient(process.settings) as store:
        for table in ("outcomes", "outcome_ids", "duplicates", "block_receipts"):
            store.command(f"TRUNCATE TABLE {table}")
        step = Outcomes(ClickHouseLedger(store, OUTCOMES), timedelta(minutes=5))
        changes = [{}, {"revision": 1, "value_usd": "7"}, {"revision": 2, "occurred_at": "2026-11-18T10:00:00Z"}, {}]
        for number, change in enumerate(changes):
            block = Block(
                SourcePartition("usage.outcomes.v1", "corrected", 0),
                number,
                number,
                NOW + timedelta(seconds=number),
                Versions(),
                1,
            )
            records = [record(number, "a", labels={"x": "y"}, **change)]
            output = step.process(block, records)
            for name, table in output.tables.items():
                insert(store.client, name, table, f"{block.token}-{name}")
            receipt = {
                **{"topic": block.source.topic, "topic_id": "corrected", "partition": 0, "worker": "w"},
                **{"first_offset": number, "last_offset": number, "completed_at": block.fixed_at},
                **asdict(output.counts),
            }
            insert(store.client, "block_receipts", arrow_table("block_receipts", [receipt]), f"{block.token}-receipt")
            redone = step.process(replace(block, redone=True), records)
            assert (redone.counts, redone.tables) == (output.counts, output.tables)
        assert store.rows(
            "SELECT toDate(occurred_at), sum(events), sum(value_usd), sum(quantity), count() FROM outcomes "
            "GROUP BY 1 ORDER BY 1"
        ) == [
            (date(2026, 11, 18), 1, Decimal("12.345678901234"), 1, 1),
            (date(2026, 11, 20), 0, 0, 0, 4),
        ]
        assert store.rows("SELECT revision FROM outcome_ids ORDER BY revision") == [(0,), (1,), (2,)]
        closed = "booked, duplicates, difference, rows_missing, rows_extra, receipt_missing, taken_back"
        sums = ", ".join(f"sum({name})" for name in closed.split(", "))
        assert store.rows(f"SELECT {sums} FROM conservation WHERE topic_id = 'corrected'") == [(3, 1, 0, 0, 0, 0, 0)]
