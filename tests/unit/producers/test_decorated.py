"""`decorated`: an attribution around functions of every kind, also those that run later than they are called."""

import asyncio
import contextlib
import functools
import gc
import inspect
import types
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from spendstream import attribution, current_attribution
from tests.unit.producers.recorder import Recorder, tokens

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


def both(function: Callable[..., Any]) -> list[Any]:
    """The function under each of our two decorators."""
    return [decorate(function), Recorder().track(provider="openai", model="gpt-4o")(function)]


@pytest.mark.parametrize(
    ("function", "is_kind"),
    [
        (lambda: None, inspect.isfunction),
        (look, inspect.iscoroutinefunction),
        (functools.partial(look), inspect.iscoroutinefunction),
        (generator.__wrapped__, inspect.isgeneratorfunction),  # type: ignore[attr-defined]
        (async_generator.__wrapped__, inspect.isasyncgenfunction),  # type: ignore[attr-defined]
    ],
)
def test_both_decorators_leave_a_function_its_kind(function: Any, is_kind: Callable[[Any], bool]) -> None:
    """`track` and `attribution` alike: kind, name, signature, attributes."""
    for made in both(function):
        assert is_kind(made)
        assert getattr(made, "__name__", None) == getattr(function, "__name__", made.__name__)
        assert inspect.signature(made) == inspect.signature(function)
        assert made.__wrapped__ is function


def test_static_and_class_methods_stay_what_they_are() -> None:
    """With the decorator above them or below, called on the class and on an object."""
    for wrap in (decorate, Recorder().track(provider="openai", model="gpt-4o")):

        class Service:
            @wrap  # type: ignore[untyped-decorator]
            @staticmethod
            def above(number: int) -> int:
                return number

            @staticmethod
            @wrap  # type: ignore[untyped-decorator]
            def below(number: int) -> int:
                return number

            @wrap  # type: ignore[untyped-decorator]
            @classmethod
            def of_class(cls, number: int) -> tuple[type, int]:
                return cls, number

        for holder in (Service, Service()):
            assert (holder.above(1), holder.below(2), holder.of_class(3)) == (1, 2, (Service, 3))
        assert isinstance(vars(Service)["above"], staticmethod)
        assert isinstance(vars(Service)["of_class"], classmethod)


@pytest.mark.parametrize(
    "thing",
    [int, property(lambda self: 1), functools.cached_property(lambda self: 1), functools.partialmethod(look), 5],
)
def test_what_is_no_function_is_refused_at_once(thing: Any) -> None:
    """Decorating it is a programming error, said where it is written."""
    for wrap in (decorate, Recorder().track(provider="openai", model="gpt-4o")):
        with pytest.raises(TypeError, match="cannot decorate"):
            wrap(thing)


def test_a_tracked_generator_keeps_send_throw_and_return() -> None:
    """It sees what it would see undecorated, and its event says how it ended."""
    producer = Recorder()

    @producer.track(provider="openai", model="gpt-4o")
    def steps() -> Any:
        sent = yield 1
        try:
            yield sent
        except ValueError:
            yield "caught"
        return "returned"

    def outer() -> Any:
        returned.append((yield from steps()))

    returned: list[Any] = []
    reading = outer()
    assert (next(reading), reading.send("sent"), reading.throw(ValueError())) == (1, "sent", "caught")
    assert (list(reading), returned) == ([], ["returned"])
    broken, closed = steps(), steps()
    next(broken)
    with pytest.raises(KeyError):
        broken.throw(KeyError())
    next(closed)
    closed.close()
    assert [event.status for event in producer.events] == ["ok", "error", "cancelled"]


def test_a_tracked_async_generator_keeps_asend_and_athrow() -> None:
    """So `asynccontextmanager` over it shows it the exception of the block, and lets it handle that."""
    producer = Recorder()
    seen: list[Any] = []

    @contextlib.asynccontextmanager
    @producer.track(provider="openai", model="gpt-4o")
    async def session(handles: bool) -> AsyncIterator[int]:
        try:
            yield 1
        except ValueError as error:
            seen.append(error)
            if not handles:
                raise

    @producer.track(provider="openai", model="gpt-4o")
    async def echo() -> Any:
        got = yield 1
        yield got

    async def main() -> None:
        error = ValueError()
        async with session(True):
            raise error
        with pytest.raises(ValueError):
            async with session(False):
                raise error
        assert seen == [error, error]
        reading = echo()
        assert (await anext(reading), await reading.asend("sent")) == (1, "sent")
        await reading.aclose()

    asyncio.run(main())
    assert [event.status for event in producer.events] == ["ok", "error", "cancelled"]


def test_a_coroutine_of_types_is_awaited_as_before() -> None:
    """What it yields is the event loop's; what it returns is recorded."""
    producer = Recorder()

    @types.coroutine
    def ask() -> Any:
        yield from asyncio.sleep(0).__await__()
        return {"object": "chat.completion", "id": "1", "usage": {"prompt_tokens": 7, "completion_tokens": 1}}

    async def main() -> None:
        for made in (decorate(ask), producer.track(provider="openai", model="gpt-4o")(ask)):
            assert (await made())["id"] == "1"

    asyncio.run(main())
    assert tokens(producer.only) == (7, 1)
