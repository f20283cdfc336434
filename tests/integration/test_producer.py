"""The producer against a running broker: what arrives, and how it is encoded."""

import asyncio
import struct
from decimal import Decimal
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from spendstream import OUTCOME_TOPIC, USAGE_TOPIC, Delivery, RawMessage, UsageProducer
from spendstream_schemas import OutcomeEvent, parse_outcome_event, parse_usage_event
from stream_jobs.embedded.broker import TansuBroker
from tests.unit.producers.support import PARTITIONS, config, create_topics, event, ids_on, read_topic, wait_for

LZ4 = 3


def test_events_arrive_keyed_and_parse_to_what_was_emitted(broker: TansuBroker, tmp_path: Path) -> None:
    """The bytes on the topic are the contract's: parsed, they equal the event; the key is the event_id."""
    create_topics(broker.address)
    events = {
        f"e-{n}": event(f"e-{n}", latency_ms=1.5, attribution={"project": "p", "labels": {"a": "ü"}})
        for n in range(200)
    }
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        assert all(producer.emit(one) for one in events.values())
        assert producer.flush(20) == 0
        stats = producer.stats()
    messages = read_topic(broker.address)
    assert {(m.key() or b"").decode(): parse_usage_event(m.value()).message for m in messages} == events
    assert len(messages) == len(events)
    assert len({m.partition() for m in messages}) == PARTITIONS
    assert (stats.accepted, stats.delivered, stats.spooled, stats.in_memory) == (200, 200, 0, 0)


def test_a_topic_that_is_missing_is_waited_for_not_made(broker: TansuBroker, tmp_path: Path) -> None:
    """Made by asking for it, it would have as many partitions as the broker likes. The event comes when it is there."""
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        producer.emit(event("e-1"))
        assert producer.flush(2) == 1
        assert USAGE_TOPIC not in admin.list_topics(timeout=10).topics
        create_topics(broker.address)
        assert producer.flush(20) == 0
    assert ids_on(broker.address) == ["e-1"]


def test_outcomes_have_their_own_topic(broker: TansuBroker, tmp_path: Path) -> None:
    """An OutcomeEvent goes to usage.outcomes.v1 and parses back to itself."""
    create_topics(broker.address)
    outcome = OutcomeEvent(
        schema_version=1,
        event_id="o-1",
        occurred_at=event("x").occurred_at,
        source="shop",
        outcome="order_placed",
        quantity=Decimal(2),
        value_usd=Decimal("19.990000000001"),
    )
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        assert producer.emit(outcome)
    (message,) = read_topic(broker.address, OUTCOME_TOPIC)
    assert parse_outcome_event(message.value()).message == outcome


def test_batches_are_lz4(broker: TansuBroker, tmp_path: Path) -> None:
    """The record batches that the broker stores are lz4-compressed, in the format with idempotence (magic 2)."""
    create_topics(broker.address)
    deliveries: list[Delivery] = []
    with UsageProducer(config(broker.address, tmp_path), on_delivered=deliveries.append) as producer:
        for number in range(300):
            producer.emit(event(f"e-{number}"))
    attributes, magic, producer_id = asyncio.run(_first_batch(broker.address, deliveries[0].partition))
    assert magic == 2
    assert attributes & 7 == LZ4
    assert producer_id >= 0


async def _first_batch(address: str, partition: int) -> tuple[int, int, int]:
    """(attributes, magic, producer id) of a partition's first record batch, as stored."""
    from aiokafka.client import AIOKafkaClient
    from aiokafka.protocol.fetch import FetchRequest

    client = AIOKafkaClient(bootstrap_servers=address)
    await client.bootstrap()
    try:
        await client.force_metadata_update()
        client.add_topic(USAGE_TOPIC)
        await client.force_metadata_update()
        node = client.cluster.leader_for_partition(_partition(partition))
        response = await client.send(
            node, FetchRequest(1000, 1, 1 << 20, 0, [(USAGE_TOPIC, [(partition, 0, 1 << 20)])])
        )
        batch = response.topics[0][1][0][-1]
        magic, attributes = batch[16], struct.unpack_from(">h", batch, 21)[0]
        return attributes, magic, struct.unpack_from(">q", batch, 43)[0]
    finally:
        await client.close()


def _partition(number: int) -> object:
    from aiokafka import TopicPartition

    return TopicPartition(USAGE_TOPIC, number)


def test_deliveries_are_reported(broker: TansuBroker, tmp_path: Path) -> None:
    """`on_delivered` names each event with its place; what it raises is counted and stops nothing."""
    create_topics(broker.address)
    seen: list[Delivery] = []

    def on_delivered(delivery: Delivery) -> None:
        seen.append(delivery)
        raise RuntimeError("a bug in the service")

    with UsageProducer(config(broker.address, tmp_path), on_delivered=on_delivered) as producer:
        for number in range(50):
            producer.emit(event(f"e-{number}"))
        assert producer.flush(20) == 0
        assert producer.stats().errors["on_delivered"] == 50
    stored = {(m.key() or b"").decode(): (m.partition(), m.offset()) for m in read_topic(broker.address)}
    assert {d.event_id: (d.partition, d.offset) for d in seen} == stored


def test_raw_messages_pass_unread(broker: TansuBroker, tmp_path: Path) -> None:
    """`emit_raw` sends any bytes to any topic."""
    create_topics(broker.address)
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        assert producer.emit_raw(USAGE_TOPIC, b"poison", b"\xff not json")
        assert producer.emit_wait(RawMessage(USAGE_TOPIC, b"", b"{"))
    assert {(m.key(), m.value()) for m in read_topic(broker.address)} == {(b"poison", b"\xff not json"), (b"", b"{")}


def test_bulk_work_waits_instead_of_spooling(broker: TansuBroker, tmp_path: Path) -> None:
    """20,000 events through a memory of 1,000: emit_wait holds the caller back, nothing is refused or spooled."""
    create_topics(broker.address)
    with UsageProducer(config(broker.address, tmp_path, memory_max_events=1000)) as producer:
        one = event("e")
        for number in range(20_000):
            assert producer.emit_wait(one.model_copy(update={"event_id": f"e-{number}"}), timeout_s=20)
        assert producer.flush(20) == 0
        stats = producer.stats()
    assert (stats.delivered, stats.spooled, dict(stats.rejected)) == (20_000, 0, {})


def test_bulk_work_gives_up_when_the_broker_stays_away(broker: TansuBroker, tmp_path: Path) -> None:
    """emit_wait returns False after its timeout; what was accepted before is in the spool."""
    create_topics(broker.address)
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        assert producer.emit_wait(event("before"))
        assert producer.flush(20) == 0
        broker.stop()
        assert producer.emit(event("after"))
        wait_for(lambda: producer.stats().spool_records == 1, "the event is spooled")
        assert not producer.emit_wait(event("refused"), timeout_s=0.1)
        assert producer.stats().rejected == {"wait_timeout": 1}


def test_a_restarted_broker_gets_everything_in_order(broker: TansuBroker, tmp_path: Path) -> None:
    """Emitted while the broker is away: spooled, then replayed oldest first, and the spool is empty again."""
    create_topics(broker.address)
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        assert producer.emit(event("first"))
        assert producer.flush(20) == 0
        broker.stop()
        wait_for(lambda: not producer.stats().connected, "the producer notices")
        ids = [f"e-{number:05d}" for number in range(3000)]
        assert all(producer.emit(event(one)) for one in ids)
        wait_for(lambda: producer.stats().spool_records == 3000, "everything is on disk")
        assert producer.stats().in_memory == 0
        broker.start()
        create_topics(broker.address)
        assert producer.flush(30) == 0
        stats = producer.stats()
    assert (stats.replayed, stats.spool_records) == (3000, 0)
    messages = read_topic(broker.address)
    assert {(m.key() or b"").decode() for m in messages} == set(ids)
    for partition in range(PARTITIONS):
        keys = [(m.key() or b"").decode() for m in messages if m.partition() == partition]
        firsts = list(dict.fromkeys(keys))
        assert firsts == sorted(firsts), "the first copies arrive in the order they were emitted"
    assert list(tmp_path.rglob("*.seg")) == []


@pytest.mark.parametrize("restarts", [3])
def test_restarts_under_traffic_lose_nothing(broker: TansuBroker, tmp_path: Path, restarts: int) -> None:
    """The broker stops and starts while events flow: each one is acknowledged at least once."""
    create_topics(broker.address)
    delivered: set[str] = set()
    with UsageProducer(
        config(broker.address, tmp_path), on_delivered=lambda delivery: delivered.add(delivery.event_id)
    ) as producer:
        emitted: list[str] = []

        def emit_some(count: int) -> None:
            for _ in range(count):
                emitted.append(f"e-{len(emitted)}")
                assert producer.emit(event(emitted[-1]))

        for _ in range(restarts):
            emit_some(2000)
            broker.stop()
            emit_some(2000)
            wait_for(lambda: not producer.stats().connected, "the producer notices")
            broker.start()
            create_topics(broker.address)
            emit_some(100)
            wait_for(lambda: producer.stats().connected, "the producer is back")
        assert producer.flush(30) == 0
        assert producer.stats().dropped == {}
    assert delivered == set(emitted)


def test_a_topic_with_nothing_to_send_holds_nobody_up_after_an_outage(broker: TansuBroker, tmp_path: Path) -> None:
    """After a new client only a delivery proves that a topic takes messages. One that has none to deliver must not
    keep `emit_wait` waiting for the other topic, which it once did for ever."""
    create_topics(broker.address)
    outcome = RawMessage(OUTCOME_TOPIC, b"o-1", b"{}")
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        assert producer.emit_wait(outcome)
        assert producer.emit_wait(event("before"))
        assert producer.flush(20) == 0
        restarts = producer.client_restarts
        broker.stop()
        wait_for(lambda: producer.client_restarts > restarts, "the producer has noticed")
        broker.start()
        create_topics(broker.address)
        assert all(producer.emit_wait(event(f"after-{number}"), timeout_s=20) for number in range(100))
        assert producer.flush(20) == 0
    assert len(ids_on(broker.address)) == 100
