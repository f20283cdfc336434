"""Streams of the providers' own SDKs, against a local server: whatever way they are read, the call is recorded."""

import asyncio
import contextlib
import copy
import gc
import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.unit.producers.provider_server import BARE, CUT, FAILING, TEXT, serve
from tests.unit.producers.recorder import Recorder, tokens
from tests.unit.producers.support import wait_for

QUESTION: Any = [{"role": "user", "content": "How much is the tea?"}]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve() as found:
        yield found


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


class World:
    """The clients, and the ways to begin a stream with each. Who uses an asynchronous one closes it in its loop."""

    def __init__(self, address: str) -> None:
        self.openai = openai.OpenAI(base_url=f"{address}/v1", api_key="k", max_retries=0)
        self.openai_async = openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="k", max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=address, api_key="k", max_retries=0)
        self.anthropic_async = anthropic.AsyncAnthropic(base_url=address, api_key="k", max_retries=0)

    def close(self) -> None:
        """Left to the collector, a client and its kept connections go in any order, and a socket that goes before its
        client is a warning, in whichever test happens to collect."""
        self.openai.close()
        self.anthropic.close()

    def chat(self, client: Any, model: str = "gpt-4o") -> Any:
        return client.chat.completions.create(model=model, messages=QUESTION, stream=True)

    def chat_manager(self, client: Any) -> Any:
        return client.chat.completions.stream(model="gpt-4o", messages=QUESTION)

    def responses(self, client: Any, model: str = "gpt-4o") -> Any:
        return client.responses.create(model=model, input="?", stream=True)

    def responses_manager(self, client: Any) -> Any:
        return client.responses.stream(model="gpt-4o", input="?")

    def messages(self, client: Any, model: str = "claude-opus-5") -> Any:
        return client.messages.create(model=model, messages=QUESTION, max_tokens=99, stream=True)

    def messages_manager(self, client: Any, model: str = "claude-opus-5") -> Any:
        return client.messages.stream(model=model, messages=QUESTION, max_tokens=99)


@pytest.fixture
def world(address: str) -> Iterator[World]:
    world = World(address)
    yield world
    world.close()


def track(recorder: Recorder, provider: str) -> Any:
    return recorder.track(provider=provider, model="gpt-4o" if provider == "openai" else "claude-opus-5")


def until_stop(stream: Any) -> None:
    """Leaves at the provider's last word, before the iterator's end."""
    for event in stream:
        if event.type in ("message_stop", "response.completed"):
            break


READS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "chat, iterated": ("openai", "chat", list),
    "chat manager, iterated": ("openai", "chat_manager", list),
    "chat manager, until_done": ("openai", "chat_manager", lambda stream: stream.until_done()),
    "chat manager, final": ("openai", "chat_manager", lambda stream: stream.get_final_completion()),
    "responses, iterated": ("openai", "responses", list),
    "responses, left at the last event": ("openai", "responses", until_stop),
    "responses manager, iterated": ("openai", "responses_manager", list),
    "responses manager, until_done": ("openai", "responses_manager", lambda stream: stream.until_done()),
    "responses manager, final": ("openai", "responses_manager", lambda stream: stream.get_final_response()),
    "messages, iterated": ("anthropic", "messages", list),
    "messages, left at the last event": ("anthropic", "messages", until_stop),
    "messages manager, iterated": ("anthropic", "messages_manager", list),
    "messages manager, text": ("anthropic", "messages_manager", lambda stream: list(stream.text_stream)),
    "messages manager, until_done": ("anthropic", "messages_manager", lambda stream: stream.until_done()),
    "messages manager, final": ("anthropic", "messages_manager", lambda stream: stream.get_final_message()),
    "messages manager, final text": ("anthropic", "messages_manager", lambda stream: stream.get_final_text()),
    "messages manager, some and final": (
        "anthropic",
        "messages_manager",
        lambda stream: (next(stream), stream.get_final_message()),
    ),
}


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize("wrapped", ["what begins it", "what it gives"])
def test_a_stream_is_recorded_however_it_is_read(recorder: Recorder, world: World, way: str, wrapped: str) -> None:
    """Iterated or read by the SDK's helpers, wrapped as the manager or as its stream: one event, ok, with usage."""
    provider, begin, read = READS[way]
    client = world.openai if provider == "openai" else world.anthropic
    with track(recorder, provider) as call:
        if wrapped == "what begins it":
            with call.wrap_stream(getattr(world, begin)(client)) as stream:
                read(stream)
        else:
            with getattr(world, begin)(client) as given:
                read(call.wrap_stream(given))
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))
    assert recorder.only.response_id in ("chatcmpl-1", "resp_1", "msg_1")


async def consumed(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


ASYNC_READS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "chat": ("openai", "chat", consumed),
    "chat manager, until_done": ("openai", "chat_manager", lambda stream: stream.until_done()),
    "chat manager, final": ("openai", "chat_manager", lambda stream: stream.get_final_completion()),
    "responses": ("openai", "responses", consumed),
    "responses manager, final": ("openai", "responses_manager", lambda stream: stream.get_final_response()),
    "messages": ("anthropic", "messages", consumed),
    "messages manager, text": ("anthropic", "messages_manager", lambda stream: consumed(stream.text_stream)),
    "messages manager, final": ("anthropic", "messages_manager", lambda stream: stream.get_final_message()),
}


@pytest.mark.parametrize("way", ASYNC_READS)
def test_an_async_stream_is_recorded_however_it_is_read(recorder: Recorder, world: World, way: str) -> None:
    """As the synchronous ones; a call that was not awaited yet can be wrapped too."""
    provider, begin, read = ASYNC_READS[way]
    client = world.openai_async if provider == "openai" else world.anthropic_async

    async def main() -> None:
        async with track(recorder, provider) as call:
            begun = call.wrap_stream(getattr(world, begin)(client))
            async with begun if begin.endswith("manager") else await begun as stream:
                await read(stream)
        await client.close()

    asyncio.run(main())
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


def test_text_that_is_read_when_nobody_holds_the_stream(recorder: Recorder, world: World) -> None:
    """`for text in call.wrap_stream(stream).text_stream`: the stand-in is gone, the call is not cancelled."""
    with track(recorder, "anthropic") as call, world.messages_manager(world.anthropic) as stream:
        assert list(call.wrap_stream(stream).text_stream) == TEXT
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


def test_a_tapped_stream_that_is_forgotten_is_cancelled(recorder: Recorder, world: World) -> None:
    """Also where a helper was taken from it."""
    with track(recorder, "anthropic") as call:
        stream = call.wrap_stream(world.messages(world.anthropic))
        assert callable(stream.close)
    del stream
    # While another thread collects, collect() returns at once without having done anything.
    wait_for(lambda: gc.collect() is not None and recorder.events, "the stream's event")
    assert recorder.only.status == "cancelled"


@pytest.mark.parametrize("raw", ["whole", "stream"])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_raw_response_is_parsed(recorder: Recorder, world: World, provider: str, raw: str) -> None:
    """`with_raw_response`: the service gets the raw response, whose `parse()` still works; the event has the usage."""
    with track(recorder, provider) as call:
        more: Any = {"stream": True} if raw == "stream" else {}
        if provider == "openai":
            create: Any = world.openai.chat.completions.with_raw_response.create
            response = create(model="gpt-4o", messages=QUESTION, **more)
        else:
            create = world.anthropic.messages.with_raw_response.create
            response = create(model="claude-opus-5", messages=QUESTION, max_tokens=9, **more)
        assert call.record(response) is response
        assert len(list(response.parse())) > 1
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


def test_a_final_response_that_is_recorded_after_the_stream_was_wrapped(recorder: Recorder, world: World) -> None:
    """What the service states last wins, and its call is not cancelled because the stand-in was not read."""
    with track(recorder, "anthropic") as call, world.messages_manager(world.anthropic) as stream:
        unread = call.wrap_stream(iter(()))
        call.record(stream.get_final_message())
        del unread
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


def test_a_stream_without_usage_is_said(recorder: Recorder, world: World) -> None:
    """Its event is unpriced; the counter and the log say what to ask the provider for."""
    with track(recorder, "openai") as call:
        list(call.wrap_stream(world.chat(world.openai, BARE)))
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (None, None))
    assert recorder._counters.keyed()[2] == {"stream_without_usage": 1}


DELIVERED = -(-len("".join(TEXT).encode()) * 2 // 7)  # 3.5 bytes a token


@pytest.mark.parametrize("cut_by", ["provider", "service", "error in the service"])
@pytest.mark.parametrize("begin", ["messages", "messages_manager"])
def test_a_cut_anthropic_stream_counts_what_was_delivered(
    recorder: Recorder, world: World, begin: str, cut_by: str
) -> None:
    """Not the one token of its first event: what was written until then, marked as an estimate."""
    read: list[str] = []
    begun = getattr(world, begin)(world.anthropic, CUT if cut_by == "provider" else "claude-opus-5")
    with (
        contextlib.suppress(anthropic.APIError, httpx2.HTTPError, ZeroDivisionError),
        recorder.track(provider="anthropic", model="m", labels={"a": "b"}) as call,
        call.wrap_stream(begun) as stream,
    ):
        for event in stream:
            if event.type == "content_block_delta":
                read.append(event.delta.text)
            if len(read) == len(TEXT) and cut_by == "service":
                break
            if len(read) == len(TEXT) and cut_by == "error in the service":
                raise ZeroDivisionError
    assert read == TEXT
    assert tokens(recorder.only) == (100, DELIVERED)
    assert recorder.only.status == ("cancelled" if cut_by == "service" else "error")
    assert recorder.only.attribution.labels == {"a": "b", "usage_estimated": "output_tokens"}


@pytest.mark.parametrize("begin", ["whole", "stream"])
def test_a_failed_response_is_an_error(recorder: Recorder, world: World, begin: str) -> None:
    """`response.failed` ends the stream without an exception; a whole one has the status."""
    with track(recorder, "openai") as call:
        stream = call.wrap_stream(world.responses(world.openai, FAILING))
        last = list(stream)[-1]
        if begin == "whole":
            call.record(last.response)
    assert (recorder.only.status, recorder.only.response_id) == ("error", "resp_1")
    assert not recorder._counters.keyed()[2]


def test_a_decorated_function_that_returns_a_manager(recorder: Recorder, world: World) -> None:
    """`return client.messages.stream(...)`: the call stays open until its stream was read."""
    ask = track(recorder, "anthropic")(lambda: world.messages_manager(world.anthropic))
    with ask() as stream:
        assert list(stream.text_stream) == TEXT
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))


@pytest.mark.parametrize("way", ["chat", "responses", "messages"])
def test_the_stand_in_is_of_the_class_of_what_it_stands_for(recorder: Recorder, world: World, way: str) -> None:
    """Services and other instruments ask with `isinstance`; what they read then is the stream's own."""
    client: Any = world.anthropic if way == "messages" else world.openai
    with track(recorder, "anthropic" if way == "messages" else "openai") as call:
        stream = call.wrap_stream(getattr(world, way)(client))
        assert isinstance(stream, anthropic.Stream if way == "messages" else openai.Stream)
        assert not isinstance(stream, openai.AsyncStream)
        assert isinstance(stream, Iterator)
        assert stream._iterator is not None
        list(stream)
    assert [event.status for event in recorder.events] == ["ok"]


def test_the_stand_in_of_a_generator_and_of_an_async_stream_too(recorder: Recorder, world: World) -> None:
    """Kinds that are asked for by `inspect`, and the other providers' classes."""

    async def read() -> None:
        async with track(recorder, "openai") as call:
            stream = call.wrap_stream(await world.chat(world.openai_async))
            assert isinstance(stream, openai.AsyncStream)
            assert [chunk async for chunk in stream]
        await world.openai_async.close()

    with track(recorder, "openai") as call:
        stream = call.wrap_stream(chunk for chunk in world.chat(world.openai))
        assert inspect.isgenerator(stream)
        list(stream)
    asyncio.run(read())
    assert [event.status for event in recorder.events] == ["ok", "ok"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_copy_is_the_same_stream_and_no_more_can_be_made(
    recorder: Recorder, world: World, asynchronous: bool
) -> None:
    """There is one place in a stream; deep copies and pickles are refused as a generator refuses them. Nothing of it
    ends the call."""

    async def read() -> list[Any]:
        async with track(recorder, "openai") as call:
            stream = call.wrap_stream(await world.chat(world.openai_async))
            refused(stream)
            chunks = [chunk async for chunk in copy.copy(stream)]
        await world.openai_async.close()
        return chunks

    def refused(stream: Any) -> None:
        assert copy.copy(stream) is stream
        for made in (copy.deepcopy, pickle.dumps):
            for target in (stream, stream._stream._iterator):
                with pytest.raises(TypeError, match="a stream that is being read"):
                    made(target)
        assert not hasattr(object.__new__(type(stream)), "response")

    if asynchronous:
        chunks = asyncio.run(read())
    else:
        with track(recorder, "openai") as call:
            stream = call.wrap_stream(world.chat(world.openai))
            refused(stream)
            chunks = list(copy.copy(stream))
    assert len(chunks) > 2
    assert [event.status for event in recorder.events] == ["ok"]


def test_the_advice_for_a_stream_without_usage_fits_the_api(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Only OpenAI's chat is to be asked for its usage: a stream of Responses or of messages has no such option."""
    with track(Recorder(), "openai") as call:
        list(call.wrap_stream(world.chat(world.openai, BARE)))
    with track(Recorder(), "anthropic") as call:
        list(call.wrap_stream(iter([{"type": "ping"}])))
    with track(Recorder(), "openai") as call:
        list(call.wrap_stream(iter([{"type": "response.created", "response": {"id": "r", "object": "response"}}])))
    lines = [line for line in caplog.messages if "stream_without_usage" in line]
    assert ["include_usage" in line for line in lines] == [True, False, False]
