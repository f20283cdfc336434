"""Runs jobs in one process: what they share, one Faust app per job, timers beside them, health."""

import asyncio
import contextlib
import importlib
import logging
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.budget_terms.labels import labels_in_use
from stream_jobs.job_context import InUse, Job, JobContext
from stream_jobs.runtime.health import HealthServer, NotReady
from stream_jobs.runtime.jobs import (
    ALERTS,
    ANOMALIES,
    BUDGETS,
    DATA_QUALITY,
    FORECASTS,
    METERING,
    OUTCOMES,
    RECONCILIATION,
)
from stream_jobs.runtime.kafka import broker_urls, faust_credentials, topic_start
from stream_jobs.runtime.metrics import HELD_UP
from stream_jobs.series.labels import WatchedLabels
from stream_jobs.settings import Settings
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.app import Runner

log = logging.getLogger(__name__)

CRASH_CHECK_INTERVAL_S = 0.5
STOP_TIMEOUT_S = 8.0
BUILD: Final[Mapping[str, Sequence[str]]] = {
    METERING: ("metering", "repricing"),
    OUTCOMES: ("outcomes",),
    RECONCILIATION: ("reconciliation",),
    BUDGETS: ("budgets",),
    ALERTS: ("alerts",),
    DATA_QUALITY: ("data_quality",),
    ANOMALIES: ("anomalies",),
    FORECASTS: ("forecasts",),
}
"""The packages whose `job.build` makes what each name stands for, in the order in which it is built. A process loads
those that it runs: the others would be a sixth of its memory and of the time to its start."""


class JobsWorker:
    """The jobs named, ready to run in this process."""

    def __init__(self, names: Sequence[str], settings: Settings, config_dir: Path | None) -> None:
        if unknown := sorted(set(names) - BUILD.keys()):
            raise ConfigError(f"unknown job {', '.join(unknown)}; there are {', '.join(BUILD)}")
        self._pipeline = settings.pipeline
        self._scratch = tempfile.TemporaryDirectory(prefix="spendstream-worker-")
        context = _context(settings, config_dir, self._scratch.name)
        jobs = [_build(package, context) for name in BUILD if name in names for package in BUILD[name]]
        self._apps = [job.app for job in jobs if job.app is not None]
        self._timers = [timer for job in jobs for timer in job.timers]
        self._close = [close for job in jobs for close in job.close]
        self._routes = {path: route for job in jobs for path, route in job.routes.items()}
        self._runners: list[Runner] = []
        self._beat_s = time.monotonic()  # when the event loop last came round

    def not_ready(self) -> NotReady:
        """Why events are not booked (or not watched) right now. Asked from the health server's threads: no question
        to store or broker, which may be what does not answer."""
        waiting = [runner.name for runner in self._runners if not runner.joined]
        if waiting or (self._apps and not self._runners):
            return f"not in the consumer group yet: {', '.join(waiting) or 'any job'}"
        limit_s = self._pipeline.held_up_after_s
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
        pipeline = self._pipeline
        with HealthServer(
            health_port,
            self.not_ready,
            host=pipeline.http_host,
            allowed_hosts=pipeline.allowed_hosts,
            routes=self._routes,
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


def _build(package: str, context: JobContext) -> Job:
    job: Job = importlib.import_module(f"stream_jobs.{package}.job").build(context)
    return job


def _context(settings: Settings, config_dir: Path | None, scratch: str) -> JobContext:
    kafka, pipeline = settings.kafka, settings.pipeline
    new_client = partial(StoreClient, settings.clickhouse)
    store = new_client()
    return JobContext(
        kafka=kafka,
        origin=settings.origin.origin(),
        groups=settings.groups(),
        config_dir=config_dir,
        limits=BookerLimits(
            pipeline.max_block_rows, pipeline.max_queued_records, pipeline.max_block_bytes, pipeline.max_queued_bytes
        ),
        future_tolerance=timedelta(seconds=pipeline.future_tolerance_s),
        faust={
            "broker_urls": broker_urls(kafka),
            "topic_start": partial(topic_start, kafka),
            "faust_options": {
                "broker_client_id": kafka.client_id,
                "broker_credentials": faust_credentials(kafka),
                "broker_session_timeout": pipeline.session_timeout_s,
                "broker_heartbeat_interval": pipeline.session_timeout_s / 3,
                "datadir": scratch,  # Faust wants a folder; without tables nothing is kept in it
            },
        },
        store=store,
        new_client=new_client,
        in_use=InUse(config_dir),
        labels=WatchedLabels(settings.series.label_names, partial(labels_in_use, store)),
    )


def _retrieve(starting: "asyncio.Future[list[None]]") -> None:
    """What failed is told by the loop, or no more than the stop: asyncio need not complain that nobody asked."""
    if not starting.cancelled():
        starting.exception()
