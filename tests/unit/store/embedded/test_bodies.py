"""Room for request bodies."""

import asyncio

import pytest

from stream_jobs.store.embedded.bodies import BodyBudget
from stream_jobs.store.embedded.errors import EngineError


def test_room_is_taken_before_a_body_is_read_and_given_back() -> None:
    async def use() -> list[int]:
        budget = BodyBudget(total=100, largest=80)
        seen = []
        async with budget.room(60) as room:
            seen.append(budget.free)
            room.need(50)
            seen.append(budget.free)
            room.need(70)
            seen.append(budget.free)
        return [*seen, budget.free]

    assert asyncio.run(use()) == [40, 40, 30, 100]


@pytest.mark.parametrize(("declared", "needed", "code"), [(81, 0, 307), (None, 81, 307), (10, 81, 307)])
def test_a_body_above_the_bound_is_refused(declared: int | None, needed: int, code: int) -> None:
    """Whether it says so or turns out to be; what it had is free again."""

    async def use() -> None:
        budget = BodyBudget(total=100, largest=80)
        with pytest.raises(EngineError) as caught:
            async with budget.room(declared) as room:
                room.need(needed)
        assert caught.value.code == code
        assert budget.free == 100

    asyncio.run(use())


def test_a_body_waits_until_there_is_room() -> None:
    async def use() -> list[str]:
        budget = BodyBudget(total=100, largest=100)
        order = []

        async def second() -> None:
            async with budget.room(60):
                order.append("second")

        async with budget.room(60):
            task = asyncio.create_task(second())
            await asyncio.sleep(0)
            order.append("first")
        await task
        return order

    assert asyncio.run(use()) == ["first", "second"]


def test_a_body_that_finds_no_room_is_refused_and_may_come_again() -> None:
    async def use() -> None:
        budget = BodyBudget(total=100, largest=100, wait_s=0.01)
        async with budget.room(60) as room:
            with pytest.raises(EngineError) as caught:
                async with budget.room(60):
                    pass
            assert caught.value.code == 202
            async with budget.room(None) as other:
                with pytest.raises(EngineError):
                    other.need(50)
            room.need(100)
        assert budget.free == 100

    asyncio.run(use())
