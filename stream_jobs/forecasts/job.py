"""The job 'forecasts': says what series and budgets will come to, hour by hour and day by day; see running.py.

It reads the deltas of blocks for their assignment alone: who has their one partition makes the forecasts.
"""

from functools import partial
from pathlib import Path

from stream_jobs.completeness.log_look import KafkaLooker
from stream_jobs.forecasts.demand_answer import PATH, route
from stream_jobs.forecasts.demand_board import READ_S, DemandBoard, utc_now
from stream_jobs.forecasts.foreknowledge import Foreknowledge
from stream_jobs.forecasts.rests import Rests
from stream_jobs.forecasts.running import Running
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.forecasts.slow_members import Kept
from stream_jobs.job_context import Job, JobContext
from stream_jobs.planned.document import FILE_NAME
from stream_jobs.planned.events import PlannedEvents, load_events
from stream_jobs.runtime.files_reload import FilesReload
from stream_jobs.runtime.jobs import FORECASTS
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.timer import Timer
from stream_jobs.runtime.topics import COST_DELTAS
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.feed_app import FeedJob, build_feed_app
from stream_jobs.streams.model import SourceRecord


def build(context: JobContext) -> Job:
    """Raises ConfigError."""
    store, config_dir = context.new_client(), context.config_dir
    events = EventsFile(config_dir)
    context.in_use.book()  # what is wrong with it is said at the start
    foreknowledge = Foreknowledge(store, lambda: events.events, context.in_use.book)
    settings = context.settings(ForecastsSettings)
    handler = ForecastsJob(store, context.kafka, settings, config_dir, foreknowledge)
    looking = context.new_client()  # a client is one thread's
    board = DemandBoard(looking)
    every_s = READ_S if settings.demand_values else 0
    demand = Timer("demand", every_s, board.look, doing="read what is forecast of demand", at_once=True)
    return Job(
        partial(build_feed_app, FeedJob(FORECASTS, COST_DELTAS, handler), **context.faust),
        timers=[events.reload.timer, demand],
        close=[store.close, looking.close],
        routes={PATH: route(board.outlook, utc_now)},
    )


class EventsFile:
    """`events.yaml`, as it is by now; of one that cannot be used any more, as it last could be."""

    def __init__(self, config_dir: Path | None) -> None:
        """Raises ConfigError for one that cannot be used."""
        files = (config_dir / FILE_NAME,) if config_dir is not None else ()
        # First: what is loaded later belongs to files that changed after this.
        self.reload = FilesReload("planned events", lambda: files, partial(load_events, config_dir), self._take)
        self.events = load_events(config_dir)

    def _take(self, events: PlannedEvents) -> None:
        self.events = events


class ForecastsJob:
    """A FeedHandler."""

    def __init__(
        self,
        store: StoreClient,
        kafka: KafkaSettings,
        settings: ForecastsSettings,
        config_dir: Path | None,
        foreknowledge: Foreknowledge,
    ) -> None:
        self._store = store
        self._kafka = kafka
        self._settings = settings
        self._config_dir = config_dir
        self._foreknowledge = foreknowledge
        self._kept: Kept = {}  # whoever gets the assignment back goes on with it
        self._running: Running | None = None

    def begin(self) -> None:
        """Implements FeedHandler."""
        self.end()
        looker = KafkaLooker(self._kafka)
        try:
            self._running = Running(
                self._store,
                self._settings,
                looker,
                self._config_dir,
                foreknowledge=self._foreknowledge,
                kept=self._kept,
                resting=partial(Rests, most_s=self._settings.limit_s / 4),
            )
        except BaseException:
            looker.close()
            raise

    def handle(self, records: list[SourceRecord]) -> None:  # noqa: ARG002 - the ledger says it all
        """Implements FeedHandler."""
        assert self._running is not None
        self._running.handle()

    def end(self) -> None:
        """Implements FeedHandler."""
        running, self._running = self._running, None
        if running is not None:
            running.close()
