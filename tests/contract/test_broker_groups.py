"""What the application expects of a broker's consumer groups: Tansu and Apache Kafka alike."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from faust.types import TP

from stream_jobs.base.errors import LostPartitionError
from stream_jobs.streams.transport import BundlingConsumer, Membership
from tests.brokers import RunningBroker
from tests.contract.broker_clients import PARTITIONS, TIMEOUT_S, make, produce

TOPIC = "usage.contract"
SESSION_S = 3.0


@contextmanager
def members() -> Iterator[list[Consumer]]:
    """To be filled by `join`; closed in the end."""
    consumers: list[Consumer] = []
    try:
        yield consumers
    finally:
        for consumer in consumers:
            consumer.close()


def join(broker: RunningBroker, group: str, consumers: list[Consumer]) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "log_level": 0,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": int(SESSION_S * 1000),
            "heartbeat.interval.ms": 300,
        }
    )
    consumer.subscribe([TOPIC])
    consumers.append(consumer)
    return consumer


def wait_shared(consumers: Sequence[Consumer]) -> None:
    """Until every partition belongs to one of them and each of them has some."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        for consumer in consumers:
            consumer.poll(0.05)
        owned = [partition.partition for consumer in consumers for partition in consumer.assignment()]
        if sorted(owned) == list(range(PARTITIONS)) and all(consumer.assignment() for consumer in consumers):
            return
        assert time.monotonic() < deadline, owned


def committed(consumer: Consumer) -> list[int]:
    """By partition; -1001 where there is none."""
    wanted = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return [partition.offset for partition in consumer.committed(wanted, timeout=TIMEOUT_S)]
        except KafkaException as error:  # a coordinator that starts has to read its groups first
            loading = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
            if error.args[0].code() not in loading or time.monotonic() > deadline:
                raise


def test_a_group_goes_on_where_it_committed_and_others_do_not_see_it(any_broker: RunningBroker) -> None:
    """Offsets belong to a group, not to a member; a partition without one has none."""
    make(any_broker, TOPIC)
    with members() as consumers:
        wait_shared([join(any_broker, "a", consumers)])
        consumers[0].commit(offsets=[TopicPartition(TOPIC, 1, 7), TopicPartition(TOPIC, 2, 0)], asynchronous=False)
    with members() as consumers:
        assert committed(join(any_broker, "a", consumers)) == [-1001, 7, 0, -1001]
        assert committed(join(any_broker, "b", consumers)) == [-1001] * PARTITIONS


def test_members_share_the_partitions_and_inherit_them(any_broker: RunningBroker) -> None:
    """A second member gets its part, and the first one all of it back when the second leaves."""
    make(any_broker, TOPIC)
    with members() as consumers:
        wait_shared([join(any_broker, "a", consumers)])
        wait_shared([consumers[0], join(any_broker, "a", consumers)])
        consumers.pop().close()
        wait_shared(consumers)


def test_committed_offsets_survive_a_stop_of_a_durable_broker(any_broker: RunningBroker) -> None:
    """And the same member goes on, with no hand needed; a broker in memory has forgotten them."""
    make(any_broker, TOPIC)
    produce(any_broker, TOPIC, [b"x"] * 5)
    with members() as consumers:
        wait_shared([join(any_broker, "a", consumers)])
        consumers[0].commit(offsets=[TopicPartition(TOPIC, 0, 5)], asynchronous=False)
        any_broker.stop()
        any_broker.start()
        if not any_broker.durable:
            make(any_broker, TOPIC)
            assert committed(consumers[0]) == [-1001] * PARTITIONS
            return
        assert committed(consumers[0]) == [5, -1001, -1001, -1001]
        deadline = time.monotonic() + TIMEOUT_S
        produce(any_broker, TOPIC, [b"next"])
        while (message := consumers[0].poll(0.1)) is None or message.value() != b"next":
            assert time.monotonic() < deadline


@asynccontextmanager
async def async_members() -> AsyncIterator[list[AIOKafkaConsumer]]:
    consumers: list[AIOKafkaConsumer] = []
    try:
        yield consumers
    finally:
        for consumer in consumers:
            await consumer.stop()


async def async_join(broker: RunningBroker, consumers: list[AIOKafkaConsumer]) -> None:
    """One more member; returns when all of them share the partitions in one generation."""
    consumers.append(
        AIOKafkaConsumer(
            TOPIC,
            bootstrap_servers=broker.address,
            group_id="fenced",
            enable_auto_commit=False,
            session_timeout_ms=int(SESSION_S * 1000),
            heartbeat_interval_ms=300,
        )
    )
    await consumers[-1].start()
    async with asyncio.timeout(TIMEOUT_S):
        while (
            sum(len(consumer.assignment()) for consumer in consumers) != PARTITIONS
            or not all(consumer.assignment() for consumer in consumers)
            or len({consumer._coordinator.generation for consumer in consumers}) != 1
        ):
            for consumer in consumers:
                await consumer.getmany(timeout_ms=20)


def membership(consumer: AIOKafkaConsumer) -> Membership:
    return Membership(consumer._coordinator.generation, consumer._coordinator.member_id)


async def commit(consumer: AIOKafkaConsumer, offset: int, member: Membership, partition: int = 0) -> None:
    """The jobs' own commit on a plain consumer: of the Faust consumer it needs the thread's aiokafka one."""
    host: Any = SimpleNamespace(_thread=SimpleNamespace(_ensure_consumer=lambda: consumer))
    await BundlingConsumer._commit_in_thread(cast(BundlingConsumer, host), TP(TOPIC, partition), offset, member)


def test_the_commit_of_an_older_generation_is_refused(any_broker: RunningBroker) -> None:
    """A worker that has lost its partitions raises LostPartitionError and changes nothing; a current one commits, and
    may repeat it."""
    make(any_broker, TOPIC)

    async def test() -> None:
        async with async_members() as consumers:
            await async_join(any_broker, consumers)
            stale = membership(consumers[0])
            await commit(consumers[0], 5, stale)
            await async_join(any_broker, consumers)
            tp = sorted(consumers[1].assignment())[0]
            for outdated in (stale, Membership(stale.generation, "nobody"), Membership(stale.generation + 99, "x")):
                with pytest.raises(LostPartitionError):
                    await commit(consumers[0], 7, outdated, tp.partition)
            current = membership(consumers[1])
            assert await consumers[1].committed(tp) != 7
            for _ in range(2):
                await commit(consumers[1], 9, current, tp.partition)
            assert await consumers[1].committed(tp) == 9

    asyncio.run(asyncio.wait_for(test(), 60))


def test_a_member_that_falls_silent_loses_its_partitions_and_its_commits(any_broker: RunningBroker) -> None:
    """A zombie: no heartbeat for longer than the session. Another member takes over; the zombie's commit, sent with
    the generation it knows, is refused, although nothing told it that it has lost them."""
    make(any_broker, TOPIC)

    async def test() -> None:
        async with async_members() as consumers:
            await async_join(any_broker, consumers)
            zombie = membership(consumers[0])
            coordinator = consumers[0]._coordinator
            coordinator._heartbeat_task.cancel()  # it lives, but the broker does not hear of it
            successor: list[AIOKafkaConsumer] = []
            try:
                await async_join(any_broker, successor)
                await commit(successor[0], 30, membership(successor[0]))
                with pytest.raises(LostPartitionError):
                    await commit(consumers[0], 10, zombie)
                tp = sorted(successor[0].assignment())[0]
                assert await successor[0].committed(tp) == 30
            finally:
                for consumer in successor:
                    await consumer.stop()

    asyncio.run(asyncio.wait_for(test(), 60))
