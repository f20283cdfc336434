"""Conservation against a real Kafka: what waits, what was skipped, and what retention deleted too early."""

from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from stream_jobs.conservation.check import check
from stream_jobs.runtime.kafka import topic_start
from stream_jobs.runtime.topics import USAGE_EVENTS, USAGE_OUTCOMES
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import SourcePartition
from tests.brokers import RealKafka
from tests.contract.broker_clients import TIMEOUT_S, make, produce, settings
from tests.integration.test_conservation import Partition
from tests.store_server import StoreProcess

pytestmark = pytest.mark.xdist_group("kafka")


def test_the_log_is_part_of_the_account(process: StoreProcess, kafka: RealKafka) -> None:
    """A hundred records of one partition: what no block holds is in flight, an offset that a block covers without a row
    is looked up in Kafka and found skipped, and what was deleted before it was booked is named."""
    make(kafka, USAGE_EVENTS, USAGE_OUTCOMES)
    produce(kafka, USAGE_EVENTS, [b"x"] * 100, partition=3)
    since = datetime.now(UTC) - timedelta(hours=1)

    def found(store: StoreClient) -> tuple[bool, dict[str, int]]:
        accounts = check(store, since, kafka=settings(kafka))
        assert accounts.kafka_error is None
        totals = {name: number for name, number in accounts.totals().items() if number}
        return accounts.closes, {name: totals[name] for name in totals if name not in ("booked", "duplicates")}

    with StoreClient(process.settings) as store:
        partition = Partition(store)
        partition.source = SourcePartition(USAGE_EVENTS, topic_start(settings(kafka), USAGE_EVENTS).topic_id, 3)
        assert found(store) == (True, {"in_flight": 100})
        partition.book(0, 59)
        assert found(store) == (True, {"received": 60, "quarantined": 6, "in_flight": 40})

        block = partition.block(60, 79)
        partition.intend(block)
        partition.rows(block)
        store.command("DELETE FROM ledger WHERE offset = 65")
        partition.receipt(block, received=19, booked=15)
        skipped = {"received": 79, "quarantined": 8, "in_flight": 20, "no_record": 1, "skipped": 1}
        assert found(store) == (False, skipped)

        admin = AdminClient({"bootstrap.servers": kafka.address})
        for future in admin.delete_records([TopicPartition(USAGE_EVENTS, 3, 90)]).values():
            future.result(TIMEOUT_S)
        expired = {"received": 79, "quarantined": 8, "in_flight": 10, "no_record": 1, "expired_unread": 10}
        assert found(store) == (False, expired)
