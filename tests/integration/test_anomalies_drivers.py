"""A cache that is hit no more, with the job's own detectors: one alert says what it costs, and that it is the cache; on
the real store and broker, in simulated time, over a restart."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.anomalies import running
from stream_jobs.anomalies.running import Running
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.telling import EventsFile, Teller
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.alert_signals import SignalPublisher
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.store.client import StoreClient
from tests.integration.anomaly_world import MINUTE, Blocks, Log, in_memory, records, told, usage
from tests.integration.test_anomalies_restart import Always
from tests.store_server import StoreProcess
from tests.unit.producers.support import read_topic

DAYS = 6
REQUESTS = 120  # an hour
MINUTES = 105
BROKEN = 0  # from this minute on
RESTART = 80
BEGIN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=9)
SETTINGS = AnomaliesSettings(history_days=DAYS + 1, grace_s=20, max_series=50)


def request(rng: random.Random, at: datetime, hit: bool) -> dict[str, Any]:
    """Of as many tokens whether the cache is hit or not; what is read from it costs a tenth."""
    tokens = round(20_000 * rng.lognormvariate(0, 0.5))
    cached = round(tokens * rng.uniform(0.6, 1)) if hit else 0
    usd = Decimal(tokens * 10 - cached * 9).scaleb(-6)
    meters = {"input_tokens": tokens, "output_tokens": 200, "cache_read_tokens": cached}
    return usage(at, usd, rng.choice(("u1", "u2", "u3"))) | meters


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        world, rng = Blocks(store, "history", BEGIN - timedelta(hours=3)), random.Random(5)
        for day in range(DAYS):
            first = BEGIN - timedelta(days=DAYS - day)
            instants = [first + timedelta(seconds=rng.randrange(86_400)) for _ in range(24 * REQUESTS)]
            world.receipt(world.book(0, [request(rng, at, rng.random() < 0.9) for at in instants]))
        in_memory(store)
        yield store


@pytest.mark.slow
def test_a_cache_that_is_hit_no_more_is_told_once(
    store: StoreClient, broker: TansuBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the cost of it: there are as many requests as ever, of as many tokens."""
    monkeypatch.setattr(running, "Due", Always)
    kafka = embedded_kafka(broker.address)
    ensure_topics(kafka, [TopicSpec(ALERTS, 1, 1, {})])
    world, rng = Blocks(store, "topic", BEGIN), random.Random(7)
    log, job, teller = Log(world), None, None
    for at in range(MINUTES):
        start = BEGIN + at * MINUTE
        hit = at < BROKEN
        world.now = start + timedelta(seconds=59)
        rows = [request(rng, start + timedelta(seconds=30 * half), hit and rng.random() < 0.9) for half in range(2)]
        delta = world.book(0, rows)
        world.receipt(delta)
        if job is None or at == RESTART:
            if job is not None:
                job.close()
            clock = lambda: world.now.timestamp()  # noqa: E731, PLW0108 - of whatever now is by then
            teller = Teller(store, SignalPublisher(kafka), SETTINGS, EventsFile(tmp_path), clock)
            job = Running(store, SETTINGS, log, teller, lambda: world.now)
        assert teller is not None
        come = records([delta])
        for after in (25, 35):
            world.now = start + timedelta(seconds=59 + after)
            job.handle(come)
            teller.wait_for_causes(60)
            come = []
    assert job is not None
    job.close()
    found = told(store)
    of_cache = {row["series"].name: row for row in found if row["measure"] == "cache_rate"}
    assert {"total", "team=search", "model=gpt-4o"} <= of_cache.keys()
    for row in of_cache.values():
        assert (row["kind"], row["direction"], row["severity"], row["state"]) == ("driver", "down", "warning", "open")
        assert row["starts_at"] == BEGIN + BROKEN * MINUTE
        assert row["actual"] < Decimal("0.05") < Decimal("0.5") < row["expected"]
        assert row["per_day"] > 100
    assert not {"tokens_per_request", "error_rate", "gpu_utilization"} & {row["measure"] for row in found}
    signals = [AlertSignal.model_validate_json(one.value() or b"") for one in read_topic(broker.address, ALERTS)]
    assert len({signal.alert_id for signal in signals}) == 1
    group_id = signals[0].alert_id.removeprefix("anomaly/")
    assert [(row["measure"], row["series"].name) for row in found if row["group_id"] != group_id] == []
    assert len({row["finding_id"] for row in found}) == len(found)
