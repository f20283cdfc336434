"""What a block job books, as metrics."""

from collections import Counter as Counts

from stream_jobs.runtime.metrics import BLOCK_SECONDS, BLOCKS, NEXT_OFFSET, RECORDS, REFUSED, UNKNOWN_FIELDS, UNPRICED
from stream_jobs.streams.model import Block, BlockOutput


class BlockMetrics:
    """Counts what a job books."""

    def __init__(self, job: str) -> None:
        self._job = job

    def __call__(self, block: Block, output: BlockOutput, took_s: float) -> None:
        partition = str(block.source.partition)
        counts = output.counts
        for fate, number in (
            ("booked", counts.booked),
            ("duplicate", counts.duplicates),
            ("quarantined", counts.quarantined),
        ):
            RECORDS.labels(self._job, partition, fate).inc(number)
        if (refused := output.tables.get("quarantine")) is not None:
            for reason, number in Counts(refused.column("reason").to_pylist()).items():
                REFUSED.labels(self._job, reason).inc(number)
        UNPRICED.labels(self._job).inc(counts.unpriced)
        UNKNOWN_FIELDS.labels(self._job).inc(counts.unknown_fields)
        BLOCKS.labels(self._job, partition).inc()
        NEXT_OFFSET.labels(self._job, partition).set(block.last_offset + 1)
        BLOCK_SECONDS.labels(self._job).observe(took_s)
