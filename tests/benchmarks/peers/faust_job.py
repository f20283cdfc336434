"""The job as a stock Faust agent: `python -m tests.benchmarks.peers.faust_job CONFIG_DIR`.

Faust's own transport (one record at a time through its event loop), batches by `stream.take`, offsets committed by
Faust after the batch is in the store: at least once.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import faust
from faust.types import StreamT

from stream_jobs.runtime.kafka import broker_urls
from stream_jobs.runtime.topics import USAGE_EVENTS
from stream_jobs.settings import load_settings
from tests.benchmarks.peers.job import BATCH_ROWS, BATCH_WAIT_S, StockJob


def main() -> None:
    settings = load_settings()
    job = StockJob(Path(sys.argv[1]))
    app = faust.App(
        "stock-faust",
        broker=broker_urls(settings.kafka),
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="stock-faust-"),
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        # What our worker uses: the embedded broker lets a member join after half of it.
        broker_session_timeout=settings.pipeline.session_timeout_s,
        broker_heartbeat_interval=settings.pipeline.session_timeout_s / 3,
    )
    topic = app.topic(USAGE_EVENTS, value_serializer="raw", key_serializer="raw", internal=False)

    @app.agent(topic)
    async def meter(stream: StreamT[Any]) -> None:
        async for values in stream.take(BATCH_ROWS, within=BATCH_WAIT_S):
            rows = [job.row(value) for value in values]
            await asyncio.to_thread(job.insert, rows)

    faust.Worker(app, loglevel="WARNING").execute_from_commandline()


if __name__ == "__main__":
    main()
