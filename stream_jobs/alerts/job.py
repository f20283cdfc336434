"""The alerts job as a Faust app. One partition, so that one worker groups the alerts and keeps the receivers' limits;
the others stand by."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import faust

from stream_jobs.alerts.document import FILE_NAME, AlertsDocument, load_document
from stream_jobs.alerts.handler import AlertsHandler
from stream_jobs.job_context import Job, JobContext
from stream_jobs.runtime import jobs
from stream_jobs.runtime.files_reload import FilesReload
from stream_jobs.runtime.kafka import TopicStart
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.streams.feed_app import FeedJob, FeedRunner, build_feed_app


def build(context: JobContext) -> Job:
    """Raises ConfigError."""
    config_dir = context.config_dir
    handler = AlertsHandler(context.new_client, load_document(config_dir))
    return Job(
        partial(build_alerts_app, handler, **context.faust),
        timers=[alert_rules(config_dir, handler.use).timer] if config_dir is not None else [],
    )


def alert_rules(config_dir: Path, take: Callable[[AlertsDocument], None]) -> FilesReload[AlertsDocument]:
    """Receivers and routes, taken up when they change."""
    return FilesReload("alert rules", lambda: (config_dir / FILE_NAME,), lambda: load_document(config_dir), take)


def build_alerts_app(
    handler: AlertsHandler,
    *,
    broker_urls: list[str],
    faust_options: Mapping[str, Any],
    topic_start: Callable[[str], TopicStart],
) -> tuple[faust.App, FeedRunner]:
    """The app and its runner: consumer group `spendstream-alerts`. Records are conditions: at least once will do."""
    job = FeedJob(jobs.ALERTS, ALERTS, handler)
    app, runner = build_feed_app(job, broker_urls=broker_urls, faust_options=faust_options, topic_start=topic_start)

    def crash(error: BaseException) -> None:
        # Going on would leave a receiver that nobody tells. A fresh process starts from what is recorded.
        app.loop.create_task(app.crash(error))

    handler.bind(app.loop, crash)
    return app, runner
