"""`decorated`: an attribution around functions of every kind, also those that run later than they are called."""

import asyncio
import contextlib
import functools
import gc
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from spendstream import attribution, current_attribution

decorate = attribution(feature="f")


def feature() -> str | None:
    return current_attribution().feature


def call(function: Callable[[], Any]) -> Any:
    return function()


async def look() -> str | None:
    return feature()


@decorate
def generator() -> Iterator[str | None]:
    yield feature()
    yield feature()


@decorate
async def async_generator() -> AsyncIterator[str | None]:
    await asyncio.sleep(0)
    yield feature()
    yield await asyncio.create_task(look())


def test_tasks_and_threads_of_a_generators_reader_do_not_have_its_attribution() -> None:
    """However the reader begins them between two steps; what the generator begins has it."""

    async def main() -> list[str | None]:
        found: list[str | None] = []
        async for seen in async_generator():
            assert seen == "f"
            found += [feature(), await asyncio.create_task(look()), await asyncio.wait_for(look(), 5)]
            found += [*await asyncio.gather(look(), look()), await asyncio.to_thread(feature)]
        for seen in generator():
            assert seen == "f"
            found += [feature(), await asyncio.create_task(look()), await asyncio.to_thread(feature)]
        return found

    assert set(asyncio.run(main())) == {None}
    with attribution(feature="reader"):
        assert set(asyncio.run(main())) == {"reader"}


def test_each_step_has_the_attribution_whoever_runs_it() -> None:
    """Steps in threads of a pool, as web frameworks read a generator, and steps in tasks of their own. What the
    generator has opened itself by then, it keeps too."""

    @decorate
    def opens_more() -> Iterator[tuple[str | None, str | None]]:
        with attribution(team="t"):
            yield feature(), current_attribution().team
            yield feature(), current_attribution().team

    async def main() -> list[str | None]:
        chunks = async_generator()
        return [await asyncio.create_task(chunks.__anext__()) for _ in range(2)]  # type: ignore[arg-type]

    steps = opens_more()
    seen = []
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(next, steps).result())
    assert seen == [("f", "t")] * 2
    assert asyncio.run(main()) == ["f", "f"]


def test_a_generator_that_ends_inside_of_a_decorated_one_leaves_its_reader_nothing() -> None:
    """The reader had begun it: its later tasks do not have its attribution."""

    def source() -> Iterator[str | None]:
        with attribution(team="source"):
            yield current_attribution().team
            yield current_attribution().team

    @decorate
    def through(chunks: Iterator[str | None]) -> Iterator[tuple[str | None, str | None]]:
        for chunk in chunks:
            yield chunk, feature()

    async def team() -> str | None:
        return current_attribution().team

    async def main() -> str | None:
        chunks = source()
        assert next(chunks) == "source"
        assert [found for _, found in through(chunks)] == ["f"]
        return await asyncio.create_task(team())

    assert asyncio.run(main()) is None


def test_what_a_plain_function_returns_is_inside_too() -> None:
    """A coroutine or generator that it made runs later; an object that is called is no coroutine function."""

    class Asks:
        async def __call__(self) -> str | None:
            return await look()

    async def main() -> None:
        assert await decorate(Asks())() == "f"
        assert await decorate(functools.partial(look))() == "f"
        assert [seen async for seen in decorate(functools.partial(call, inner_async))()] == ["f"]
        assert feature() is None

    async def inner_async() -> AsyncIterator[str | None]:
        yield feature()

    def inner() -> Iterator[str | None]:
        yield feature()

    assert list(decorate(functools.partial(call, inner))()) == ["f"]
    asyncio.run(main())
    assert feature() is None


@pytest.mark.parametrize(
    ("function", "is_kind"),
    [
        (lambda: None, inspect.isfunction),
        (look, inspect.iscoroutinefunction),
        (generator, inspect.isgeneratorfunction),
        (async_generator, inspect.isasyncgenfunction),
    ],
)
def test_a_function_stays_of_its_kind(function: Callable[..., Any], is_kind: Callable[[Any], bool]) -> None:
    """Frameworks ask which kind it is, and read its name and signature."""
    made = decorate(function)
    assert is_kind(made)
    assert made.__name__ == function.__name__
    assert inspect.signature(made) == inspect.signature(function)


def test_a_generators_end_runs_inside_and_is_its_own() -> None:
    """Closed, thrown into, sent to, dropped: the generator sees what it would see undecorated."""
    seen: list[Any] = []

    @decorate
    def steps() -> Any:
        try:
            sent = yield 1
            try:
                yield sent
            except ValueError:
                yield "caught"
            return "returned"
        finally:
            seen.append(feature())

    def outer() -> Any:
        seen.append((yield from steps()))

    reading = outer()
    assert (next(reading), reading.send("sent"), reading.throw(ValueError())) == (1, "sent", "caught")
    assert list(reading) == []
    assert seen == ["f", "returned"]
    closed, dropped, broken = steps(), steps(), steps()
    assert [next(closed), next(dropped), next(broken)] == [1, 1, 1]
    closed.close()
    del dropped
    gc.collect()
    with pytest.raises(KeyError):
        broken.throw(KeyError())
    assert seen[2:] == ["f", "f", "f"]
    assert feature() is None


def test_an_async_generators_end_runs_inside_and_is_its_own() -> None:
    """As the synchronous one; dropped by its reader, the event loop ends it."""
    seen: list[Any] = []

    @decorate
    async def steps() -> Any:
        try:
            sent = yield 1
            try:
                yield sent
            except ValueError:
                yield "caught"
        finally:
            await asyncio.sleep(0)
            seen.append(feature())

    async def main() -> None:
        reading = steps()
        assert (await anext(reading), await reading.asend("sent"), await reading.athrow(ValueError())) == (
            1,
            "sent",
            "caught",
        )
        assert [step async for step in reading] == []
        reading = steps()
        await anext(reading)
        await reading.aclose()
        async for _ in steps():
            break
        gc.collect()
        await asyncio.sleep(0.01)
        reading = steps()
        await anext(reading)
        with pytest.raises(KeyError):
            await reading.athrow(KeyError())
        waiting = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert feature() is None

    @decorate
    async def endless() -> Any:
        try:
            await asyncio.sleep(60)
            yield
        finally:
            seen.append(feature())

    async def cancelled() -> None:
        try:
            async for _ in endless():
                pass
        finally:
            seen.append(("reader", feature()))

    asyncio.run(main())
    assert seen == ["f", "f", "f", "f", "f", ("reader", None)]
