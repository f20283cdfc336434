"""From blocks to what people are told, with the job's own detector: one user asks for sixty times as much for a quarter
of an hour, and one alert says so, with who it was; on the real store and broker, in simulated time, over a restart."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from tests.integration.anomaly_world import BEGIN, MINUTE, Blocks, Log, learn, minute, records, told
from tests.integration.test_anomalies_restart import Always
from tests.store_server import StoreProcess
from tests.unit.producers.support import read_topic

pytestmark = pytest.mark.slow

MINUTES = 45
SPIKE = range(15, 30)
RESTART = 24
DAYS = 15
SETTINGS = AnomaliesSettings(history_days=DAYS + 1, grace_s=20, max_series=50)


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        learn(Blocks(store, "history", BEGIN - timedelta(hours=3)), random.Random(5), DAYS, BEGIN)
        yield store


@dataclass
class Told:
    """The job over minutes of usage, and what people hear."""

    store: StoreClient
    broker: str
    folder: Path
    begin: datetime
    events: random.Random = field(default_factory=lambda: random.Random(7))
    at: int = 0
    job: Running | None = None
    teller: Teller | None = None
    read: int = 0

    def __post_init__(self) -> None:
        ensure_topics(embedded_kafka(self.broker), [TopicSpec(ALERTS, 1, 1, {})])
        self.world = Blocks(self.store, "topic", self.begin)
        self.log = Log(self.world)

    def start(self) -> None:
        """Anew, from what was kept."""
        self.close()
        publisher = SignalPublisher(embedded_kafka(self.broker))
        clock = lambda: self.world.now.timestamp()  # noqa: E731, PLW0108 - of whatever now is by then
        self.teller = Teller(self.store, publisher, SETTINGS, EventsFile(self.folder), clock)
        self.job = Running(self.store, SETTINGS, self.log, self.teller, lambda: self.world.now)

    def minute(self, factor: int) -> list[AlertSignal]:
        """What is told within the next minute, in which u1 asks for so many times as much."""
        start = self.begin + self.at * MINUTE
        self.at += 1
        self.world.now = start + timedelta(seconds=59)
        delta = self.world.book(0, minute(self.events, start, factor))
        self.world.receipt(delta)
        if self.job is None:
            self.start()
        assert self.job is not None
        assert self.teller is not None
        come = records([delta])
        for after in (0, 25, 35):
            self.world.now = start + timedelta(seconds=59 + after)
            self.job.handle(come)
            self.teller.wait_for_causes(60)
            come = []
        return self.signals()

    def minutes(self, number: int, factor: int = 1) -> list[AlertSignal]:
        """So many of them."""
        return [signal for _ in range(number) for signal in self.minute(factor)]

    def signals(self) -> list[AlertSignal]:
        """Since the last call."""
        found = read_topic(self.broker, ALERTS)[self.read :]
        self.read += len(found)
        return [AlertSignal.model_validate_json(message.value() or b"") for message in found]

    def close(self) -> None:
        if self.job is not None:
            self.job.close()
        self.job = None


@pytest.fixture
def job(store: StoreClient, broker: TansuBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Of one test in a store: it begins where nothing has come since the history."""
    monkeypatch.setattr(running, "Due", Always)
    told = Told(store, broker.address, tmp_path, BEGIN)
    yield told
    told.close()


def test_an_incident_is_one_alert_that_says_who_it_was(job: Told) -> None:
    """While it goes on, on all levels at once; and it gets graver, never milder."""
    signals = job.minutes(SPIKE.start)
    assert signals == []
    signals = job.minutes(RESTART - SPIKE.start, 60)
    assert signals
    job.start()
    signals += job.minutes(SPIKE.stop - RESTART, 60) + job.minutes(MINUTES - SPIKE.stop)
    assert len({signal.alert_id for signal in signals}) == 1
    assert signals[-1].labels["user_id"] == "u1"
    assert signals[0].summary.startswith("user u1: ")
    assert signals[-1].summary.startswith("user u1: ")
    assert signals[-1].causes[0].startswith(("user u1", "user_id u1"))
    assert {row["group_id"] for row in told(job.store)} == {signals[0].alert_id.removeprefix("anomaly/")}
    levels = [signal.level for signal in signals]
    assert levels == sorted(levels)
