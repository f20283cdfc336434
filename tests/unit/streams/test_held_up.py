"""How long work has been standing still, as readiness tells it."""

import asyncio
import threading

import pytest

from stream_jobs.streams.held_up import HeldUp, Progress
from tests.unit.blocks.build import World, end, reach, records


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_has_nothing_to_do_stands_still_for_no_time(clock: Clock) -> None:
    """However long that lasts."""
    progress = Progress(clock)
    clock.now_s += 1000
    assert (progress.working_s, progress.waiting_s()) == (0, 0)


def test_a_step_stands_still_from_its_beginning_to_its_end(clock: Clock) -> None:
    """Also when it fails."""
    progress = Progress(clock)
    during: list[float] = []

    def fail() -> None:
        with progress.at_work():
            clock.now_s += 7
            during.append(progress.working_s)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert during == [7]
    assert progress.working_s == 0


def test_what_waits_for_its_turn_stands_still_no_longer_than_the_others_do(clock: Clock) -> None:
    """Of many partitions with a backlog each waits long for its turn, and all is well as long as one after the other
    has it."""
    progress = Progress(clock)
    progress.waits()
    clock.now_s += 30
    progress.waits()
    assert progress.waiting_s() == 30
    assert progress.waiting_s(since_s=128.0) == 2
    with progress.at_work():
        assert progress.waiting_s() == 0


def test_a_partition_says_what_holds_it_up() -> None:
    """From when a record has come until its block is in; a step that hangs counts like one that is refused."""
    world = World()
    hanging = asyncio.Event()

    async def main() -> list[HeldUp]:
        booker = world.booker()
        task = asyncio.create_task(booker.run())
        found = [booker.held_up(0)]

        async def hang() -> None:
            await hanging.wait()

        original = world.write_block_row

        async def slow_row(block: object) -> None:
            await hang()
            await original(block)  # type: ignore[arg-type]

        world.write_block_row = slow_row  # type: ignore[method-assign]
        await booker.offer(records(0, 10))
        await reach(lambda: booker.held_up(0).seconds > 0.01)
        # As it is asked: from the health server's thread.
        thread = threading.Thread(target=lambda: found.append(booker.held_up(0)))
        thread.start()
        await asyncio.to_thread(thread.join)
        hanging.set()
        await reach(lambda: world.booked == [(0, 9, 10)])
        await reach(lambda: booker.held_up(0).seconds == 0)
        await end(booker, task)
        return found

    idle, held_up = asyncio.run(main())
    assert idle.seconds == 0
    assert held_up.what == "the block of partition 3 from offset 0 on"
