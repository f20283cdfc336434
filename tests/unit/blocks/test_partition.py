"""The booker of one partition: the order of its steps, and that its blocks tile the log whatever arrives."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.base.errors import BrokerUnavailableError, CrashError, LostPartitionError, StoreUnavailableError
from stream_jobs.blocks import partition
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.blocks.queue import Room
from stream_jobs.runtime.retry import Backoff
from stream_jobs.store.deadline import LateInsertError
from stream_jobs.streams.model import Block, Versions
from tests.unit.blocks.build import SOURCE, Announcing, World, end, reach, records


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "OUTAGE", Backoff(0.001, 5.0))


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_block_is_fixed_then_committed_then_inserted_then_counted() -> None:
    """Block row, commit of the end offset, insert, and only then the metrics: each after the one before succeeded."""
    world = World()

    async def test() -> None:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await reach(lambda: bool(world.booked))
        await end(booker, task)

    run(test)
    assert world.steps == [("process", 0, 4), ("row", 0, 4), ("commit", 5, 5), ("insert", 0, 4)]
    assert world.booked == [(0, 4, 5)]


@settings(max_examples=60)
@given(
    bundles=st.lists(st.tuples(st.integers(-6, 4), st.integers(1, 9)), max_size=12),
    start=st.integers(0, 50),
    block_rows=st.integers(1, 7),
    queued=st.integers(1, 10),
)
def test_blocks_tile_the_offsets(bundles: list[tuple[int, int]], start: int, block_rows: int, queued: int) -> None:
    """Whatever bundles arrive (re-reads that overlap, holes in the log), blocks follow each other without gap or
    overlap from the start offset on, and each offset that arrived is booked exactly once."""
    world = World(committed=start)
    arrived: list[list[int]] = []
    position = start
    for shift, size in bundles:  # shift < 0: read again; > 0: offsets that do not exist (compacted, aborted)
        first = max(start, position + shift)
        arrived.append(list(range(first, first + size)))
        position = max(position, first + size)

    async def test() -> None:
        booker = world.booker(BookerLimits(max_block_rows=block_rows, max_queued_records=queued))
        task = asyncio.create_task(booker.run())
        for offsets in arrived:
            await booker.offer(records(offsets[0], offsets[-1] + 1))
        await reach(lambda: world.committed == position)
        await reach(lambda: len(world.inserted) == len(world.rows))
        await end(booker, task)

    run(test)
    edges = [(block.first_offset, block.last_offset) for block in world.rows]
    assert [first for first, _ in edges] == [start, *(last + 1 for _, last in edges)][: len(edges)]
    booked = [offset for offsets in world.inserted.values() for offset in offsets]
    highest = start - 1  # what lies in a hole that a later re-read fills was skipped before and stays skipped
    expected = []
    for offsets in arrived:
        expected += [offset for offset in offsets if offset > highest]
        highest = max(highest, offsets[-1])
    assert booked == expected


@pytest.mark.parametrize("step", ["process", "row", "commit", "insert"])
def test_an_outage_at_any_step_repeats_that_step_only(step: str) -> None:
    """A step that fails is tried again; steps that succeeded are never repeated, above all not the commit."""
    error = BrokerUnavailableError if step == "commit" else StoreUnavailableError
    world = World(failures={step: [error("away") for _ in range(3)]})

    async def test() -> None:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await reach(lambda: bool(world.booked))
        await end(booker, task)

    run(test)
    assert world.names() == ["process", "row", "commit", "insert"]


def test_a_refused_commit_books_nothing_and_ends_the_booker() -> None:
    """LostPartitionError from the broker: no insert follows, `run` returns, and later records are turned away."""
    world = World(failures={"commit": [LostPartitionError("t", 0, 5)]})

    async def test() -> None:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await asyncio.wait_for(task, 5)
        await booker.offer(records(5, 6))

    run(test)
    assert world.names() == ["process", "row"]
    assert world.committed == 0


def test_an_insert_that_was_too_late_is_tried_again_only_by_who_still_owns_the_partition() -> None:
    """The store refuses by its own clock; the broker says by the same commit again whether the block is still ours."""
    world = World(now=datetime(2026, 11, 20, tzinfo=UTC))

    def sleep_after_the_first_commit(step: str) -> None:
        if step == "commit" and len(world.names()) == 2:
            world.now += timedelta(hours=1)

    world.on_step = sleep_after_the_first_commit

    async def test() -> None:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await reach(lambda: bool(world.booked))
        await end(booker, task)

    run(test)
    assert world.names() == ["process", "row", "commit", "commit", "insert"]
    assert world.inserted == {(0, 4): [0, 1, 2, 3, 4]}


def test_a_zombie_that_wakes_after_the_deadline_inserts_nothing() -> None:
    """It slept between its commit and its insert, and somebody else owns the partition now."""
    world = World(failures={"insert": [LateInsertError("late")]})

    def lose(step: str) -> None:
        if step == "commit" and "commit" in world.names():
            raise LostPartitionError("t", 0, 5)

    world.on_step = lose

    async def test() -> None:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await asyncio.wait_for(task, 5)

    run(test)
    assert world.inserted == {}


def test_a_lost_partition_does_not_hold_up_who_waits_for_room() -> None:
    """The agent that feeds all partitions must not wait for ever on the full queue of one that is lost."""
    world = World(failures={"commit": [LostPartitionError("t", 0, 5)]})

    async def test() -> None:
        booker = world.booker(BookerLimits(max_block_rows=1, max_queued_records=2))
        await booker.offer(records(0, 5))
        waiting = asyncio.create_task(booker.offer(records(5, 6)))
        await asyncio.sleep(0)
        assert not waiting.done()
        await booker.run()
        await asyncio.wait_for(waiting, 5)

    run(test)


def test_a_broken_invariant_ends_the_booker_with_its_error() -> None:
    """CrashError is for the process: it is raised by `run`, not retried, and nothing is committed."""
    world = World(failures={"process": [CrashError("broken")]})

    async def test() -> None:
        booker = world.booker()
        await booker.offer(records(0, 5))
        with pytest.raises(CrashError):
            await booker.run()

    run(test)
    assert world.steps == []


def test_close_before_the_commit_prevents_it() -> None:
    """A rebalance that comes while a block is prepared: nothing of it becomes official."""
    world = World()

    async def test() -> None:
        booker = world.booker()
        closing: list[asyncio.Task[None]] = []
        world.on_step = lambda name: closing.append(asyncio.create_task(booker.close())) if name == "process" else None
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await asyncio.wait_for(task, 5)
        await asyncio.gather(*closing)

    run(test)
    assert world.names() == ["process", "row"]
    assert world.committed == 0


def test_close_waits_for_the_commit_under_way() -> None:
    """When `close` returns no commit is under way: who reads the committed offset next reads the final one."""
    world = World()

    async def test() -> None:
        in_commit, go_on = asyncio.Event(), asyncio.Event()

        async def slow_commit(offset: int) -> None:
            in_commit.set()
            await go_on.wait()
            world.committed = offset

        world.commit = slow_commit  # type: ignore[method-assign]
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await in_commit.wait()
        closing = asyncio.create_task(booker.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        go_on.set()
        await closing
        assert world.committed == 5
        await asyncio.wait_for(task, 5)

    run(test)
    assert world.names() == ["process", "row", "insert"], "a block that is official is still inserted"


def test_close_ends_a_retry_that_waits_for_an_outage_to_pass() -> None:
    """Whoever gets the partition next takes over; the old booker does not sit out the outage."""
    world = World(failures={"insert": [StoreUnavailableError("away") for _ in range(10_000)]})

    async def test() -> None:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await reach(lambda: world.committed == 5)
        await end(booker, task)

    run(test)
    assert world.booked == []


def test_redo_books_the_identical_range_and_then_goes_on() -> None:
    """An official block is inserted as its row says, without a new row or commit; the next block follows it."""
    world = World(failures={"insert": [CrashError("kill -9")]})

    async def test() -> None:
        booker = world.booker()
        await booker.offer(records(0, 7))
        with pytest.raises(CrashError):
            await booker.run()
        assert (world.committed, world.inserted) == (7, {})
        world.steps.clear()
        redo = world.last_block()
        assert redo is not None
        booker = world.booker(BookerLimits(max_block_rows=3), redo)
        assert booker.next_offset == 0, "read from the block's beginning"
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 4))
        await booker.offer(records(4, 10))
        await reach(lambda: len(world.booked) == 2)
        assert booker.next_offset == 10
        await end(booker, task)

    run(test)
    assert world.steps == [
        *[("process", 0, 6), ("commit", 7, 7), ("insert", 0, 6)],
        *[("process", 7, 9), ("row", 7, 9), ("commit", 10, 10), ("insert", 7, 9)],
    ]
    assert world.inserted == {(0, 6): list(range(7)), (7, 9): [7, 8, 9]}


def test_a_block_is_announced_between_its_rows_and_its_receipt_and_again_when_it_is_redone() -> None:
    """What is told is in the tables; a worker that dies before the receipt leaves a block that its heir tells again.
    A receipt that the store did not take at once is no reason to tell twice."""
    world = Announcing(failures={"receipt": [CrashError("kill -9"), StoreUnavailableError("away")]})

    async def test() -> None:
        booker = world.booker(announce=world.announce)
        await booker.offer(records(0, 7))
        with pytest.raises(CrashError):
            await booker.run()
        assert world.names() == ["process", "row", "commit", "insert", "announce"]
        world.steps.clear()
        booker = world.booker(redo=world.last_block(), announce=world.announce)
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 7))
        await reach(lambda: bool(world.booked))
        await end(booker, task)

    run(test)
    assert world.names() == ["process", "commit", "insert", "announce", "receipt"]


def test_a_block_to_redo_may_be_larger_than_the_queue() -> None:
    """It was cut under other limits; it must be complete before it is booked, so the queue grows for it."""
    world = World(committed=100)
    fixed = Block(SOURCE, 0, 99, _now(), _versions(), 1)

    async def test() -> None:
        booker = world.booker(BookerLimits(max_block_rows=5, max_queued_records=10, max_queued_bytes=10), fixed)
        task = asyncio.create_task(booker.run())
        for first in range(0, 100, 7):
            await asyncio.wait_for(booker.offer(records(first, min(100, first + 7), size=3)), 5)
        await reach(lambda: bool(world.booked))
        await end(booker, task)

    run(test)
    assert world.inserted == {(0, 99): list(range(100))}


def test_closing_while_a_redo_waits_for_its_records_inserts_nothing() -> None:
    """Half a block would be booked under the token of the whole one."""
    world = World(committed=100)
    fixed = Block(SOURCE, 0, 99, _now(), _versions(), 1)

    async def test() -> None:
        booker = world.booker(redo=fixed)
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 99))
        await asyncio.sleep(0.01)
        await end(booker, task)

    run(test)
    assert world.steps == []


@pytest.mark.parametrize(
    "limits", [BookerLimits(2, 4), BookerLimits(max_block_bytes=20, max_queued_bytes=40)], ids=["records", "bytes"]
)
def test_a_full_queue_makes_the_reader_wait(limits: BookerLimits) -> None:
    """Memory is bounded by records and by bytes: `offer` waits until a block was taken out, and blocks are cut so."""
    world = World()

    async def test() -> None:
        booker = world.booker(limits)
        await booker.offer(records(0, 4, size=10))
        waiting = asyncio.create_task(booker.offer(records(4, 6, size=10)))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        task = asyncio.create_task(booker.run())
        await asyncio.wait_for(waiting, 5)
        await reach(lambda: world.committed == 6)
        await end(booker, task)

    run(test)
    assert [(block.first_offset, block.last_offset) for block in world.rows] == [(0, 1), (2, 3), (4, 5)]


def test_one_record_larger_than_a_block_may_be_is_booked_alone() -> None:
    """A bound that a single record exceeds must not stop the partition."""
    world = World()

    async def test() -> None:
        booker = world.booker(BookerLimits(max_block_bytes=5, max_queued_bytes=5))
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 2, size=100))
        await reach(lambda: world.committed == 2)
        await end(booker, task)

    run(test)
    assert [(block.first_offset, block.last_offset) for block in world.rows] == [(0, 0), (1, 1)]


def _now() -> datetime:
    return datetime.now(UTC)


def _versions() -> Versions:
    return Versions("old", "old")


def test_a_booker_rests_after_a_block_unless_a_whole_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in while it rests goes into one block; a full block, and the end, wait for nothing."""
    monkeypatch.setattr(partition, "REST_SHARE", 1e9)
    monkeypatch.setattr(partition, "MAX_REST_S", 3600.0)
    world = World()

    async def test() -> None:
        booker = world.booker(BookerLimits(max_block_rows=10))
        task = asyncio.create_task(booker.run())
        await booker.offer(records(0, 5))
        await reach(lambda: len(world.booked) == 1)
        for offset in range(5, 14):
            await booker.offer(records(offset, offset + 1))
        await asyncio.sleep(0.01)
        assert len(world.booked) == 1  # nine records wait
        await booker.offer(records(14, 15))
        await reach(lambda: len(world.booked) == 2)
        await booker.offer(records(15, 16))
        await end(booker, task)

    run(test)
    assert world.booked == [(0, 4, 5), (5, 14, 10)]


def test_the_rest_ends_by_itself() -> None:
    """Records that are fewer than a block are booked after the rest."""
    world = World()

    async def test() -> None:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        for offset in range(5):
            await booker.offer(records(offset, offset + 1))
            await reach(lambda offset=offset: world.committed == offset + 1)  # type: ignore[misc]
        await reach(lambda: len(world.booked) == 5)
        await end(booker, task)

    run(test)


@settings(max_examples=40)
@given(
    bundles=st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(1, 60), min_size=1, max_size=6)), max_size=25),
    block=st.tuples(st.integers(1, 8), st.integers(20, 100)),
    room=st.tuples(st.integers(1, 12), st.integers(20, 150)),
)
def test_whatever_waits_is_booked_within_bounds_and_in_order(
    bundles: list[tuple[int, list[int]]], block: tuple[int, int], room: tuple[int, int]
) -> None:
    """Several partitions in one room, records of any sizes: no block is beyond its rows or bytes, no more waits than
    the room holds and a bundle of each partition, and every partition is booked to its end, in order."""
    limits = BookerLimits(block[0], room[0], block[1], room[1])
    worlds = [World() for _ in range(4)]
    ends, sizes = [0] * 4, [dict[int, int]() for _ in range(4)]

    async def test() -> None:
        shared = Room(limits.max_queued_records, limits.max_queued_bytes)
        bookers = [world.booker(limits, room=shared) for world in worlds]
        tasks = [asyncio.create_task(booker.run()) for booker in bookers]
        for number, lengths in bundles:  # as the one agent does that feeds them all
            bundle = [
                record
                for at, size in enumerate(lengths)
                for record in records(ends[number] + at, ends[number] + at + 1, size)
            ]
            ends[number] += len(lengths)
            sizes[number] |= {record.offset: len(record.value or b"") for record in bundle}
            await asyncio.wait_for(bookers[number].offer(bundle), 5)
            assert shared.records < limits.max_queued_records + 4 * 6
            assert shared.bytes < limits.max_queued_bytes + 4 * 6 * 60
        await reach(lambda: [world.committed for world in worlds] == ends)
        await reach(lambda: all(len(world.inserted) == len(world.rows) for world in worlds))
        for booker, task in zip(bookers, tasks, strict=True):
            await end(booker, task)
        assert (shared.records, shared.bytes, shared.queues) == (0, 0, 0)

    run(test)
    for world, told, stop in zip(worlds, sizes, ends, strict=True):
        assert [offset for offsets in world.inserted.values() for offset in offsets] == list(range(stop))
        for offsets in world.inserted.values():
            assert len(offsets) <= block[0]
            assert len(offsets) == 1 or sum(told[offset] for offset in offsets) <= block[1]


def test_a_redo_that_waits_for_its_records_does_not_lock_out_those_behind_which_they_come() -> None:
    """The room is full of records of a block that cannot be redone yet. The agent has a bundle of another partition in
    its hands, and the missing ones come after that."""
    world, other = World(committed=100), World()

    async def test() -> None:
        limits = BookerLimits(max_queued_records=10)
        room = Room(10, 1000)
        redoing = world.booker(limits, Block(SOURCE, 0, 99, _now(), _versions(), 1), room=room)
        booker = other.booker(limits, room=room)
        tasks = [asyncio.create_task(one.run()) for one in (redoing, booker)]
        await asyncio.wait_for(redoing.offer(records(0, 60)), 5)
        for first in range(0, 9, 3):
            await asyncio.wait_for(booker.offer(records(first, first + 3)), 5)
        await asyncio.wait_for(redoing.offer(records(60, 100)), 5)
        await reach(lambda: bool(world.booked) and other.committed == 9)
        for one, task in zip((redoing, booker), tasks, strict=True):
            await end(one, task)

    run(test)
    assert world.inserted == {(0, 99): list(range(100))}


def test_a_booker_that_ends_gives_its_room_back() -> None:
    """What it left there is read again by whoever has the partition then; the others go on with all of the room."""
    world, other = World(failures={"commit": [LostPartitionError("t", 0, 5)]}), World()

    async def test() -> None:
        room = Room(4, 1000)
        lost, booker = world.booker(BookerLimits(max_block_rows=1), room=room), other.booker(room=room)
        await lost.offer(records(0, 5))
        await booker.offer(records(0, 1))
        waiting = asyncio.create_task(booker.offer(records(1, 3)))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await lost.run()
        await asyncio.wait_for(waiting, 5)
        assert room.records == 3

    run(test)
