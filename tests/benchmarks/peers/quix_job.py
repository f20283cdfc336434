"""The job as a quix-streams application: `python -m tests.benchmarks.peers.quix_job CONFIG_DIR`.

Runs in the peers' environment. One row per message, rows inserted by its batching sink when a checkpoint is due,
offsets committed after that: at least once.
"""

import os
import sys
from pathlib import Path
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found, unused-ignore]
from quixstreams.sinks import BatchingSink, SinkBatch  # type: ignore[import-not-found, unused-ignore]

from tests.benchmarks.peers.job import BATCH_ROWS, BATCH_WAIT_S, TOPIC, StockJob


class LedgerSink(BatchingSink):  # type: ignore[misc, unused-ignore]
    def __init__(self, job: StockJob) -> None:
        super().__init__()
        self._job = job

    def write(self, batch: SinkBatch) -> None:
        rows: list[dict[str, Any]] = [item.value for item in batch]
        self._job.insert(rows)


def main() -> None:
    job = StockJob(Path(sys.argv[1]))
    app = Application(
        broker_address=os.environ["SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS"],
        consumer_group="stock-quix",
        auto_offset_reset="earliest",
        commit_interval=BATCH_WAIT_S,
        commit_every=BATCH_ROWS,
        loglevel="WARNING",
        auto_create_topics=False,
        consumer_extra_config={"session.timeout.ms": int(float(os.environ["SPENDSTREAM_SESSION_TIMEOUT_S"]) * 1000)},
    )
    events = app.dataframe(app.topic(TOPIC, key_deserializer="bytes", value_deserializer="bytes"))
    events.apply(job.row).sink(LedgerSink(job))
    app.run()


if __name__ == "__main__":
    main()
