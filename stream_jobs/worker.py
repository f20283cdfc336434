"""Puts a worker together: settings, clients, price book, rules, and one Faust app per job, in one process."""

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import faust

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.blocks.job import BlockJob, BlockJobRunner, build_app
from stream_jobs.blocks.model import Block, BlockOutput, SourceRecord
from stream_jobs.blocks.model import Versions as BlockVersions
from stream_jobs.blocks.partition import BookerLimits
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.config_reload import ConfigReload
from stream_jobs.errors import ConfigError
from stream_jobs.health import HealthServer, NotReady
from stream_jobs.jobs import JOBS, METERING, OUTCOMES, RECONCILIATION
from stream_jobs.kafka import broker_urls, faust_credentials, topic_start
from stream_jobs.memory import calm_collector
from stream_jobs.metering.as_fixed import as_fixed
from stream_jobs.metering.ledger import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.metrics import BlockMetrics
from stream_jobs.outcomes.process import ClickHouseOutcomes, Outcomes
from stream_jobs.pricing.book import PriceBook
from stream_jobs.reconciliation.timer import ReconciliationTimer
from stream_jobs.repricing.run import Versions
from stream_jobs.repricing.versions import record_versions
from stream_jobs.repricing.watch import Watch
from stream_jobs.settings import Settings
from stream_jobs.store.client import StoreClient
from stream_jobs.topics import USAGE_EVENTS, USAGE_OUTCOMES

log = logging.getLogger(__name__)

CRASH_CHECK_INTERVAL_S = 0.5
STOP_TIMEOUT_S = 8.0


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
        self._jobs: list[BlockJob] = []
        self._timers: list[Watch | ConfigReload | ReconciliationTimer] = []
        if METERING in jobs:
            # What is loaded later belongs to files that changed after this.
            reload = ConfigReload(config_dir, self._take_up) if config_dir is not None else None
            book, rules = PriceBook.load(config_dir), AttributionRules.load(config_dir)
            self._metering = self._recorded(book, rules)
            self._watch = Watch(self._new_client, Versions(book, rules))
            self._timers += [self._watch, *([reload] if reload else [])]
            self._jobs.append(BlockJob(METERING, USAGE_EVENTS, self._meter, self._versions, BlockMetrics(METERING)))
        if OUTCOMES in jobs:
            outcomes = Outcomes(ClickHouseOutcomes(self._store), self._tolerance)
            self._jobs.append(
                BlockJob(OUTCOMES, USAGE_OUTCOMES, outcomes.process, outcomes.versions, BlockMetrics(OUTCOMES))
            )
        if RECONCILIATION in jobs:
            self._timers.append(ReconciliationTimer(self._new_client, settings.reconciliation, settings.kafka))
        self._runners: list[BlockJobRunner] = []

    def _new_client(self) -> StoreClient:
        return StoreClient(self._settings.clickhouse)

    @property
    def _tolerance(self) -> timedelta:
        return timedelta(seconds=self._settings.pipeline.future_tolerance_s)

    def _recorded(self, book: PriceBook, rules: AttributionRules) -> Metering:
        """Metering with these, once it is known what their versions stand for. Raises StoreUnavailableError."""
        record_versions(self._store, book, rules, self._config_dir)
        return Metering(book, rules, ClickHouseLedger(self._store), self._tolerance)

    def _take_up(self, book: PriceBook, rules: AttributionRules) -> None:
        """Meter with these from the next block on. Raises StoreUnavailableError."""
        self._metering = self._recorded(book, rules)
        self._watch.use(Versions(book, rules))
        calm_collector()

    def _meter(self, block: Block, records: list[SourceRecord]) -> BlockOutput:
        metering = self._metering
        if block.redone:
            metering = as_fixed(metering, block.versions, self._store)
        return metering.process(block, records)

    def _versions(self) -> BlockVersions:
        return self._metering.versions()

    def _build(self, job: BlockJob) -> tuple[faust.App, BlockJobRunner]:
        kafka, pipeline = self._settings.kafka, self._settings.pipeline
        return build_app(
            job,
            ClickHouseBlocks(self._store),
            broker_urls=broker_urls(kafka),
            faust_options={
                "broker_client_id": kafka.client_id,
                "broker_credentials": faust_credentials(kafka),
                "broker_session_timeout": pipeline.session_timeout_s,
                "broker_heartbeat_interval": pipeline.session_timeout_s / 3,
                "datadir": self._scratch.name,  # Faust wants a folder; without tables nothing is kept in it
            },
            topic_start=partial(topic_start, kafka),
            limits=BookerLimits(pipeline.max_block_rows, pipeline.max_queued_records),
        )

    def not_ready(self) -> NotReady:
        waiting = [runner.name for runner in self._runners if not runner.joined]
        if waiting or (self._jobs and not self._runners):
            return f"not in the consumer group yet: {', '.join(waiting) or 'any job'}"
        return None

    def run(self, health_port: int) -> int:
        """Blocks until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 1 a job crashed."""
        with HealthServer(health_port, self.not_ready, host=self._settings.pipeline.http_host) as health:
            log.info("health and metrics on %s", health.url)
            for timer in self._timers:
                timer.start()
            try:
                return asyncio.run(self._run())
            finally:
                for timer in self._timers:
                    timer.stop()

    async def _run(self) -> int:
        # The apps run in our own loop, not under Faust's Worker: that one starts them one after the other, each
        # waiting until its group has formed.
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        built = [self._build(job) for job in self._jobs]
        apps = [app for app, _ in built]
        self._runners = [runner for _, runner in built]
        starting = asyncio.gather(*(app.start() for app in apps))
        starting.add_done_callback(_retrieve)
        try:
            while not stopping.is_set():
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
