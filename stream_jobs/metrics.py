"""All metrics of the jobs in one place, with what they mean."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from stream_jobs.blocks.model import Block, BlockOutput

RECORDS: Final = Counter(
    "spendstream_records", "Records taken from Kafka, by what became of them", ["job", "partition", "fate"]
)
UNPRICED: Final = Counter("spendstream_unpriced_events", "Events booked without a price", ["job"])
UNKNOWN_FIELDS: Final = Counter("spendstream_unknown_fields", "Fields of events that this version ignores", ["job"])
BLOCKS: Final = Counter("spendstream_blocks", "Blocks booked (a redone block counts again)", ["job", "partition"])
NEXT_OFFSET: Final = Gauge("spendstream_next_offset", "First offset not booked yet", ["job", "partition"])
BLOCK_SECONDS: Final = Histogram(
    "spendstream_block_seconds",
    "From fixing a block (or beginning to redo it) to its receipt",
    ["job"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
BROKER_RECORDS: Final = Gauge("spendstream_embedded_broker_records", "Records in the embedded broker that fills")
BROKER_BYTES: Final = Gauge("spendstream_embedded_broker_bytes", "Resident memory of the embedded broker that fills")
BROKER_TURNS: Final = Counter("spendstream_embedded_broker_turns", "Full brokers replaced by an empty one")
GATE_HELD: Final = Gauge(
    "spendstream_embedded_producers_held", "1 while producers are held out because the broker's bound is reached"
)
CONSERVATION: Final = Gauge(
    "spendstream_conservation_records",
    "Records of the current hour and the one before, by what became of them; difference must be 0",
    ["topic", "partition", "fate"],
)
CONSERVATION_NAMED: Final = Gauge(
    "spendstream_conservation_named",
    "Records that the accounts name: lost, doubled (alert on rows_missing, rows_extra, receipt_missing, gap, overlap, "
    "unbalanced, expired_unread, skipped, log_lost, abandoned) or explained",
    ["topic", "partition", "name"],
)
CONSERVATION_CHECKED: Final = Gauge(
    "spendstream_conservation_checked_timestamp_seconds", "When conservation was last checked", ["against"]
)
CONFIG_RELOADS: Final = Counter("spendstream_config_reloads", "Changed prices and rules taken up while running")
CONFIG_REFUSED: Final = Gauge(
    "spendstream_config_refused", "1 while the config folder holds changes that cannot be used: see the log"
)
PRICED_LATER: Final = Counter(
    "spendstream_priced_later_events", "Events booked without a price that this worker has priced since"
)
RECONCILED: Final = Counter("spendstream_reconciled_events", "Events put right by reconciliation", ["cause"])
RECONCILIATION_RUNS: Final = Counter(
    "spendstream_reconciliation_runs", "Runs of the timer: done, skipped (another worker's turn) or failed", ["result"]
)
RECONCILIATION_SEEN: Final = Gauge(
    "spendstream_reconciliation_timestamp_seconds", "When this process last reconciled the ledger"
)


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
        UNPRICED.labels(self._job).inc(counts.unpriced)
        UNKNOWN_FIELDS.labels(self._job).inc(counts.unknown_fields)
        BLOCKS.labels(self._job, partition).inc()
        NEXT_OFFSET.labels(self._job, partition).set(block.last_offset + 1)
        BLOCK_SECONDS.labels(self._job).observe(took_s)
