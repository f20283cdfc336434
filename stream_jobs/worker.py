"""Puts a worker together: settings, clients, price book, rules, and one Faust app per job, in one process."""

import asyncio
import contextlib
import logging
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import faust

from stream_jobs.alerts.document import load_document
from stream_jobs.alerts.handler import AlertsHandler
from stream_jobs.alerts.job import build_alerts_app
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import ConfigError
from stream_jobs.blocks.job import BlockJob, build_app
from stream_jobs.blocks.metrics import BlockMetrics
from stream_jobs.blocks.partition import BookerLimits
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.budgets.job import BudgetsJob
from stream_jobs.config_reload import alert_rules, prices_and_rules
from stream_jobs.data_quality.job import DataQuality
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.ledger.versions import record_versions
from stream_jobs.metering.as_fixed import as_fixed
from stream_jobs.metering.process import Metering
from stream_jobs.outcomes.process import ClickHouseOutcomes, Outcomes
from stream_jobs.pricing.book import PriceBook
from stream_jobs.reconciliation.timer import ReconciliationTimer
from stream_jobs.repricing.run import Versions
from stream_jobs.repricing.watch import Watch
from stream_jobs.runtime.alert_signals import SignalPublisher
from stream_jobs.runtime.health import HealthServer, NotReady
from stream_jobs.runtime.jobs import ALERTS, BUDGETS, DATA_QUALITY, JOBS, METERING, OUTCOMES, RECONCILIATION
from stream_jobs.runtime.kafka import broker_urls, faust_credentials, topic_start
from stream_jobs.runtime.memory import calm_collector
from stream_jobs.runtime.metrics import HELD_UP
from stream_jobs.runtime.timer import Startable
from stream_jobs.runtime.topics import COST_DELTAS, USAGE_EVENTS, USAGE_OUTCOMES
from stream_jobs.series.publisher import DeltaPublisher
from stream_jobs.settings import Settings
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.app import Runner
from stream_jobs.streams.feed_app import FeedJob, build_feed_app
from stream_jobs.streams.model import Block, BlockOutput, SourceRecord
from stream_jobs.streams.model import Versions as BlockVersions

log = logging.getLogger(__name__)

CRASH_CHECK_INTERVAL_S = 0.5
STOP_TIMEOUT_S = 8.0
BuiltApp = tuple[faust.App, Runner]


class JobsWorker:
    """The jobs named, ready to run in this process."""

    def __init__(self, jobs: Sequence[str], settings: Settings, config_dir: Path | None) -> None:
        unknown = sorted(set(jobs) - set(JOBS))
        if unknown:
            raise ConfigError(f"unknown job {', '.join(unknown)}; there are {', '.join(JOBS)}")
        self._settings = settings
        self._store = StoreClient(settings.clickhouse)
        self._scratch = tempfile.TemporaryDirectory(prefix="spendstream-worker-")
        self._config_dir = config_dir
        self._apps: list[Callable[[], BuiltApp]] = []  # made in the event loop they run in
        self._timers: list[Startable] = []
        self._close: list[Callable[[], None]] = []
        self._prices: PriceBook | None = None
        self._origin = settings.origin.origin()
        if METERING in jobs:
            self._add_metering()
        if OUTCOMES in jobs:
            outcomes = Outcomes(ClickHouseOutcomes(self._store), self._tolerance, self._origin)
            job = BlockJob(OUTCOMES, USAGE_OUTCOMES, outcomes.process, outcomes.versions, BlockMetrics(OUTCOMES))
            self._apps.append(partial(self._build, job, ClickHouseBlocks(self._store)))
        if RECONCILIATION in jobs:
            self._timers.append(
                ReconciliationTimer(self._new_client, settings.reconciliation, settings.kafka, self._origin.rules)
            )
        if BUDGETS in jobs:
            self._add_budgets()
        if ALERTS in jobs:
            self._add_alerts()
        if DATA_QUALITY in jobs:
            self._add_data_quality()
        self._runners: list[Runner] = []
        self._beat_s = time.monotonic()  # when the event loop last came round

    def _add_metering(self) -> None:
        # What is loaded later belongs to files that changed after this.
        reload = prices_and_rules(self._config_dir, self._take_up) if self._config_dir is not None else None
        book, rules = PriceBook.load(self._config_dir), AttributionRules.load(self._config_dir)
        self._prices, self._metering = book, self._recorded(book, rules)
        self._watch = Watch(self._new_client, Versions(book, rules))
        self._timers += [self._watch, *([reload] if reload else [])]
        deltas = DeltaPublisher(self._settings.kafka, self._settings.series.label_names)
        self._close.append(deltas.close)
        job = BlockJob(METERING, USAGE_EVENTS, self._meter, self._versions, BlockMetrics(METERING))
        self._apps.append(partial(self._build, job, ClickHouseBlocks(self._store, announce=deltas.announce)))

    def _add_budgets(self) -> None:
        kafka = self._settings.kafka
        store = self._new_client()
        self._close.append(store.close)
        job = FeedJob(BUDGETS, COST_DELTAS, BudgetsJob(store, kafka, self._config_dir))
        self._apps.append(lambda: build_feed_app(job, topic_start=partial(topic_start, kafka), **self._faust()))

    def _add_alerts(self) -> None:
        kafka, config_dir = self._settings.kafka, self._config_dir
        handler = AlertsHandler(self._new_client, load_document(config_dir))
        if config_dir is not None:
            self._timers.append(alert_rules(config_dir, handler.use))
        self._apps.append(lambda: build_alerts_app(handler, topic_start=partial(topic_start, kafka), **self._faust()))

    def _add_data_quality(self) -> None:
        signals = SignalPublisher(self._settings.kafka)
        self._close.append(signals.close)
        if self._prices is None:  # no metering in this process, which takes up what changes
            self._prices = PriceBook.load(self._config_dir)
        self._timers.append(
            DataQuality(
                *(self._new_client, self._settings.data_quality, self._settings.kafka),
                signals.publish,
                self._prices_in_use,
                self._open_alerts,
            )
        )

    def _new_client(self) -> StoreClient:
        return StoreClient(self._settings.clickhouse)

    @property
    def _tolerance(self) -> timedelta:
        return timedelta(seconds=self._settings.pipeline.future_tolerance_s)

    def _recorded(self, book: PriceBook, rules: AttributionRules) -> Metering:
        """Metering with these, once it is known what their versions stand for. Raises StoreUnavailableError."""
        record_versions(self._store, book, rules, self._config_dir)
        return Metering(book, rules, ClickHouseLedger(self._store), self._tolerance, self._origin)

    def _take_up(self, book: PriceBook, rules: AttributionRules) -> None:
        """Meter with these from the next block on. Raises StoreUnavailableError."""
        self._prices, self._metering = book, self._recorded(book, rules)
        self._watch.use(Versions(book, rules))
        calm_collector()

    def _open_alerts(self) -> set[str]:
        """What was told before a restart and is not over."""
        return {str(alert_id) for (alert_id,) in self._store.rows("SELECT alert_id FROM alerts_open")}

    def _prices_in_use(self) -> PriceBook:
        assert self._prices is not None
        return self._prices

    def _meter(self, block: Block, records: list[SourceRecord]) -> BlockOutput:
        metering = self._metering
        if block.redone:
            metering = as_fixed(metering, block.versions, self._store)
        return metering.process(block, records)

    def _versions(self) -> BlockVersions:
        return self._metering.versions()

    def _build(self, job: BlockJob, store: ClickHouseBlocks) -> BuiltApp:
        kafka, pipeline = self._settings.kafka, self._settings.pipeline
        return build_app(
            job,
            store,
            topic_start=partial(topic_start, kafka),
            limits=BookerLimits(pipeline.max_block_rows, pipeline.max_queued_records),
            **self._faust(),
        )

    def _faust(self) -> dict[str, Any]:
        """What all apps are made with."""
        kafka, pipeline = self._settings.kafka, self._settings.pipeline
        return {
            "broker_urls": broker_urls(kafka),
            "faust_options": {
                "broker_client_id": kafka.client_id,
                "broker_credentials": faust_credentials(kafka),
                "broker_session_timeout": pipeline.session_timeout_s,
                "broker_heartbeat_interval": pipeline.session_timeout_s / 3,
                "datadir": self._scratch.name,  # Faust wants a folder; without tables nothing is kept in it
            },
        }

    def not_ready(self) -> NotReady:
        """Why events are not booked (or not watched) right now. Asked from the health server's threads: no question
        to store or broker, which may be what does not answer."""
        waiting = [runner.name for runner in self._runners if not runner.joined]
        if waiting or (self._apps and not self._runners):
            return f"not in the consumer group yet: {', '.join(waiting) or 'any job'}"
        limit_s = self._settings.pipeline.held_up_after_s
        if (still_s := time.monotonic() - self._beat_s) > limit_s:
            return f"the process has been standing still for {still_s:.0f} s"
        return next(
            (
                f"{runner.name} has been standing still for {held_up.seconds:.0f} s: {held_up.what}"
                for runner in self._runners
                if (held_up := runner.held_up()).seconds > limit_s
            ),
            None,
        )

    def run(self, health_port: int) -> int:
        """Blocks until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 1 a job crashed."""
        pipeline = self._settings.pipeline
        with HealthServer(
            health_port, self.not_ready, host=pipeline.http_host, allowed_hosts=pipeline.allowed_hosts
        ) as health:
            log.info("health and metrics on %s", health.url)
            for timer in self._timers:
                timer.start()
            try:
                return asyncio.run(self._run())
            finally:
                for timer in self._timers:
                    timer.stop()
                for close in self._close:
                    close()

    async def _run(self) -> int:
        # The apps run in our own loop, not under Faust's Worker: that one starts them one after the other, each
        # waiting until its group has formed.
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        built = [build() for build in self._apps]
        apps = [app for app, _ in built]
        self._runners = [runner for _, runner in built]
        for runner in self._runners:
            HELD_UP.labels(runner.name).set_function(lambda runner=runner: runner.held_up().seconds)  # type: ignore[misc]
        starting = asyncio.gather(*(app.start() for app in apps))
        starting.add_done_callback(_retrieve)
        try:
            while not stopping.is_set():
                self._beat_s = time.monotonic()
                if crashed := [app for app in apps if app.crashed]:
                    log.critical("%s crashed: %r", crashed[0].conf.id, crashed[0].crash_reason)
                    return 1
                if starting.done():
                    starting.result()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), CRASH_CHECK_INTERVAL_S)
            return 0
        finally:
            starting.cancel()
            await asyncio.gather(*(runner.stop_booking() for runner in self._runners))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*(app.stop() for app in apps)), STOP_TIMEOUT_S)


def _retrieve(starting: "asyncio.Future[list[None]]") -> None:
    """What failed is told by the loop, or no more than the stop: asyncio need not complain that nobody asked."""
    if not starting.cancelled():
        starting.exception()
