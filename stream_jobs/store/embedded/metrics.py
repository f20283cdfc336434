"""Every metric of the embedded store."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class StoreMetrics:
    """One registry per server, so that several can run in one test process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.statements = Counter(
            "spendstream_store_statements",
            "Statements answered, by kind (query, insert, other) and ClickHouse error code (0 is success).",
            ["kind", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "spendstream_store_statement_seconds",
            "Time from the request's last byte to the answer's last byte.",
            ["kind"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.written_rows = Counter(
            "spendstream_store_written_rows",
            "Rows inserted, those in materialized views included.",
            registry=self.registry,
        )
        self.read_rows = Counter(
            "spendstream_store_read_rows", "Rows read from tables to answer queries.", registry=self.registry
        )
        self.sent_bytes = Counter(
            "spendstream_store_sent_bytes", "Bytes of answers, before compression.", registry=self.registry
        )
        self.inside = Gauge(
            "spendstream_store_statements_inside",
            "Statements that run or wait, by lane (readers, queries, inserts).",
            ["lane"],
            registry=self.registry,
        )
        self.confined = Gauge(
            "spendstream_store_confined",
            "1 where the operating system keeps the store's process from other files (Landlock) and from the network "
            "(seccomp).",
            ["from"],
            registry=self.registry,
        )
