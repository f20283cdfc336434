"""Compute is spread over the hours that it ran, to the last digit, in the real store."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.pricing.book import PriceBook
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES, insert
from stream_jobs.streams.model import Block, SourcePartition, SourceRecord, Versions
from tests.store_server import StoreProcess

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR_US: Final = 3_600_000_000
AMOUNTS: Final = ("gpu_seconds", "busy_gpu_seconds", "list_cost", "contracted_cost", "effective_cost")


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    """A client on empty tables."""
    with StoreClient(process.settings) as store:
        for table in TABLES:
            store.command(f"TRUNCATE TABLE {table}")
        yield store


def job(offset: int, event_id: str, began: datetime, duration: Decimal | None, **changes: Any) -> SourceRecord:
    """Three H100s; without `duration_s`, a minute of each."""
    usage = {"kind": "compute", "accelerator": "H100", "purchase_option": "on_demand", "accelerator_count": 3}
    usage |= {"gpu_seconds": "180"} if duration is None else {"duration_s": f"{duration:f}"}
    document = {
        "schema_version": 1,
        "event_id": event_id,
        "occurred_at": began.isoformat(),
        "source": "scheduler",
        "provider": "aws",
        "region": "us-east-1",
        "usage": usage,
    }
    return SourceRecord(offset, None, None, json.dumps(document | changes).encode())


def book(store: StoreClient, number: int, *records: SourceRecord) -> None:
    """As one block."""
    step = Metering(PriceBook.load(None), AttributionRules.load(None), ClickHouseLedger(store), timedelta(minutes=5))
    source = SourcePartition("usage.events.v1", "jobs", 0)
    fixed_at = NOW + timedelta(seconds=number)
    output = step.process(
        Block(source, records[0].offset, records[-1].offset, fixed_at, Versions("p", "a"), 1), list(records)
    )
    assert output.counts.booked == len(records), output.tables.get("quarantine")
    insert(store.client, "ledger", output.tables["ledger"], f"jobs-{number}")


def spread(amount: Decimal, began: datetime, duration: Decimal) -> dict[datetime, Decimal]:
    """hour -> its part, by whole numbers alone: what there is at its end less what there was at its beginning."""
    start = int((began - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    whole = max(int(duration * 1_000_000), 1)
    units = int(amount * 10**12)
    found = {}
    for hour in range(start // HOUR_US, (start + whole - 1) // HOUR_US + 1):
        since, until = max(hour * HOUR_US - start, 0), min((hour + 1) * HOUR_US - start, whole)
        part = (units * until // whole) - (units * since // whole)
        found[datetime.fromtimestamp(hour * 3600, UTC)] = Decimal(part).scaleb(-12)
    return found


def test_the_hours_of_a_job_add_up_to_the_job(store: StoreClient) -> None:
    """Whatever the duration, from a microsecond to 31 days, and however the job lies in its hours; a job that does not
    say how long is whole in the hour of its instant; a corrected one leaves nothing in the hours it no longer ran."""
    rng = random.Random(20)
    durations: list[Decimal | None] = [Decimal("0.000001"), Decimal(3600), Decimal(31 * 86_400), Decimal("0"), None]
    durations += [Decimal(rng.randint(1, 400_000_000_000)).scaleb(-6) for _ in range(6)]
    began = [NOW - timedelta(days=32, microseconds=rng.randint(0, 10**12)) for _ in durations]
    began[1] = datetime(2026, 10, 1, 7, tzinfo=UTC)  # on the hour: one row, not two
    jobs = list(zip(began, durations, strict=True))
    book(store, 0, *[job(n, f"job-{n}", *each) for n, each in enumerate(jobs)])
    jobs[-1] = NOW - timedelta(days=33), Decimal("7201.5")
    book(store, 1, job(len(jobs), f"job-{len(jobs) - 1}", *jobs[-1], revision=1))

    booked = store.rows(
        f"SELECT event_id, {', '.join(f'sum({name})' for name in AMOUNTS)} FROM ledger GROUP BY event_id"
    )
    assert len(booked) == len(jobs)
    expected: dict[str, dict[datetime, list[Decimal]]] = {}
    for event_id, *amounts in booked:
        when, duration = jobs[int(str(event_id).partition("-")[2])]
        by_hour: dict[datetime, list[Decimal]] = defaultdict(list)
        for amount in amounts:
            for hour, part in spread(Decimal(str(amount or 0)), when, duration or Decimal(0)).items():
                by_hour[hour].append(part)
        if any(amounts):
            expected[str(event_id)] = {hour: parts for hour, parts in by_hour.items() if any(parts)}
    sums = ", ".join(f"ifNull(sum({name}), 0)" for name in AMOUNTS)
    found: dict[str, dict[datetime, list[Decimal]]] = defaultdict(dict)
    for event_id, at, *parts in store.rows(
        f"SELECT event_id, toUnixTimestamp(hour), {sums} FROM compute_by_hour GROUP BY event_id, hour"
    ):
        if any(parts):
            ran = datetime.fromtimestamp(int(str(at)), UTC)
            found[str(event_id)][ran] = [Decimal(str(part)) for part in parts]
    assert found == expected
    assert len(expected["job-2"]) == 31 * 24 + 1
    assert len(expected["job-1"]) == 1
    assert store.rows("SELECT sum(events), sum(effective_cost), sum(unpriced) FROM compute_by_hour") == store.rows(
        "SELECT sum(events), sum(effective_cost), sum(unpriced) FROM ledger"
    )
    longest = "sumIf(seconds, event_id = 'job-2'), maxIf(seconds, event_id = 'job-2')"
    assert store.rows(f"SELECT {longest} FROM compute_by_hour") == [(31 * 86_400, 3600)]
