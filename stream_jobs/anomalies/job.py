"""The job 'anomalies': reads the deltas of blocks, judges every minute, and says what is unusual; see running.py."""

from functools import partial

from stream_jobs.anomalies.running import Running
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.telling import EventsFile, Teller
from stream_jobs.base.garbage import no_collecting
from stream_jobs.completeness.log_look import KafkaLooker
from stream_jobs.job_context import Job, JobContext
from stream_jobs.runtime.alert_signals import SignalPublisher
from stream_jobs.runtime.jobs import ANOMALIES
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.metrics import ANOMALIES_BAD_DELTAS
from stream_jobs.runtime.topics import COST_DELTAS
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.feed_app import FeedJob, build_feed_app
from stream_jobs.streams.model import SourceRecord


def build(context: JobContext) -> Job:
    """Raises ConfigError."""
    store = context.new_client()
    events = EventsFile(context.config_dir)
    handler = AnomaliesJob(store, context.kafka, context.settings(AnomaliesSettings), events)
    return Job(partial(build_feed_app, FeedJob(ANOMALIES, COST_DELTAS, handler), **context.faust), close=[store.close])


class AnomaliesJob:
    """A FeedHandler."""

    def __init__(
        self, store: StoreClient, kafka: KafkaSettings, settings: AnomaliesSettings, events: EventsFile
    ) -> None:
        self._store = store
        self._events = events
        self._kafka = kafka
        self._settings = settings
        self._running: Running | None = None

    def begin(self) -> None:
        """Implements FeedHandler."""
        self.end()
        looker = KafkaLooker(self._kafka)
        telling = Teller(self._store, SignalPublisher(self._kafka), self._settings, self._events)
        try:
            with no_collecting():
                self._running = Running(self._store, self._settings, looker, telling)
        except BaseException:
            looker.close()
            telling.close()
            raise

    def handle(self, records: list[SourceRecord]) -> None:
        """Implements FeedHandler."""
        assert self._running is not None
        with no_collecting():
            ANOMALIES_BAD_DELTAS.inc(self._running.handle(records))

    def end(self) -> None:
        """Implements FeedHandler."""
        running, self._running = self._running, None
        if running is not None:
            running.close()
