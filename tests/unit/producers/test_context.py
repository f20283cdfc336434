"""`context`: attribution follows the work, nests and merges."""

import asyncio
import contextlib
import contextvars
import gc
import random
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from spendstream import attribution, current_attribution
from spendstream.context import _CURRENT


def test_blocks_nest_and_merge() -> None:
    """Inner fields win, outer ones stay, labels merge; leaving a block restores what was."""
    with attribution(project="outer", team="a", labels={"x": "1", "y": "1"}):
        with attribution(project="inner", feature="f", labels={"y": "2"}) as inner:
            assert current_attribution() == inner
            assert (inner.project, inner.team, inner.feature) == ("inner", "a", "f")
            assert inner.labels == {"x": "1", "y": "2"}
        assert current_attribution().project == "outer"
        assert current_attribution().labels == {"x": "1", "y": "1"}
    assert current_attribution().project is None


def test_tasks_do_not_see_each_other() -> None:
    """Concurrent asyncio tasks inherit their starter's attribution and keep their own."""

    async def work(name: str) -> tuple[str | None, str | None]:
        with attribution(feature=name):
            await asyncio.sleep(0)
            return current_attribution().project, current_attribution().feature

    async def main() -> list[tuple[str | None, str | None]]:
        with attribution(project="p"):
            return await asyncio.gather(*(work(f"f{number}") for number in range(10)))

    assert asyncio.run(main()) == [("p", f"f{number}") for number in range(10)]


def test_threads_inherit_by_copied_context() -> None:
    """A thread starts empty; run in a copied context (as asyncio.to_thread does) it has its starter's attribution."""
    seen: list[str | None] = []
    with attribution(project="p"):
        context = contextvars.copy_context()
        for target in (lambda: seen.append(current_attribution().project), lambda: context.run(note)):

            def note() -> None:
                seen.append(current_attribution().project)

            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [None, "p"]


def test_a_value_that_breaks_the_contract_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Attribution must not break the call it describes: the bad field is logged, the good ones stay."""
    with attribution(project="p" * 200, team="t", customer=5):  # type: ignore[arg-type]
        assert (current_attribution().project, current_attribution().team) == (None, "t")
    assert "customer" in caplog.text
    assert "project" in caplog.text


def test_an_unknown_field_is_a_programming_error() -> None:
    """A misspelt name must not silently lose the attribution."""
    with pytest.raises(TypeError, match="projekt"), attribution(projekt="p"):
        pass


def steps(name: str, count: int) -> Iterator[str | None]:
    with attribution(feature=name):
        for _ in range(count):
            yield current_attribution().feature


def test_interleaved_generators_do_not_see_each_other() -> None:
    """Each has its own attribution at every step, its reader keeps its own, and nothing is left behind."""
    with attribution(project="reader"):
        first, second = steps("first", 2), steps("second", 3)
        assert [next(first), next(second), next(first), next(second)] == ["first", "second", "first", "second"]
        assert (current_attribution().project, current_attribution().feature) == ("reader", None)
        assert (list(first), list(second)) == ([], ["second"])
        assert current_attribution().feature is None
    assert current_attribution().project is None


def test_interleaved_async_generators_do_not_see_each_other() -> None:
    """As the synchronous ones; a task that a step begins has the generator's attribution."""

    async def seen() -> str | None:
        await asyncio.sleep(0)
        return current_attribution().feature

    async def stream(name: str) -> AsyncIterator[str | None]:
        with attribution(feature=name):
            yield await asyncio.create_task(seen())
            yield await seen()

    async def main() -> None:
        first, second = stream("first"), stream("second")
        assert [await anext(first), await anext(second), await anext(first)] == ["first", "second", "first"]
        assert current_attribution().feature is None
        assert [name async for name in second] == ["second"]
        assert [name async for name in first] == []
        assert current_attribution().feature is None

    asyncio.run(main())


def test_a_context_manager_made_of_a_generator_sets_its_readers_attribution() -> None:
    """`contextlib.contextmanager` around a block, sync and async: the body has it."""

    @contextlib.contextmanager
    def feature() -> Iterator[None]:
        with attribution(feature="f"):
            yield

    @contextlib.asynccontextmanager
    async def async_feature() -> AsyncIterator[None]:
        await asyncio.sleep(0)
        with attribution(feature="g"):
            yield

    async def main() -> None:
        async with async_feature():
            assert current_attribution().feature == "g"

    with feature():
        assert current_attribution().feature == "f"
    asyncio.run(main())
    assert current_attribution().feature is None


def test_a_task_keeps_what_it_began_with() -> None:
    """A task that outlives the block it was begun in has the block's attribution to its end."""

    async def main() -> str | None:
        left = asyncio.Event()

        async def late() -> str | None:
            await left.wait()
            return current_attribution().feature

        with attribution(feature="f"):
            task = asyncio.create_task(late())
            await asyncio.sleep(0)
        left.set()
        return await task

    assert asyncio.run(main()) == "f"


def test_a_decorated_function_has_the_attribution() -> None:
    """Also when it calls itself."""

    @attribution(feature="f")
    def work(depth: int) -> list[str | None]:
        return [current_attribution().feature, *(work(depth - 1) if depth else [])]

    assert work(2) == ["f", "f", "f"]
    assert current_attribution().feature is None


@contextlib.contextmanager
def for_feature(name: str) -> Iterator[None]:
    with attribution(feature=name):
        yield


@contextlib.contextmanager
def around_it(name: str) -> Iterator[None]:
    with for_feature(name):
        yield


@pytest.mark.parametrize("manager", [for_feature, around_it, lambda name: attribution(feature=name)])
@pytest.mark.parametrize("stacked", [False, True])
def test_managers_inside_of_generators_that_are_read_in_turns(manager: Any, stacked: bool) -> None:
    """A block that a generator opens by a context manager or an exit stack is the generator's, and not its reader's."""

    def read(name: str) -> Iterator[str | None]:
        with contextlib.ExitStack() as stack:
            if stacked:
                stack.enter_context(manager(name))
                yield from (current_attribution().feature for _ in range(3))
            else:
                with manager(name):
                    yield from (current_attribution().feature for _ in range(3))

    seen = []
    for one, other in zip(read("a"), read("b"), strict=True):
        seen.append((one, other, current_attribution().feature))
    assert seen == [("a", "b", None)] * 3


def test_functions_of_every_kind_are_decorated() -> None:
    """Coroutines and generators run later than they are called: the attribution is there when they run."""
    decorate = attribution(feature="f")

    def plain() -> str | None:
        return current_attribution().feature

    async def coroutine() -> str | None:
        await asyncio.sleep(0)
        return current_attribution().feature

    def generator() -> Any:
        sent = yield current_attribution().feature
        return sent, current_attribution().feature

    async def async_generator() -> Any:
        try:
            yield current_attribution().feature
        except ValueError:
            yield "caught", current_attribution().feature

    def outer() -> Any:
        seen.append((yield from decorate(generator)()))

    async def main() -> None:
        assert await decorate(coroutine)() == "f"
        chunks = decorate(async_generator)()
        assert await anext(chunks) == "f"
        assert current_attribution().feature is None
        assert await chunks.athrow(ValueError()) == ("caught", "f")
        assert [chunk async for chunk in chunks] == []

    seen: list[Any] = []
    assert decorate(plain)() == "f"
    steps = outer()
    assert next(steps) == "f"
    assert current_attribution().feature is None
    with contextlib.suppress(StopIteration):
        steps.send("sent")
    assert seen == [("sent", "f")]
    asyncio.run(main())
    assert current_attribution().feature is None


shared = attribution(feature="shared")


def test_one_block_object_for_several_blocks_at_once() -> None:
    """Nested, in tasks, threads and generators that are read in turns: each has the attribution, and none keeps it."""
    together = threading.Barrier(3)

    async def in_task(place: int) -> tuple[str | None, str | None]:
        with shared:
            await asyncio.sleep(0.01 * (2 - place % 2))
            inside = current_attribution().feature
        return inside, current_attribution().feature

    async def in_tasks() -> list[tuple[str | None, str | None]]:
        return await asyncio.gather(*(in_task(place) for place in range(3)))

    def in_thread(seen: list[Any]) -> None:
        with shared:
            together.wait(10)
            inside = current_attribution().feature
            together.wait(10)
        seen.append((inside, current_attribution().feature))

    def in_generator() -> Generator[str | None, None, None]:
        with shared:
            yield current_attribution().feature
            yield current_attribution().feature

    def nested() -> tuple[str | None, str | None]:
        with shared:
            with shared:
                pass
            inside = current_attribution().feature
        return inside, current_attribution().feature

    seen: list[Any] = []
    threads = [threading.Thread(target=in_thread, args=(seen,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*seen, *asyncio.run(in_tasks()), nested()] == [("shared", None)] * 7
    first, second = in_generator(), in_generator()
    assert [next(first), next(second), next(second)] == ["shared"] * 3
    assert list(second) == []
    assert (current_attribution().feature, next(first)) == (None, "shared")
    first.close()
    assert current_attribution().feature is None
    assert shared._of_generators == []


async def look() -> str | None:
    return current_attribution().feature


def test_a_generator_that_its_reader_drops_leaves_nothing() -> None:
    """The event loop ends it, in a task of its own: the reader's later tasks do not have its attribution, and what the
    reader's context holds does not grow with each."""

    async def stream() -> AsyncIterator[int]:
        with attribution(feature="dropped"):
            yield 1
            yield 2

    async def main() -> None:
        for _ in range(20):
            async for _ in stream():
                break
            await asyncio.sleep(0.001)
            assert await asyncio.create_task(look()) is None
            assert len(contextvars.copy_context()[_CURRENT]) <= 1

    asyncio.run(main())


def test_a_generator_that_another_thread_collects_leaves_nothing() -> None:
    """Whoever ends it may not have its block in the context: the garbage collector runs in any thread."""

    def steps_elsewhere() -> Iterator[Any]:
        with attribution(feature="collected"):
            yield

    started: Any = steps_elsewhere()
    next(started)
    blocks = contextvars.copy_context()[_CURRENT]
    thread = threading.Thread(target=started.close)
    thread.start()
    thread.join()
    assert [block.frame for block in blocks] == [None]
    seen: list[str | None] = []
    later = threading.Thread(target=contextvars.copy_context().run, args=(lambda: seen.append(asyncio.run(look())),))
    later.start()
    later.join()
    assert seen == [None]
    with attribution(team="t"):
        assert len(contextvars.copy_context()[_CURRENT]) == 1


def test_a_task_that_takes_anothers_place_in_memory_is_not_taken_for_it() -> None:
    """Tasks and threads that a generator began are its own: also when the one that read it has ended."""

    async def main() -> list[str | None]:
        left = asyncio.Event()
        begun: list[asyncio.Task[str | None]] = []

        async def later() -> str | None:
            await left.wait()
            return await asyncio.create_task(look())

        async def stream() -> AsyncIterator[int]:
            with attribution(feature="f"):
                begun.append(asyncio.create_task(later()))
                yield 1

        async def read() -> Any:
            chunks = stream()
            await anext(chunks)
            return chunks

        kept = [await asyncio.create_task(read()) for _ in range(20)]
        gc.collect()
        left.set()
        found = await asyncio.gather(*begun)
        assert len(kept) == 20
        return found

    assert asyncio.run(main()) == ["f"] * 20


@pytest.mark.parametrize("seed", range(3))
def test_any_mixture_of_blocks_keeps_everyones_own(seed: int) -> None:
    """Tasks of several threads open, read in turns, leave and drop generators, each with blocks and exit stacks of the
    same few objects, and decorated ones, which begin tasks: nobody has another's attribution, and nothing stays."""
    blocks = [attribution(feature=name) for name in "abc"]
    wrong: list[tuple[str, str | None, str | None]] = []

    def check(who: str, wanted: str | None) -> None:
        if current_attribution().feature != wanted:
            wrong.append((who, wanted, current_attribution().feature))

    def generator(place: int, steps: int) -> Iterator[None]:
        with blocks[place]:
            for _ in range(steps):
                yield
                check("generator", "abc"[place])

    async def async_generator(place: int, steps: int) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(blocks[place])
            for _ in range(steps):
                await asyncio.sleep(0)
                check("async generator", "abc"[place])
                yield

    async def decorated_generator(place: int, steps: int) -> AsyncIterator[None]:
        for _ in range(steps):
            check("decorated generator", "abc"[place])
            if await asyncio.create_task(look()) != "abc"[place]:
                wrong.append(("task of a generator", "abc"[place], None))
            yield

    def decorated(place: int, steps: int) -> AsyncIterator[None]:
        return blocks[place](decorated_generator)(place, steps)

    async def read(draw: random.Random) -> None:
        mine = draw.choice([None, 0, 1, 2])
        wanted = None if mine is None else "abc"[mine]
        reading: list[Any] = []
        with contextlib.nullcontext() if mine is None else blocks[mine]:
            for _ in range(30):
                reading.append(
                    draw.choice([generator, async_generator, decorated])(draw.randrange(3), draw.randint(1, 4))
                )
                chunks = draw.choice(reading)
                ended = await anext(chunks, chunks) if hasattr(chunks, "__anext__") else next(chunks, chunks)
                check("reader", wanted)
                if ended is chunks or draw.random() < 0.2:
                    reading.remove(chunks)
                del chunks, ended
                await asyncio.sleep(0)
                check("reader", wanted)
            reading.clear()
            await asyncio.sleep(0.01)
        check("reader", None)
        assert await asyncio.create_task(look()) is None

    async def readers(number: int) -> None:
        await asyncio.gather(*(read(random.Random(f"{seed} {number} {task}")) for task in range(4)))

    threads = [threading.Thread(target=asyncio.run, args=(readers(number),)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert wrong == []
    assert [block._of_generators for block in blocks] == [[], [], []]
