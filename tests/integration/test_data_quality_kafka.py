"""What only a broker can say or take: how much waits to be booked, and alert signals."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from spendstream_schemas.alert_feed import ALERT_RECORD, AlertSignal
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.data_quality.finding import Finding, Result, firing
from stream_jobs.data_quality.lag import LagCheck
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime.alert_signals import SignalPublisher
from stream_jobs.runtime.kafka import topic_start
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.topics import ALERTS, USAGE_EVENTS, USAGE_OUTCOMES
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert
from tests.contract.broker_clients import make, produce, read, settings
from tests.store_server import StoreProcess

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SETTINGS = DataQualitySettings(lag_records=100, stalled_s=60)


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        store.command("TRUNCATE TABLE block_receipts")
        yield store


def booked(store: StoreClient, kafka: KafkaSettings, partition: int, number: int) -> None:
    """Of usage events, everything up to an offset."""
    topic_id = topic_start(kafka, USAGE_EVENTS).topic_id
    row = {"topic": USAGE_EVENTS, "topic_id": topic_id, "partition": partition, "first_offset": 0}
    row |= {"last_offset": number - 1, "worker": "w", "received": number, "booked": number, "duplicates": 0}
    row |= {"quarantined": 0, "unpriced": 0, "unknown_fields": 0, "completed_at": NOW}
    insert(store.client, "block_receipts", arrow_table("block_receipts", [row]), f"{topic_id}/{partition}/{number}")


def found(result: Result) -> dict[tuple[str, ...], str]:
    return {item.subject: item.name for item in result.findings}


def test_what_waits_to_be_booked(broker: TansuBroker, store: StoreClient) -> None:
    """More than a number in one partition; the other has everything booked, the third nothing to book."""
    make(broker, USAGE_EVENTS, USAGE_OUTCOMES)
    produce(broker, USAGE_EVENTS, [b"x"] * 150, partition=1)
    produce(broker, USAGE_EVENTS, [b"x"] * 150, partition=2)
    kafka = settings(broker)
    booked(store, kafka, 1, 50)
    booked(store, kafka, 2, 150)
    result = LagCheck(kafka, SETTINGS).look(store, datetime.now(UTC))
    assert found(result) == {(USAGE_EVENTS, "1"): "ConsumerLag"}
    assert result.findings[0].value == 100
    assert result.findings[0].facts["waiting"] == "100 records from offset 50 on"
    assert result.findings[0].facts["oldest"].startswith("sent ")


def test_booking_stands_still(broker: TansuBroker, store: StoreClient) -> None:
    """It must have been seen standing for long enough; until then nothing is known. It is over when one is booked."""
    make(broker, USAGE_EVENTS, USAGE_OUTCOMES)
    produce(broker, USAGE_EVENTS, [b"x"] * 5, partition=0)
    kafka = settings(broker)
    check = LagCheck(kafka, SETTINGS)
    for seconds in (0, 59):
        result = check.look(store, NOW + timedelta(seconds=seconds))
        assert (found(result), result.complete) == ({}, False)
    result = check.look(store, NOW + timedelta(seconds=60))
    assert (found(result), result.complete) == ({(USAGE_EVENTS, "0"): "BookingStalled"}, True)
    booked(store, kafka, 0, 1)
    result = check.look(store, NOW + timedelta(seconds=90))
    assert (found(result), result.complete) == ({}, True)
    result = check.look(store, NOW + timedelta(seconds=150))
    assert found(result) == {(USAGE_EVENTS, "0"): "BookingStalled"}
    booked(store, kafka, 0, 5)
    result = check.look(store, NOW + timedelta(seconds=300))
    assert (found(result), result.complete) == ({}, True)


def test_a_topic_that_cannot_be_asked_leaves_the_other(broker: TansuBroker, store: StoreClient) -> None:
    """The answer is incomplete: an alert about the first stays open."""
    make(broker, USAGE_EVENTS)
    produce(broker, USAGE_EVENTS, [b"x"] * 100)
    result = LagCheck(settings(broker), SETTINGS).look(store, NOW)
    assert (found(result), result.complete) == ({(USAGE_EVENTS, "0"): "ConsumerLag"}, False)


def signal(subject: str) -> AlertSignal:
    return firing(Finding("unpriced", (subject,), "UnpricedUsage", "warning", subject, {}, "do something"), NOW)


def test_signals_arrive_under_their_alert_id(broker: TansuBroker) -> None:
    """Whole, and one that is sent again arrives again: it is a condition."""
    make(broker, ALERTS)
    publisher = SignalPublisher(settings(broker))
    sent = [signal("a"), signal("b")]
    try:
        publisher.publish([])
        publisher.publish(sent)
        publisher.publish(iter(sent[:1]))
    finally:
        publisher.close()
    messages = [message for partition in range(4) for message in read(broker, ALERTS, partition=partition)]
    records = [ALERT_RECORD.validate_json(message.value() or b"") for message in messages]
    assert sorted(records, key=str) == sorted([*sent, sent[0]], key=str)
    assert {message.key() for message in messages} == {b"data_quality/unpriced/a", b"data_quality/unpriced/b"}


def test_signals_that_did_not_arrive_are_an_error_to_retry(broker: TansuBroker) -> None:
    """In time; what was given up does not come later, and the next attempt works when the broker is back."""
    make(broker, ALERTS)
    publisher = SignalPublisher(settings(broker), delivery_timeout_s=2)
    try:
        broker.stop()
        with pytest.raises(BrokerUnavailableError, match=r"1 of 1 records did not reach alerts\.v1"):
            publisher.publish([signal("a")])
        broker.start()  # Tansu forgets, so the topic is new
        make(broker, ALERTS)
        publisher.publish([signal("b")])
    finally:
        publisher.close()
    keys = [message.key() for partition in range(4) for message in read(broker, ALERTS, partition=partition)]
    assert keys == [b"data_quality/unpriced/b"]


def test_without_a_broker_it_fails_in_time() -> None:
    publisher = SignalPublisher(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}"), delivery_timeout_s=0.2)
    try:
        with pytest.raises(BrokerUnavailableError):
            publisher.publish([signal("a")])
    finally:
        publisher.close()
