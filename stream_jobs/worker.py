"""Puts a worker together: settings, clients, price book, rules, and one Faust app per job, in one process."""

import json
import logging
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import faust

from stream_jobs.attribution.document import FILE_NAME
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.blocks.job import BlockJob, BlockJobRunner, build_app
from stream_jobs.blocks.model import Block, BlockOutput
from stream_jobs.blocks.partition import BookerLimits
from stream_jobs.blocks.side_tables import arrow_table
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.errors import ConfigError
from stream_jobs.health import HealthServer, NotReady
from stream_jobs.kafka import broker_urls, faust_credentials, topic_id
from stream_jobs.metering.ledger import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.metrics import BlockMetrics
from stream_jobs.outcomes.process import ClickHouseOutcomes, Outcomes
from stream_jobs.pricing.book import PriceBook
from stream_jobs.settings import Settings
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from stream_jobs.topics import USAGE_EVENTS, USAGE_OUTCOMES

log = logging.getLogger(__name__)

JOBS = ("metering", "outcomes")


class JobsWorker:
    """The jobs named, ready to run in this process."""

    def __init__(self, jobs: Sequence[str], settings: Settings, config_dir: Path | None) -> None:
        unknown = sorted(set(jobs) - set(JOBS))
        if unknown:
            raise ConfigError(f"unknown job {', '.join(unknown)}; there are {', '.join(JOBS)}")
        self._settings = settings
        self._store = StoreClient(settings.clickhouse)
        self._scratch = tempfile.TemporaryDirectory(prefix="spendstream-worker-")
        tolerance = timedelta(seconds=settings.pipeline.future_tolerance_s)
        steps: dict[str, BlockJob] = {}
        if "metering" in jobs:
            book = PriceBook.load(config_dir)
            rules = AttributionRules.load(config_dir)
            self._record_versions(book, rules, config_dir)
            metering = Metering(book, rules, ClickHouseLedger(self._store), tolerance)
            steps["metering"] = _job("metering", USAGE_EVENTS, metering)
        if "outcomes" in jobs:
            outcomes = Outcomes(ClickHouseOutcomes(self._store), tolerance)
            steps["outcomes"] = _job("outcomes", USAGE_OUTCOMES, outcomes)
        built = [self._build(job) for job in steps.values()]
        self.apps = [app for app, _ in built]
        self._runners = [runner for _, runner in built]

    def _build(self, job: BlockJob) -> tuple[faust.App, BlockJobRunner]:
        kafka, pipeline = self._settings.kafka, self._settings.pipeline
        return build_app(
            job,
            ClickHouseBlocks(self._store),
            broker_urls=broker_urls(kafka),
            faust_options={
                "broker_credentials": faust_credentials(kafka),
                "broker_session_timeout": pipeline.session_timeout_s,
                "broker_heartbeat_interval": pipeline.session_timeout_s / 3,
                "datadir": self._scratch.name,  # Faust wants a folder; without tables nothing is kept in it
            },
            topic_id=partial(topic_id, kafka),
            limits=BookerLimits(max_block_rows=pipeline.max_block_rows),
        )

    def _record_versions(self, book: PriceBook, rules: AttributionRules, config_dir: Path | None) -> None:
        """What a ledger row's version stands for can be looked up for as long as the row exists."""
        rules_file = config_dir / FILE_NAME if config_dir else None
        rules_text = rules_file.read_text(encoding="utf-8") if rules_file and rules_file.exists() else ""
        for table, version, description, content in (
            ("price_book_versions", book.version, "genai-prices with corrections and overlays", book.describe()),
            ("attribution_versions", rules.version, str(rules_file or "no rules"), rules_text),
        ):
            row = {
                "version": version,
                "loaded_at": datetime.now(UTC),
                "description": description,
                "content": content if isinstance(content, str) else json.dumps(content, sort_keys=True),
            }
            insert(self._store.client, table, arrow_table(table, [row]), f"version:{version}")

    def not_ready(self) -> NotReady:
        waiting = [runner.name for runner in self._runners if not runner.joined]
        return f"not in the consumer group yet: {', '.join(waiting)}" if waiting else None

    def run(self, health_port: int) -> int:
        """Blocks until stopped by a signal. Returns the exit code."""
        with HealthServer(health_port, self.not_ready) as health:
            log.info("health and metrics on %s", health.url)
            worker = faust.Worker(
                *self.apps,
                loglevel=self._settings.pipeline.log_level,
                redirect_stdouts=False,
                console_port=None,
                quiet=True,
            )
            try:
                worker.execute_from_commandline()
            except SystemExit as done:
                return int(done.code or 0)
        return 0


def _job(name: str, topic: str, step: Metering | Outcomes) -> BlockJob:
    count = BlockMetrics(name)

    def booked(block: Block, output: BlockOutput) -> None:
        count(block, output, max(0.0, time.time() - block.fixed_at.timestamp()))

    return BlockJob(name, topic, step.process, step.versions, booked)
