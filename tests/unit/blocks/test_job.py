"""The shell around the bookers: who gets which bundle, and where reading starts."""

import asyncio
import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.blocks.job import BlockJob, BlockJobRunner
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.runtime.kafka import TopicStart
from stream_jobs.streams.model import Block, BlockCounts, BlockOutput, Bundle, SourcePartition, SourceRecord
from stream_jobs.streams.transport import Membership, ReadOffsets
from tests.unit.blocks.build import VERSIONS, World, reach, records

TOPIC = "usage.events.v1"
PARTITION = TP(TOPIC, 3)
MEMBER = Membership(4, "me")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Blocks(World):
    complete = False
    finished_to = 0

    async def booked_to(self, source: SourcePartition) -> int:
        return self.finished_to

    async def last_block(  # type: ignore[override]
        self, source: SourcePartition, committed: int
    ) -> Block | None:
        if self.failures.get("last_block"):
            raise self.failures["last_block"].pop(0)
        return next((row for row in self.rows if row.last_offset == committed - 1 and row.source == source), None)

    async def other_topic_id(self, source: SourcePartition, committed: int) -> str | None:
        return next((row.source.topic_id for row in self.rows if row.last_offset == committed - 1), None)

    async def is_complete(self, block: Block) -> bool:
        return self.complete

    async def insert(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        self.inserted[(block.first_offset, block.last_offset)] = list(range(output.counts.received))


def runner(world: Blocks, earliest: int = 0) -> BlockJobRunner:
    def process(block: Block, taken: list[SourceRecord]) -> BlockOutput:
        return BlockOutput(BlockCounts(received=len(taken)))

    async def commit_fenced(tp: TP, offset: int, membership: Membership) -> None:
        assert (tp, membership) == (PARTITION, MEMBER)
        await world.commit(offset)

    async def perform_seek() -> None:
        await jobs.stop_booking()
        await jobs.assigned({PARTITION: world.committed or None}, MEMBER, jobs._reading + 1)

    app: Any = SimpleNamespace(
        consumer=SimpleNamespace(commit_fenced=commit_fenced, perform_seek=perform_seek),
        consumer_generation_id=MEMBER.generation,
        should_stop=False,
    )
    job = BlockJob("metering", TOPIC, process, lambda: VERSIONS, lambda *_: None)
    jobs = BlockJobRunner(app, job, world, lambda _: TopicStart("topic-id", {3: earliest}), BookerLimits())
    return jobs


def test_a_bundle_fetched_before_the_last_seek_is_dropped() -> None:
    """Taking it would skip what lies before it: those offsets would be part of a block that holds no records of
    them. It is read again."""
    world = Blocks()

    async def test() -> None:
        jobs = runner(world)
        await jobs.assigned({PARTITION: None}, MEMBER, 1)
        await jobs.stop_booking()
        assert await jobs.assigned({PARTITION: None}, MEMBER, 2) == {PARTITION: 0}
        await jobs.dispatch(TOPIC, 3, Bundle(1, records(50, 60)))
        await jobs.dispatch(TOPIC, 3, Bundle(2, records(0, 50)))
        await jobs.dispatch(TOPIC, 3, Bundle(2, records(50, 60)))
        await jobs.dispatch(TOPIC, 7, Bundle(2, records(0, 9)))
        await reach(lambda: world.committed == 60)
        await reach(lambda: sum(map(len, world.inserted.values())) == 60)
        assert jobs.positions == {3: 60}
        await jobs.stop_booking()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_hole_is_read_again_before_it_is_believed() -> None:
    """Whatever passed over the first records: they are read again, and booked."""
    world = Blocks()

    async def test() -> None:
        jobs = runner(world)
        await jobs.assigned({PARTITION: None}, MEMBER, 1)
        await jobs.dispatch(TOPIC, 3, Bundle(1, records(50, 60)))
        assert (jobs._reading, jobs.positions) == (2, {3: 0})
        await jobs.dispatch(TOPIC, 3, Bundle(2, records(0, 60)))
        await reach(lambda: sum(map(len, world.inserted.values())) == 60)
        assert jobs._doubted == {}  # or the next loss at this place would be believed
        await jobs.stop_booking()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_hole_that_is_read_twice_is_one() -> None:
    """Transaction markers take offsets: a topic that has them is read without doubting every one."""
    world = Blocks()

    async def test() -> None:
        jobs = runner(world)
        await jobs.assigned({PARTITION: None}, MEMBER, 1)
        for reading in (1, 2):
            await jobs.dispatch(TOPIC, 3, Bundle(reading, records(1, 10)))
        await jobs.dispatch(TOPIC, 3, Bundle(2, records(11, 20)))
        await reach(lambda: world.committed == 20)
        await reach(lambda: sum(map(len, world.inserted.values())) == 18)
        assert jobs._reading == 2
        await jobs.stop_booking()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_faust_does_not_pass_over_what_is_read_again() -> None:
    """A fetch that overlapped with a seek made it note an offset of the reading before: everything below was lost."""
    offsets = ReadOffsets(frozenset({TOPIC}))
    other = TP("spendstream-metering-changelog", 0)
    offsets.update({PARTITION: 0, other: 7})
    offsets[PARTITION] = 280
    assert (offsets[PARTITION], offsets[other], offsets[TP("new", 0)]) == (None, 7, None)


def test_reading_starts_at_the_block_to_redo() -> None:
    """The last official block's beginning, or the committed offset where no row tells of one."""
    world = Blocks(committed=9)
    world.rows.append(Block(SourcePartition(TOPIC, "topic-id", 3), 5, 8, NOW, VERSIONS, 1))

    async def test() -> None:
        jobs = runner(world)
        assert await jobs.assigned({PARTITION: 9}, MEMBER, 1) == {PARTITION: 5}
        await jobs.stop_booking()
        assert await jobs.assigned({PARTITION: 20}, MEMBER, 2) == {PARTITION: 20}
        await jobs.stop_booking()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_group_without_offsets_goes_on_where_the_store_has_booked_to() -> None:
    """Kafka drops the offsets of a group that was idle for a week; reading all that is left of the topic again would
    take long, and find nothing that is not booked. Where the log begins later than that, it starts at the beginning."""
    world = Blocks()
    world.finished_to = 40

    async def test() -> None:
        assert await runner(world).assigned({PARTITION: None}, MEMBER, 1) == {PARTITION: 40}
        assert await runner(world, earliest=50).assigned({PARTITION: None}, MEMBER, 1) == {PARTITION: 50}

    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_last_block_with_a_receipt_is_not_redone() -> None:
    """A partition that was idle may change hands long after the store forgot the token of its last block."""
    world = Blocks(committed=10)
    world.complete = True
    world.rows.append(Block(SourcePartition(TOPIC, "topic-id", 3), 4, 9, NOW, VERSIONS, 1))

    async def test() -> None:
        jobs = runner(world)
        assert await jobs.assigned({PARTITION: 10}, MEMBER, 1) == {PARTITION: 10}
        await jobs.stop_booking()

    asyncio.run(test())


def test_a_commit_of_an_earlier_topic_of_the_same_name_does_not_count() -> None:
    """The topic was deleted and made again, and the group's offsets survived: reading starts at the beginning, or
    records would be passed over. Where the store knows no other topic, the committed offset counts."""
    world = Blocks(committed=9)
    world.rows.append(Block(SourcePartition(TOPIC, "deleted", 3), 5, 8, NOW, VERSIONS, 1))

    async def test() -> None:
        jobs = runner(world)
        assert await jobs.assigned({PARTITION: 9}, MEMBER, 1) == {PARTITION: 0}
        await jobs.stop_booking()
        assert await jobs.assigned({PARTITION: 8}, MEMBER, 2) == {PARTITION: 8}
        await jobs.stop_booking()
        assert await runner(world, earliest=30).assigned({PARTITION: 9}, MEMBER, 1) == {PARTITION: 30}

    asyncio.run(asyncio.wait_for(test(), 20))


def test_an_assignment_waits_for_the_store() -> None:
    """ClickHouse is away while the group rebalances: the worker asks again until it knows where to start, and is not
    ready before."""
    world = Blocks(committed=9, failures={"last_block": [StoreUnavailableError("away"), StoreUnavailableError("away")]})
    world.rows.append(Block(SourcePartition(TOPIC, "topic-id", 3), 5, 8, NOW, VERSIONS, 1))

    async def test() -> None:
        jobs = runner(world)
        waiting = asyncio.create_task(cast(Any, jobs.assigned({PARTITION: 9}, MEMBER, 1)))
        await reach(lambda: len(world.failures["last_block"]) == 1)
        assert not jobs.joined
        assert await waiting == {PARTITION: 5}
        assert jobs.joined
        await jobs.stop_booking()

    asyncio.run(asyncio.wait_for(test(), 20))


@pytest.mark.parametrize("change", [{"consumer_generation_id": MEMBER.generation + 1}, {"should_stop": True}])
def test_an_assignment_that_is_over_is_given_up(change: dict[str, Any]) -> None:
    """The group moves on, or the worker stops, while the store is away: nothing is booked under the old assignment."""
    world = Blocks(committed=9, failures={"last_block": [StoreUnavailableError("away")] * 100})

    async def test() -> None:
        jobs = runner(world)
        waiting = asyncio.create_task(cast(Any, jobs.assigned({PARTITION: 9}, MEMBER, 1)))
        await reach(lambda: len(world.failures["last_block"]) < 100)
        vars(jobs._app).update(change)
        assert await waiting == {}
        assert jobs.positions == {}

    asyncio.run(asyncio.wait_for(test(), 20))


def test_records_that_were_deleted_before_they_were_booked_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Retention was shorter than an outage: which offsets are gone is said, not skipped in silence."""

    async def test() -> None:
        jobs = runner(Blocks(), earliest=30)
        assert await jobs.assigned({PARTITION: 20}, MEMBER, 1) == {PARTITION: 30}
        await jobs.stop_booking()
        assert await jobs.assigned({PARTITION: None}, MEMBER, 2) == {PARTITION: 30}
        await jobs.stop_booking()

    with caplog.at_level(logging.ERROR):
        asyncio.run(asyncio.wait_for(test(), 20))
    assert [message for message in caplog.messages if "deleted" in message] == [
        f"{TOPIC}[3]: offsets 20 to 29 were deleted from the topic before they were booked; its retention is shorter "
        "than the outage was"
    ]
