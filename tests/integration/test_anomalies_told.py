"""From blocks to what people are told, with the job's own detector: one user asks for sixty times as much for a quarter
of an hour, and one alert says so, with who it was; on the real store and broker, in simulated time, over a restart."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
from tests.integration.anomaly_world import MINUTE, Blocks, Log, learn, minute, records, told
from tests.integration.test_anomalies_restart import Always
from tests.store_server import StoreProcess
from tests.unit.producers.support import read_topic

MINUTES = 45
SPIKE = range(15, 30)
RESTART = 24
DAYS = 15
BEGIN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=6)
SETTINGS = AnomaliesSettings(history_days=DAYS + 1, grace_s=20, max_series=50)


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        learn(Blocks(store, "history", BEGIN - timedelta(hours=3)), random.Random(5), DAYS, BEGIN)
        yield store


def test_an_incident_is_one_alert_that_says_who_it_was(
    store: StoreClient, broker: TansuBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it goes on, on all levels at once; and it gets graver, never milder."""
    monkeypatch.setattr(running, "Due", Always)
    address = broker.address
    kafka = embedded_kafka(address)
    ensure_topics(kafka, [TopicSpec(ALERTS, 1, 1, {})])
    world = Blocks(store, "topic", BEGIN)
    log, events = Log(world), random.Random(7)

    def begun() -> tuple[Running, Teller]:
        clock = lambda: world.now.timestamp()  # noqa: E731, PLW0108 - of whatever now is by then
        teller = Teller(store, SignalPublisher(kafka), SETTINGS, EventsFile(tmp_path), clock)
        return Running(store, SETTINGS, log, teller, lambda: world.now), teller

    job, teller = None, None
    told_at = None
    for at in range(MINUTES):
        start = BEGIN + at * MINUTE
        world.now = start + timedelta(seconds=59)
        delta = world.book(0, minute(events, start, 60 if at in SPIKE else 1))
        world.receipt(delta)
        if job is None or at == RESTART:
            if job is not None:
                job.close()
            job, teller = begun()
        assert teller is not None
        come = records([delta])
        for after in (0, 25, 35):
            world.now = start + timedelta(seconds=59 + after)
            job.handle(come)
            teller.wait_for_causes(60)
            come = []
        if told_at is None and read_topic(address, ALERTS):
            told_at = at
    assert job is not None
    job.close()
    signals = [AlertSignal.model_validate_json(message.value() or b"") for message in read_topic(address, ALERTS)]
    assert len({signal.alert_id for signal in signals}) == 1
    assert told_at in SPIKE
    assert signals[-1].labels["user_id"] == "u1"
    assert signals[0].summary.startswith("user u1: ")
    assert signals[-1].summary.startswith("user u1: ")
    assert "user u1" in signals[-1].causes[0]
    assert {row["group_id"] for row in told(store)} == {signals[0].alert_id.removeprefix("anomaly/")}
    levels = [signal.level for signal in signals]
    assert levels == sorted(levels)
