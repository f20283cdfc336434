"""`tracking`: one event per call, however the call ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spendstream
from spendstream_schemas import Conditions, TokenUsage
from tests.unit.producers.recorder import Recorder, tokens

RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
}
CHUNKS: list[dict[str, Any]] = [
    {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06", "choices": [{"delta": {}}]},
    {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06", "choices": [{"delta": {}}]},
    {"id": "chatcmpl-2", "object": "chat.completion.chunk", "choices": [], "usage": RESPONSE["usage"]},
]
ASKED: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_a_call_becomes_an_event(recorder: Recorder) -> None:
    """Usage and served model from the response, attribution from context and call, latency from the clock."""
    with (
        spendstream.attribution(project="p", feature="outer"),
        recorder.track(**ASKED, feature="inner", trace_id="t", session_id="c", labels={"a": "b"}) as call,
    ):
        assert call.record(RESPONSE) is RESPONSE
    event = recorder.only
    assert tokens(event) == (100, 20)
    assert (event.model, event.response_model, event.response_id) == ("gpt-4o", "gpt-4o-2024-08-06", "chatcmpl-1")
    assert (event.attribution.project, event.attribution.feature) == ("p", "inner")
    assert (event.status, event.trace_id, event.event_id, event.source) == ("ok", "t", call.event_id, "svc")
    assert event.session_id == "c"
    assert event.latency_ms is not None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError, "error"),
        (TimeoutError, "error"),
        (asyncio.CancelledError, "cancelled"),
        (KeyboardInterrupt, "cancelled"),
        (GeneratorExit, "cancelled"),
    ],
)
def test_a_failed_call_is_emitted_and_its_error_passes(
    recorder: Recorder, error: type[BaseException], status: str
) -> None:
    """The service sees its own exception; the event has no usage and says how it ended."""
    with pytest.raises(error), recorder.track(**ASKED):
        raise error
    assert recorder.only.status == status
    assert tokens(recorder.only) == (None, None)


def test_a_stream_read_to_its_end(recorder: Recorder) -> None:
    """The chunks pass unchanged; the event carries the usage of the last one."""
    with recorder.track(**ASKED) as call:
        assert list(call.wrap_stream(iter(CHUNKS))) == CHUNKS
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


def test_a_stream_that_is_left_early_is_cancelled(recorder: Recorder) -> None:
    """What is known by then is emitted: the served model, no usage."""
    with recorder.track(**ASKED) as call:
        for _ in call.wrap_stream(iter(CHUNKS)):
            break
    assert (recorder.only.status, tokens(recorder.only)) == ("cancelled", (None, None))
    assert recorder.only.response_model == "gpt-4o-2024-08-06"


def test_a_stream_that_outlives_the_block_keeps_the_call_open(recorder: Recorder) -> None:
    """Returned from the block and read later: one event, at the stream's end, with its usage."""

    def ask() -> Iterator[Any]:
        with recorder.track(**ASKED) as call:
            stream: Iterator[Any] = call.wrap_stream(iter(CHUNKS))
            return stream

    stream = ask()
    assert recorder.events == []
    assert list(stream) == CHUNKS
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


def test_a_stream_that_is_forgotten_is_cancelled(recorder: Recorder) -> None:
    """Never read at all: still one event."""
    with recorder.track(**ASKED) as call:
        stream = call.wrap_stream(iter(CHUNKS))
    assert recorder.events == []
    del stream
    assert recorder.only.status == "cancelled"


def test_a_stream_that_breaks_is_an_error(recorder: Recorder) -> None:
    """The connection fails in the middle: the error passes, the event says so."""

    def broken() -> Iterator[Any]:
        yield CHUNKS[0]
        raise ConnectionError

    with pytest.raises(ConnectionError), recorder.track(**ASKED) as call:
        list(call.wrap_stream(broken()))
    assert recorder.only.status == "error"


def test_decorated_functions(recorder: Recorder) -> None:
    """Plain and generator functions: one event per call, return values untouched."""

    @recorder.track(**ASKED)
    def ask() -> dict[str, Any]:
        """Asks."""
        return RESPONSE

    @recorder.track(**ASKED)
    def stream() -> Iterator[Any]:
        yield from CHUNKS

    assert ask() is RESPONSE
    assert ask.__doc__ == "Asks."
    assert list(stream()) == CHUNKS
    cut = stream()
    next(cut)
    cut.close()  # type: ignore[attr-defined]
    assert [event.status for event in recorder.events] == ["ok", "ok", "cancelled"]
    assert len({event.event_id for event in recorder.events}) == 3


def test_decorated_coroutines(recorder: Recorder) -> None:
    """Async functions and generators, concurrent and cancelled: one event per call."""

    @recorder.track(**ASKED)
    async def ask(wait: bool) -> dict[str, Any]:
        if wait:
            await asyncio.Event().wait()
        return RESPONSE

    @recorder.track(**ASKED)
    async def stream() -> AsyncIterator[Any]:
        for chunk in CHUNKS:
            yield chunk

    async def main() -> None:
        assert list(await asyncio.gather(ask(False), ask(False))) == [RESPONSE, RESPONSE]
        assert [chunk async for chunk in stream()] == list(CHUNKS)
        task = asyncio.create_task(ask(True))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cut = stream()
        await anext(cut)
        await cut.aclose()  # type: ignore[attr-defined]
        async with recorder.track(**ASKED) as call:
            call.record(RESPONSE)

    asyncio.run(main())
    assert [event.status for event in recorder.events] == ["ok", "ok", "ok", "cancelled", "cancelled", "ok"]
    assert len({event.event_id for event in recorder.events}) == 6


@pytest.mark.parametrize("response", [None, 5, object(), {"usage": {"prompt_tokens": -5}}, {"usage": "many"}])
def test_a_response_that_cannot_be_read_is_counted(recorder: Recorder, response: Any) -> None:
    """The call went well, so its event goes out, without usage: unpriced and seen, not lost."""
    with recorder.track(**ASKED) as call:
        assert call.record(response) is response
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (None, None))
    assert sum(recorder._counters.keyed()[2].values()) == 1


def test_fields_that_break_the_contract_are_left_out(recorder: Recorder) -> None:
    """A wrong field costs itself; one that prices depend on says that it could not be read, and the usage stays."""
    with recorder.track(**ASKED, region="r" * 500) as call:
        call.record(RESPONSE)
        call.set(nonsense=1)
    assert tokens(recorder.only) == (100, 20)
    assert recorder.only.region == "unreadable"


PRICED: dict[str, Any] = {
    "region": "uksouth",
    "service_tier": "priority",
    "conditions": {"deployment": "regional", "speed": "fast"},
}
HARMLESS: dict[str, Any] = {
    "prompt_fingerprint": "f" * 500,
    "trace_id": "t" * 300,
    "session_id": "s" * 300,
    "complexity": 7,
    "nonsense": 1,
    "response": 2,
    "self": 3,
    "fields": 4,
    "retry_of": "",
    "operation": 5,
    "status": "odd",
    "stated_cost_usd": "much",
    "response_id": "i" * 300,
    "occurred_at": "yesterday",
    "event_id": "e" * 500,
    "attribution": 7,
    "revision": -1,
}


@given(st.sets(st.sampled_from(sorted(HARMLESS))), st.booleans())
def test_a_bad_field_takes_no_other_with_it(bad: set[str], mixed: bool) -> None:
    """Whatever is wrong beside them: region, tier and conditions stay, so the call costs what it costs."""
    recorder = Recorder()
    with recorder.track(**ASKED, **PRICED) as call:
        call.record(RESPONSE)
        call.set(**{name: HARMLESS[name] for name in bad})
        if mixed:
            call.set(batchable=True)
    event = recorder.only
    assert (event.region, event.service_tier, tokens(event)) == ("uksouth", "priority", (100, 20))
    assert event.conditions == Conditions(deployment="regional", speed="fast")
    assert event.batchable is (True if mixed else None)
    assert event.event_id == call.event_id
    assert bool(recorder._counters.keyed()[2]) == bool(bad)


@pytest.mark.parametrize(
    "asked",
    [
        {"model": ""},
        {"model": None},
        {"model": "m" * 300},
        {"provider": "p" * 300},
        {"provider": ""},
        {"event_id": "e" * 500},
        {"event_id": 5},
    ],
    ids=str,
)
def test_no_name_costs_the_event(recorder: Recorder, asked: dict[str, Any]) -> None:
    """A model, provider or id that cannot be used gives way: the event goes out, with its counts."""
    with recorder.track(**{**ASKED, **asked}) as call:
        call.record(RESPONSE)
    assert tokens(recorder.only) == (100, 20)
    assert recorder.only.response_model == RESPONSE["model"]
    assert recorder.only.event_id == call.event_id


def test_a_provider_without_an_adapter(recorder: Recorder) -> None:
    """The usage can be stated; recording is counted as unreadable."""
    with recorder.track(provider="inhouse", model="m") as call:
        call.record_usage(TokenUsage(kind="tokens", input_tokens=7), region="eu")
    assert (tokens(recorder.only), recorder.only.region) == ((7, None), "eu")


def test_a_provider_that_nobody_knows_is_tracked_with_its_counts(recorder: Recorder) -> None:
    """By the form of its response, as a whole and in chunks; nothing counts as trouble."""
    with recorder.track(provider="acme-inference", model="m") as call:
        call.record(RESPONSE)
    with recorder.track(provider="acme-inference", model="m") as call:
        assert list(call.wrap_stream(iter([RESPONSE]))) == [RESPONSE]
    assert [tokens(event) for event in recorder.events] == [(100, 20), (100, 20)]
    assert {event.provider for event in recorder.events} == {"acme-inference"}
    assert not recorder._counters.keyed()[2]


def test_a_misspelt_keyword_is_a_programming_error(recorder: Recorder) -> None:
    """Raised where it was written, before the call starts."""
    with pytest.raises(TypeError, match="featur"):
        recorder.track(**ASKED, featur="x")


def answer(number: int) -> dict[str, Any]:
    """A response that can be told from others by its id and its count."""
    usage = {"prompt_tokens": number, "completion_tokens": 1, "total_tokens": number + 1}
    return {**RESPONSE, "id": f"chatcmpl-{number}", "usage": usage}


def in_threads(tracker: spendstream.Tracker) -> None:
    together = Barrier(4)

    def ask(number: int) -> None:
        with tracker as call:
            together.wait(10)
            call.record(answer(number))
            together.wait(10)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))


def in_tasks(tracker: spendstream.Tracker) -> None:
    async def ask(number: int) -> None:
        async with tracker as call:
            await asyncio.sleep(0)
            call.record(answer(number))
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(ask(number) for number in range(4)))

    asyncio.run(main())


def in_generators(tracker: spendstream.Tracker) -> None:
    def ask(number: int) -> Iterator[None]:
        with tracker as call:
            yield
            call.record(answer(number))
            yield

    for _ in zip(*(ask(number) for number in range(4)), strict=True):
        pass


def nested(tracker: spendstream.Tracker) -> None:
    with tracker as one, tracker as two, contextlib.ExitStack() as stack:
        three, four = stack.enter_context(tracker), stack.enter_context(tracker)
        for number, call in enumerate((one, two, three, four)):
            call.record(answer(number))


def in_exit_stacks_of_generators(tracker: spendstream.Tracker) -> None:
    def ask(number: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            call = stack.enter_context(tracker)
            yield
            call.record(answer(number))
            yield

    for _ in zip(*(ask(number) for number in range(4)), strict=True):
        pass


def in_exit_stacks_of_tasks(tracker: spendstream.Tracker) -> None:
    async def ask(number: int) -> None:
        async with contextlib.AsyncExitStack() as stack:
            call = stack.enter_context(tracker)
            await asyncio.sleep(0.01 * (3 - number % 3))
            call.record(answer(number))

    asyncio.run(_gathered(ask))


class Delegating:
    """A service's own context manager around a tracker."""

    def __init__(self, tracker: spendstream.Tracker) -> None:
        self._tracker = tracker

    def __enter__(self) -> spendstream.TrackedCall:
        return self._tracker.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._tracker.__exit__(*error)


def in_delegating_classes_of_tasks(tracker: spendstream.Tracker) -> None:
    async def ask(number: int) -> None:
        with Delegating(tracker) as call:
            await asyncio.sleep(0.01 * (3 - number % 3))
            call.record(answer(number))

    asyncio.run(_gathered(ask))


def in_delegating_classes_of_generators(tracker: spendstream.Tracker) -> None:
    def ask(number: int) -> Iterator[None]:
        with Delegating(tracker) as call:
            yield
            call.record(answer(number))
            yield

    for _ in zip(*(ask(number) for number in range(4)), strict=True):
        pass


def in_one_delegating_object_of_tasks(tracker: spendstream.Tracker) -> None:
    shared = Delegating(tracker)

    async def ask(number: int) -> None:
        with shared as call:
            await asyncio.sleep(0.01 * (3 - number % 3))
            call.record(answer(number))

    asyncio.run(_gathered(ask))


def in_exit_stacks_that_another_function_closes(tracker: spendstream.Tracker) -> None:
    """Also after `pop_all`, which moves what a stack holds."""
    open_stacks: list[contextlib.ExitStack] = []

    def start(number: int) -> None:
        with contextlib.ExitStack() as stack:
            call = stack.enter_context(tracker)
            call.record(answer(number))
            open_stacks.append(stack.pop_all())

    for number in range(4):
        start(number)
    for place in (2, 0, 1, 0):
        open_stacks.pop(place).close()


def in_async_exit_stacks_of_one_task(tracker: spendstream.Tracker) -> None:
    async def start(number: int) -> tuple[int, spendstream.TrackedCall, contextlib.AsyncExitStack]:
        stack = contextlib.AsyncExitStack()
        return number, await stack.enter_async_context(tracker), stack

    async def main() -> None:
        for number, call, stack in [await start(number) for number in range(4)]:
            call.record(answer(number))
            await stack.aclose()

    asyncio.run(main())


async def _gathered(ask: Any) -> None:
    await asyncio.gather(*(ask(number) for number in range(4)))


def ended_in_other_threads(tracker: spendstream.Tracker) -> None:
    """As FastAPI does with a synchronous dependency that yields: each step in some thread of a pool."""

    def ask(number: int) -> Iterator[None]:
        with tracker as call:
            call.record(answer(number))
            yield

    dependencies = [ask(number) for number in range(4)]
    for turn in (dependencies, dependencies[::-1]):
        for dependency in turn:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(next, dependency, None).result()


class Begins:
    """A service's own object that begins and ends a call by methods of other names."""

    def __init__(self, tracker: spendstream.Tracker) -> None:
        self._tracker = tracker

    def begin(self) -> spendstream.TrackedCall:
        return self._tracker.__enter__()

    def finish(self) -> None:
        self._tracker.__exit__(None, None, None)

    async def abegin(self) -> spendstream.TrackedCall:
        return await self._tracker.__aenter__()

    async def afinish(self) -> None:
        await self._tracker.__aexit__(None, None, None)


def in_objects_that_begin_and_finish(tracker: spendstream.Tracker) -> None:
    begun = [(Begins(tracker), number) for number in range(4)]
    calls = [(one, one.begin(), number) for one, number in begun]
    for place in (2, 0, 1, 0):
        one, call, number = calls.pop(place)
        call.record(answer(number))
        one.finish()


def in_objects_that_begin_and_finish_in_turns(tracker: spendstream.Tracker) -> None:
    """Each begins before the one before it has ended."""
    before: tuple[Begins, spendstream.TrackedCall, int] | None = None
    for number in range(4):
        one = Begins(tracker)
        call = one.begin()
        if before is not None:
            before[1].record(answer(before[2]))
            before[0].finish()
        before = one, call, number
    assert before is not None
    before[1].record(answer(before[2]))
    before[0].finish()


def in_objects_that_begin_and_finish_in_tasks(tracker: spendstream.Tracker) -> None:
    async def main() -> None:
        calls = [(one := Begins(tracker), await one.abegin(), number) for number in range(4)]
        for one, call, number in calls:
            call.record(answer(number))
            await asyncio.create_task(one.afinish())

    asyncio.run(main())


@pytest.mark.parametrize(
    "at_once",
    [
        in_threads,
        in_tasks,
        in_generators,
        nested,
        in_exit_stacks_of_generators,
        in_exit_stacks_of_tasks,
        in_delegating_classes_of_tasks,
        in_delegating_classes_of_generators,
        in_one_delegating_object_of_tasks,
        in_exit_stacks_that_another_function_closes,
        in_objects_that_begin_and_finish,
        in_objects_that_begin_and_finish_in_turns,
        in_objects_that_begin_and_finish_in_tasks,
        in_async_exit_stacks_of_one_task,
        ended_in_other_threads,
    ],
)
@pytest.mark.parametrize("event_id", [None, "given"])
def test_one_tracker_for_several_calls_at_once(recorder: Recorder, at_once: Any, event_id: str | None) -> None:
    """Every call has its own event with its own usage and its own id, and none is left open."""
    tracker = recorder.track(**ASKED, event_id=event_id)
    at_once(tracker)
    found = {(event.response_id, tokens(event)[0], event.status) for event in recorder.events}
    assert found == {(f"chatcmpl-{number}", number, "ok") for number in range(4)}
    assert len({event.event_id for event in recorder.events}) == len(recorder.events) == 4
    assert not tracker._open
    assert event_id is None or "given" in {event.event_id for event in recorder.events}


def test_ends_that_do_not_say_whose_they_are_are_counted(recorder: Recorder) -> None:
    """A handler that begins and ends several calls of one tracker: each has an event, and the log says what to do."""
    tracker = recorder.track(**ASKED)

    class Handler:
        def on_start(self) -> spendstream.TrackedCall:
            return tracker.__enter__()

        def on_end(self) -> None:
            tracker.__exit__(None, None, None)

    handler = Handler()
    for count in (2, 4):
        for _ in range(count):
            handler.on_start()
        for _ in range(count):
            handler.on_end()
    assert len(recorder.events) == 6
    assert recorder._counters.keyed()[2]["ambiguous_block"] >= 2


def test_an_error_ends_the_call_of_its_own_block(recorder: Recorder) -> None:
    """Of two calls at once on one tracker, the one that failed is the error."""

    async def ask(tracker: spendstream.Tracker, fails: bool) -> None:
        async with tracker as call:
            await asyncio.sleep(0)
            call.record(answer(int(fails)))
            if fails:
                raise ValueError

    async def main() -> None:
        tracker = recorder.track(**ASKED)
        await asyncio.gather(*(ask(tracker, fails) for fails in (True, False)), return_exceptions=True)

    asyncio.run(main())
    assert {(event.response_id, event.status) for event in recorder.events} == {
        ("chatcmpl-1", "error"),
        ("chatcmpl-0", "ok"),
    }


def test_a_decorated_function_that_returns_an_awaitable(recorder: Recorder) -> None:
    """A coroutine, a task, a future, an object with `__await__`: recorded when it comes, failed when it fails."""

    async def client(fails: bool = False) -> dict[str, Any]:
        await asyncio.sleep(0)
        if fails:
            raise ConnectionError
        return RESPONSE

    class Later:
        def __await__(self) -> Any:
            return client().__await__()

    class Service:
        @recorder.track(**ASKED)
        def ask(self, kind: str) -> Any:
            if kind == "task":
                return asyncio.ensure_future(client())
            return Later() if kind == "object" else client(fails=kind == "failing")

    async def main() -> None:
        for kind in ("coroutine", "task", "object"):
            assert await Service().ask(kind) is RESPONSE
        with pytest.raises(ConnectionError):
            await Service().ask("failing")

    asyncio.run(main())
    assert [(event.status, tokens(event)[0]) for event in recorder.events] == [
        *[("ok", 100)] * 3,
        ("error", None),
    ]


def test_a_decorated_generator_keeps_its_return_value(recorder: Recorder) -> None:
    """`yield from` a decorated generator gives what the generator returns."""

    @recorder.track(**ASKED)
    def stream() -> Any:
        yield from CHUNKS
        return "the whole text"

    returned = []

    def outer() -> Any:
        returned.append((yield from stream()))

    assert list(outer()) == CHUNKS
    assert returned == ["the whole text"]
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


class BothWays:
    """A stream as LiteLLM's: sync and async."""

    def __init__(self) -> None:
        self.chunks = iter(CHUNKS)

    def __iter__(self) -> Any:
        return self

    def __aiter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self.chunks)

    async def __anext__(self) -> Any:
        chunk = next(self.chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        return chunk


def test_a_stream_that_is_sync_and_async_is_read_either_way(recorder: Recorder) -> None:
    """`for` and `async for` on the same kind of object: both pass, both are recorded."""

    async def main() -> None:
        async with recorder.track(**ASKED) as call:
            assert [chunk async for chunk in call.wrap_stream(BothWays())] == CHUNKS

    with recorder.track(**ASKED) as call:
        assert list(call.wrap_stream(BothWays())) == CHUNKS
    asyncio.run(main())
    assert [(event.status, tokens(event)) for event in recorder.events] == [("ok", (100, 20))] * 2


@pytest.mark.parametrize("given", [None, 5, object(), contextlib.nullcontext(7)])
def test_wrapping_what_is_no_stream_never_raises(recorder: Recorder, given: Any) -> None:
    """The service gets what it passed (or what its manager gives), and the call its event."""
    with recorder.track(**ASKED) as call:
        wrapped = call.wrap_stream(given)
        if isinstance(given, contextlib.nullcontext):
            with wrapped as entered:
                assert entered == 7
        else:
            assert wrapped is given
    assert tokens(recorder.only) == (None, None)


def test_a_dict_with_the_stream_in_it(recorder: Recorder) -> None:
    """Bedrock's `converse_stream` answers a dict: its stream is recorded, the rest passes."""
    usage = {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12}
    with recorder.track(provider="aws", model="amazon.nova-pro-v1:0") as call:
        answer = call.wrap_stream({"stream": iter([{"metadata": {"usage": usage}}]), "ResponseMetadata": {}})
        assert len(list(answer["stream"])) == 1
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (10, 2))


def test_a_stated_cost_that_is_none_is_counted_and_the_event_goes_out(recorder: Recorder) -> None:
    """With its counts, and without the cost."""
    with recorder.track(provider="openrouter", model="m") as call:
        call.record(RESPONSE | {"usage": {**RESPONSE["usage"], "cost": -1}})  # type: ignore[dict-item]
    assert (tokens(recorder.only), recorder.only.stated_cost_usd) == ((100, 20), None)
    assert recorder._counters.keyed()[2] == {"stated_cost_refused": 1}


def answered(number: int, tokens_in: int = 100, **fields: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": tokens_in, "completion_tokens": number}
    return RESPONSE | {"id": f"c{number}", "usage": usage} | fields


def chunk_of(number: int) -> dict[str, Any]:
    return answered(number) | {"object": "chat.completion.chunk", "choices": []}


def counted_each(recorder: Recorder) -> list[tuple[str | None, int | None]]:
    return [(event.response_id, tokens(event)[1]) for event in recorder.events]


def test_several_responses_in_one_block(recorder: Recorder) -> None:
    """An agent's loop: each is an event of its own, the last one with the id of the call, none counted twice."""
    with recorder.track(**ASKED, feature="agent", event_id="e", region="westeurope") as call:
        call.record(answered(1))
        list(call.wrap_stream(iter([chunk_of(2)])))
        list(call.wrap_stream(iter([chunk_of(3)])))
        call.record(answered(4))
        call.record(answered(4))
    assert counted_each(recorder) == [("c1", 1), ("c2", 2), ("c3", 3), ("c4", 4)]
    assert [event.event_id for event in recorder.events] == ["e-1", "e-2", "e-3", "e"]
    assert {(event.attribution.feature, event.region) for event in recorder.events} == {("agent", "westeurope")}
    assert [event.latency_ms is not None for event in recorder.events] == [False, False, False, True]


def test_what_came_before_a_failure_counts(recorder: Recorder) -> None:
    """The first response was good; the block's error is that of the call that followed."""
    with contextlib.suppress(ConnectionError), recorder.track(**ASKED) as call:
        call.record(answered(1))
        call.record(answered(2))
        raise ConnectionError
    assert [(event.status, tokens(event)[1]) for event in recorder.events] == [("ok", 1), ("error", 2)]


def test_a_response_that_is_asked_for_until_it_is_done(recorder: Recorder) -> None:
    """By the provider's id it is one call, also with others in between: what it said last counts."""
    with recorder.track(**ASKED) as call:
        call.record(answered(1, tokens_in=5))
        call.record(answered(2))
        call.record(answered(1))
    assert [(event.response_id, tokens(event)) for event in recorder.events] == [("c2", (100, 2)), ("c1", (100, 1))]


def test_responses_without_ids(recorder: Recorder) -> None:
    """Embeddings never have one: the same object counts once, another one that says the same is another call."""
    embedded = {"object": "list", "model": "text-embedding-3-small", "data": [], "usage": {"prompt_tokens": 3}}
    with recorder.track(**ASKED) as call:
        call.record(embedded)
        call.record(embedded)
        call.record(embedded | {"usage": {"prompt_tokens": 4}})
        call.record(embedded | {"usage": {"prompt_tokens": 4}})
    assert [tokens(event)[0] for event in recorder.events] == [3, 4, 4]
    assert recorder._counters.keyed()[2] == {}


def test_streams_that_are_open_at_once(recorder: Recorder) -> None:
    """Each chunk counts for its own stream, and each stream is an event."""
    with recorder.track(**ASKED, event_id="e") as call:
        one, other = call.wrap_stream(iter([chunk_of(1)] * 2)), call.wrap_stream(iter([chunk_of(2)] * 2))
        assert call.wrap_stream(one) is one
        next(one)
        list(other)
        list(one)
    assert sorted(counted_each(recorder)) == [("c1", 1), ("c2", 2)]
    assert {event.event_id for event in recorder.events} == {"e", "e-s1"}


class HostileText(str):
    """A string that breaks whoever looks it up, compares or prints it."""

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __format__(self, spec: str) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__
    strip = lower = __str__  # type: ignore[assignment]


class HostileObject:
    def __repr__(self) -> str:
        raise RuntimeError("no text")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "name",
    [
        "provider",
        "model",
        "operation",
        "region",
        "service_tier",
        "event_id",
        "trace_id",
        "session_id",
        "retry_of",
        "conditions",
    ],
)
@pytest.mark.parametrize("hostile", [HostileObject(), HostileText("openai")], ids=["object", "text"])
def test_no_argument_of_track_raises_into_the_service(recorder: Recorder, name: str, hostile: Any) -> None:
    """Whatever it does when it is looked at: the call has an event with its counts; a string counts as its text."""
    with recorder.track(**{**ASKED, name: hostile}) as call:
        call.record(RESPONSE)
    assert tokens(recorder.only) == (100, 20)
    if isinstance(hostile, HostileText) and name != "conditions":
        assert getattr(recorder.only, name) == "openai"
