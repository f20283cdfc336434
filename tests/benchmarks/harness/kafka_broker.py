"""Apache Kafka as the broker of a benchmark."""

from pathlib import Path

from stream_jobs.embedded.kafka.broker import KafkaBroker
from stream_jobs.embedded.kafka.cluster import single_broker


def start_kafka(folder: Path) -> KafkaBroker:
    """One broker on a free port. Raises SpendstreamError where Java or its jars are missing."""
    broker = single_broker(folder)
    broker.start()
    return broker
