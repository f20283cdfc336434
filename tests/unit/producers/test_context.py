"""`context`: attribution follows the work, nests and merges."""

import asyncio
import contextlib
import contextvars
import gc
import random
import threading
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any

import pytest

from spendstream import attribution, current_attribution
from spendstream.context import _CURRENT
from tests.unit.producers.recorder import Recorder


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


class Unhashable(str):
    """A string that breaks whoever looks it up."""

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Unreadable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


class BadMapping(Mapping[str, str]):
    def __getitem__(self, key: str) -> str:
        raise RuntimeError("no item")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "labels",
    ["x", ["a", "b"], 5, True, {"a"}, object(), Unreadable(), BadMapping(), [("a", "b")], b"x"],
    ids=lambda _: "",
)
@pytest.mark.parametrize("outer", [None, {"kept": "k"}])
def test_labels_that_are_no_mapping_are_left_out(
    labels: Any, outer: dict[str, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """In a block, in `track` and in `attribute`: the service goes on, the fields beside them stay, the log says so."""
    producer = Recorder()
    with attribution(labels=outer):
        with attribution(labels=labels, feature="f") as found:
            assert (found.feature, found.labels) == ("f", outer)
        with producer.track(provider="openai", model="gpt-4o", labels=labels, feature="f") as call:
            call.attribute(labels=labels, team="t")
        attribution(labels=labels)(lambda: None)()
    assert (producer.only.attribution.feature, producer.only.attribution.team) == ("f", "t")
    assert producer.only.attribution.labels == outer
    assert "labels" in caplog.text


@pytest.mark.parametrize(
    "bad", [{"b": 5}, {"b": "v" * 300}, {"k" * 65: "v"}, {"": "v"}, {5: "v"}, {"b": None}, {"b": "\x00"}], ids=str
)
def test_a_bad_label_costs_itself_only(bad: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The good ones beside it, and those of the block around, stay."""
    with attribution(labels={"outer": "o"}), attribution(labels={"good": "g", **bad}, feature="f") as found:
        assert (found.labels, found.feature) == ({"outer": "o", "good": "g"}, "f")
    assert "labels" in caplog.text


def test_too_many_labels_leave_those_of_the_block_around() -> None:
    """More than the contract allows: the block's own go."""
    with (
        attribution(labels={"outer": "o"}),
        attribution(labels={str(number): "v" for number in range(40)}, team="t") as found,
    ):
        assert (found.labels, found.team) == ({"outer": "o"}, "t")


@pytest.mark.parametrize("value", [5, ["f"], Unreadable(), object(), "v" * 300, b"f"], ids=lambda _: "")
def test_no_value_of_a_field_breaks_a_block(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it does when it is looked at: it is left out and logged, and the fields beside it stay."""
    with attribution(feature=value, team="t") as found:
        assert (found.feature, found.team) == (None, "t")
    assert "feature" in caplog.text


def test_a_string_that_cannot_be_looked_up_is_a_string() -> None:
    """A subclass of str with methods that raise: its text is used."""
    with attribution(feature=Unhashable("f"), labels={"a": Unhashable("b")}) as found:
        assert (found.feature, found.labels) == ("f", {"a": "b"})


class Holds:
    """A service's own context manager around a block, sync and async."""

    def __init__(self, name: str) -> None:
        self._block = attribution(feature=name)

    def __enter__(self) -> None:
        self._block.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._block.__exit__(None, None, None)

    async def __aenter__(self) -> None:
        await asyncio.sleep(0)
        self._block.__enter__()

    async def __aexit__(self, *error: Any) -> None:
        self._block.__exit__(None, None, None)


class HoldsDeeper(Holds):
    def __enter__(self) -> None:
        super().__enter__()

    async def __aenter__(self) -> None:
        await super().__aenter__()


@contextlib.asynccontextmanager
async def held(name: str) -> AsyncIterator[None]:
    async with Holds(name):
        yield


@pytest.mark.parametrize("manager", [Holds, HoldsDeeper])
def test_a_block_that_a_class_opens_for_a_generator_is_the_generators(manager: Any) -> None:
    """Generators that are read in turns: each has its own, and their reader none."""

    def read(name: str) -> Iterator[str | None]:
        with manager(name):
            for _ in range(3):
                yield current_attribution().feature

    turns = [(one, two, current_attribution().feature) for one, two in zip(read("a"), read("b"), strict=True)]
    assert turns == [("a", "b", None)] * 3
    assert current_attribution().feature is None


@pytest.mark.parametrize("manager", [Holds, HoldsDeeper, held])
def test_a_block_that_a_class_opens_for_an_async_generator_is_the_generators(manager: Any) -> None:
    """As the synchronous ones; a coroutine that enters the same manager keeps the block for itself."""

    async def read(name: str) -> AsyncIterator[str | None]:
        async with manager(name):
            for _ in range(3):
                await asyncio.sleep(0)
                yield current_attribution().feature

    async def main() -> None:
        one, two = read("a"), read("b")
        for _ in range(3):
            assert (await anext(one), await anext(two), current_attribution().feature) == ("a", "b", None)
        for rest in (one, two):
            assert [found async for found in rest] == []
        async with manager("c"):
            await asyncio.sleep(0)
            assert current_attribution().feature == "c"
            assert await asyncio.create_task(look_up()) == "c"
        assert current_attribution().feature is None

    async def look_up() -> str | None:
        return current_attribution().feature

    asyncio.run(main())


def test_a_block_that_a_function_opens_for_a_generator_is_the_generators() -> None:
    """A pair of functions that begin and end it."""

    def begin(name: str) -> attribution:
        block = attribution(feature=name)
        block.__enter__()
        return block

    def end(block: attribution) -> None:
        block.__exit__(None, None, None)

    def read(name: str) -> Iterator[str | None]:
        block = begin(name)
        for _ in range(3):
            yield current_attribution().feature
        end(block)

    turns = [(one, two, current_attribution().feature) for one, two in zip(read("a"), read("b"), strict=True)]
    assert turns == [("a", "b", None)] * 3
    assert current_attribution().feature is None


def test_a_task_that_a_generator_drives_by_an_event_loop_has_its_block_between_the_steps() -> None:
    """A loop that a generator runs piecewise: the generator is not who awaits the coroutine."""

    async def work(seen: list[str | None]) -> None:
        with attribution(feature="f"):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(current_attribution().feature)

    def drive(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        loop.run_until_complete(asyncio.sleep(0))
        yield

    loop = asyncio.new_event_loop()
    seen: list[str | None] = []
    task = loop.create_task(work(seen))
    driving = drive(loop)
    next(driving)
    loop.run_until_complete(task)
    loop.close()
    assert seen == ["f"] * 3
