"""Raw responses of the providers' own SDKs, sync and async, whole and streamed, against a local server."""

import asyncio
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.unit.producers.adapters.local_api import LocalApi
from tests.unit.producers.provider_server import CUT, serve
from tests.unit.producers.recorder import Recorder, tokens

QUESTION: Any = [{"role": "user", "content": "How much is the tea?"}]
_TLS = ssl.create_default_context()  # making one takes longer than a call
APIS = ("chat", "responses", "messages")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve() as found:
        yield found


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client() as found:
        yield found


def asked(stream: bool) -> dict[str, Any]:
    return {"stream": True} if stream else {}


def async_http() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(verify=_TLS)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def track(recorder: Recorder, api: str) -> Any:
    return recorder.track(
        provider="anthropic" if api == "messages" else "openai",
        model="claude-opus-5" if api == "messages" else "gpt-4o",
    )


def create(
    api: str, address: str, raw: str, http: httpx2.Client | httpx2.AsyncClient, model: str | None = None, **more: Any
) -> Any:
    """A call of the API by one of the SDK's ways to raw responses."""
    asynchronous = isinstance(http, httpx2.AsyncClient)
    kind: Any
    if api == "messages":
        kind = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        messages = kind(base_url=address, api_key="k", max_retries=0, http_client=http).messages
        return getattr(messages, raw).create(model=model or "claude-opus-5", messages=QUESTION, max_tokens=9, **more)
    kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    client = kind(base_url=f"{address}/v1", api_key="k", max_retries=0, http_client=http)
    if api == "chat":
        return getattr(client.chat.completions, raw).create(model=model or "gpt-4o", messages=QUESTION, **more)
    return getattr(client.responses, raw).create(model=model or "gpt-4o", input="?", **more)


READS: dict[str, Callable[[Any], Any]] = {
    "parse": lambda raw: raw.parse(),
    "json": lambda raw: raw.json(),
    "text": lambda raw: raw.text(),
    "read": lambda raw: raw.read(),
    "lines": lambda raw: list(raw.iter_lines()),
    "bytes": lambda raw: list(raw.iter_bytes()),
    "twice": lambda raw: (raw.read(), list(raw.iter_bytes()), raw.parse()),
}
STREAM_READS: dict[str, Callable[[Any], Any]] = {
    "parse": lambda raw: list(raw.parse()),
    "lines": lambda raw: list(raw.iter_lines()),
    "bytes of one": lambda raw: list(raw.iter_bytes(1)),
    "text": lambda raw: list(raw.iter_text()),
}


async def _all(items: Any) -> list[Any]:
    return [item async for item in items]


async def _parsed_stream(raw: Any) -> list[Any]:
    found = raw.parse()
    return await _all(await found if asyncio.iscoroutine(found) else found)


ASYNC_READS: dict[str, Callable[[Any], Any]] = {
    "parse": lambda raw: raw.parse(),
    "json": lambda raw: raw.json(),
    "read": lambda raw: raw.read(),
    "lines": lambda raw: _all(raw.iter_lines()),
}
ASYNC_STREAM_READS: dict[str, Callable[[Any], Any]] = {
    "parse": _parsed_stream,
    "lines": lambda raw: _all(raw.iter_lines()),
    "bytes of one": lambda raw: _all(raw.iter_bytes(1)),
}


def held(recorder: Recorder) -> None:
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (100, 20))
    assert recorder.only.response_id in ("chatcmpl-1", "resp_1", "msg_1")
    assert recorder._counters.keyed()[2] == {}


@pytest.mark.parametrize("taken", ["record", "wrap_stream"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("api", APIS)
def test_a_raw_response(
    recorder: Recorder, address: str, http: httpx2.Client, api: str, stream: bool, taken: str
) -> None:
    """`with_raw_response`, given to either method: the service gets the same object, and the event has the usage."""
    with track(recorder, api) as call:
        raw = create(api, address, "with_raw_response", http, **asked(stream))
        assert getattr(call, taken)(raw) is raw
        found = raw.parse()
        assert not stream or list(found)
    held(recorder)


@pytest.mark.parametrize("taken", ["record", "wrap_stream"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("api", APIS)
def test_an_async_raw_response(recorder: Recorder, address: str, api: str, stream: bool, taken: str) -> None:
    """The same of the async clients, where `parse` may be a coroutine."""

    async def main() -> None:
        async with track(recorder, api) as call, async_http() as http:
            raw = await create(api, address, "with_raw_response", http, **asked(stream))
            assert getattr(call, taken)(raw) is raw
            if stream:
                assert await _parsed_stream(raw)

    asyncio.run(main())
    held(recorder)


@pytest.mark.parametrize("taken", ["record", "wrap_stream", "wrapped manager"])
@pytest.mark.parametrize("way", [*READS, *(f"stream, {way}" for way in STREAM_READS)])
@pytest.mark.parametrize("api", APIS)
def test_a_body_that_is_read_in_parts(
    recorder: Recorder, address: str, http: httpx2.Client, api: str, way: str, taken: str
) -> None:
    """`with_streaming_response`: whatever reads the body, it is recorded once, and the service misses nothing."""
    stream = way.startswith("stream, ")
    read = STREAM_READS[way[len("stream, ") :]] if stream else READS[way]
    with track(recorder, api) as call:
        manager = create(api, address, "with_streaming_response", http, **asked(stream))
        if taken == "wrapped manager":
            with call.wrap_stream(manager) as raw:
                assert read(raw)
        else:
            with manager as raw:
                assert read(getattr(call, taken)(raw))
    held(recorder)


@pytest.mark.parametrize("taken", ["record", "wrapped manager"])
@pytest.mark.parametrize("way", [*ASYNC_READS, *(f"stream, {way}" for way in ASYNC_STREAM_READS)])
@pytest.mark.parametrize("api", APIS)
def test_an_async_body_that_is_read_in_parts(recorder: Recorder, address: str, api: str, way: str, taken: str) -> None:
    """The same of the async clients."""
    stream = way.startswith("stream, ")
    read = ASYNC_STREAM_READS[way[len("stream, ") :]] if stream else ASYNC_READS[way]

    async def main() -> None:
        async with async_http() as http, track(recorder, api) as call:
            manager = create(api, address, "with_streaming_response", http, **asked(stream))
            if taken == "wrapped manager":
                async with call.wrap_stream(manager) as raw:
                    assert await read(raw)
            else:
                async with manager as raw:
                    assert await read(call.record(raw))

    asyncio.run(main())
    held(recorder)


def test_a_raw_body_that_is_left(recorder: Recorder, address: str, http: httpx2.Client) -> None:
    """Nobody reads it: the call is cancelled, and what was paid for is unknown."""
    with track(recorder, "chat") as call, call.wrap_stream(create("chat", address, "with_streaming_response", http)):
        pass
    assert (recorder.only.status, tokens(recorder.only)) == ("cancelled", (None, None))


def test_a_raw_body_that_breaks(recorder: Recorder, address: str, http: httpx2.Client) -> None:
    """The connection ends too early: an error, with the usage known by then."""
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        track(recorder, "messages") as call,
        call.wrap_stream(create("messages", address, "with_streaming_response", http, model=CUT, stream=True)) as raw,
    ):
        list(raw.iter_lines())
    assert recorder.only.status == "error"
    assert tokens(recorder.only)[0] == 100


@pytest.mark.parametrize("kind", ["audio/mpeg", "application/vnd.amazon.eventstream", "application/json"])
def test_a_body_that_cannot_be_understood_is_said(recorder: Recorder, kind: str) -> None:
    """The service gets its bytes; the counter and the log say what to do."""
    answer = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": kind}, content=iter([b"\xff"]))
    )
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=answer))
    with client, track(recorder, "chat") as call:
        more: Any = {"model": "m", "messages": QUESTION}
        with call.wrap_stream(client.chat.completions.with_streaming_response.create(**more)) as raw:
            assert raw.read() == b"\xff"
    assert recorder.only.status == "ok"
    assert recorder._counters.keyed()[2]["unreadable_response"] == 1


@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_events_with_any_line_breaks(recorder: Recorder, line: str) -> None:
    """Server-sent events may end their lines in three ways, split over several lines of data, with comments between."""
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    chunk = json.dumps({"object": "chat.completion.chunk", "id": "c", "choices": [], "usage": usage}, indent=1)
    text = line.join([": ping", *(f"data: {part}" for part in chunk.split("\n")), "", "data: [DONE]", "", ""])
    parts = [text[place : place + 3].encode() for place in range(0, len(text), 3)]
    answer = httpx2.MockTransport(
        lambda _: httpx2.Response(
            200, headers={"content-type": "text/event-stream; charset=utf-8"}, content=iter(parts)
        )
    )
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=answer))
    with client, track(recorder, "chat") as call:
        more: Any = {"model": "m", "messages": QUESTION}
        with call.wrap_stream(client.chat.completions.with_streaming_response.create(**more)) as raw:
            assert b"".join(raw.iter_bytes()).decode() == text
    assert tokens(recorder.only) == (100, 20)


def test_a_stream_that_is_read_by_parse_alone_is_recorded_by_the_decorator(recorder: Recorder) -> None:
    """A function that returns a raw response is tracked to the end of its body."""
    body = {"object": "chat.completion", "id": "c", "usage": {"prompt_tokens": 100, "completion_tokens": 20}}
    with LocalApi(body) as api, openai.OpenAI(base_url=api.url, api_key="k") as client:

        @recorder.track(provider="openai", model="gpt-4o")
        def answer() -> Any:
            return client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)

        assert answer().parse().id == "c"
    assert tokens(recorder.only) == (100, 20)
