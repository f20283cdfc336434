"""Several responses in one block or stream: each is an event, none is counted twice, each with its own status."""

import asyncio
import contextlib
import copy
import pickle
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import cohere
import httpx
import openai
import pytest

from spendstream_schemas import TokenUsage
from tests.unit.producers.provider_server import CHAT_USAGE, CUT, chat, message, response, serve
from tests.unit.producers.recorder import Recorder, tokens

QUESTION: Any = [{"role": "user", "content": "How much is the tea?"}]
OPENAI: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve() as found:
        yield found


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def claude(address: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=address, api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
def gpt(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="k", max_retries=0) as client:
        yield client


def ids(recorder: Recorder) -> list[str | None]:
    return [event.response_id for event in recorder.events]


def counted(recorder: Recorder) -> list[tuple[str, str | None, int | None]]:
    return [(event.status, event.response_id, tokens(event)[1]) for event in recorder.events]


def runner(client: Any, stream: bool, asynchronous: bool = False) -> Any:
    @anthropic.beta_tool
    def price() -> str:
        """The price of tea."""
        return "3"

    @anthropic.beta_async_tool
    async def price_async() -> str:
        """The price of tea."""
        return "3"

    tools: Any = [price_async if asynchronous else price]
    return client.beta.messages.tool_runner(
        model="claude-opus-5", max_tokens=9, tools=tools, messages=QUESTION, stream=stream
    )


@pytest.mark.parametrize("read", ["iterated", "until_done", "decorated"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_that_yields_its_turns(
    recorder: Recorder, claude: anthropic.Anthropic, stream: bool, read: str
) -> None:
    """Anthropic's tool runner, with whole messages and with streams: each turn is an event."""
    tracker = recorder.track(provider="anthropic", model="claude-opus-5", event_id="e")
    if read == "decorated":
        assert len([list(turn) for turn in tracker(lambda: runner(claude, stream))()]) == 2
    else:
        with tracker as call:
            turns = call.wrap_stream(runner(claude, stream))
            if read == "until_done":
                turns.until_done()
            else:
                assert len([list(turn) for turn in turns]) == 2
    assert counted(recorder) == [("ok", "msg_1", 20), ("ok", "msg_2", 20)]
    assert [event.event_id for event in recorder.events] == ["e-1", "e"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_asynchronous_agent(recorder: Recorder, address: str, stream: bool) -> None:
    """As the synchronous one."""

    async def main() -> None:
        client = anthropic.AsyncAnthropic(base_url=address, api_key="k", max_retries=0)
        async with client, recorder.track(provider="anthropic", model="claude-opus-5") as call:
            async for turn in call.wrap_stream(runner(client, stream, asynchronous=True)):
                if stream:
                    assert [event async for event in turn]

    asyncio.run(main())
    assert counted(recorder) == [("ok", "msg_1", 20), ("ok", "msg_2", 20)]


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_lines_of_a_batch(recorder: Recorder, claude: anthropic.Anthropic, wrapped: bool) -> None:
    """Each line is an event, also where the last one failed, whether the whole is wrapped or each is recorded."""
    with recorder.track(provider="anthropic", model="claude-opus-5") as call:
        lines = claude.messages.batches.results("b1")
        for line in call.wrap_stream(lines) if wrapped else lines:
            if not wrapped:
                call.record(line)
    assert counted(recorder) == [("ok", "msg_b1", 20), ("ok", "msg_b2", 20), ("error", None, None)]
    assert {event.service_tier for event in recorder.events} == {"batch"}


def chat_chunks(number: int) -> list[Any]:
    chunk = chat(object="chat.completion.chunk", id=f"r{number}", usage=None)
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": None}
    return [chunk | {"choices": [choice]}, chunk | {"choices": [], "usage": CHAT_USAGE}]


def ended_with_choices(number: int) -> list[Any]:
    first, last = chat_chunks(number)
    return [first, last | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]


def response_chunks(number: int) -> list[Any]:
    whole = response() | {"id": f"r{number}"}
    return [
        {"type": "response.created", "response": whole | {"status": "in_progress", "usage": None}},
        {"type": "response.completed", "response": whole},
    ]


def realtime(number: int) -> list[Any]:
    usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
    whole = {"object": "realtime.response", "id": f"r{number}", "status": "completed", "usage": usage}
    return [{"type": "response.done", "event_id": f"event_{number}", "response": whole}]


def message_chunks(number: int) -> list[Any]:
    return [
        {"type": "message_start", "message": message() | {"id": f"r{number}"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}},
        {"type": "message_stop"},
    ]


def gemini_chunks(number: int) -> list[Any]:
    usage = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
    return [{"responseId": f"r{number}", "modelVersion": "gemini-2.5-flash", "usageMetadata": usage}]


STREAMS: dict[str, tuple[str, Callable[[int], list[Any]]]] = {
    "chat": ("openai", chat_chunks),
    "chat, usage beside the last choice": ("deepseek", ended_with_choices),
    "whole completions": ("openai", lambda number: [chat(id=f"r{number}")]),
    "responses": ("openai", response_chunks),
    "realtime": ("openai", realtime),
    "messages": ("anthropic", message_chunks),
    "gemini": ("google", gemini_chunks),
}


@pytest.mark.parametrize("form", STREAMS)
def test_a_stream_that_carries_three_responses(recorder: Recorder, form: str) -> None:
    """A new id after an end is another response."""
    provider, chunks = STREAMS[form]
    with recorder.track(provider=provider, model="m") as call:
        list(call.wrap_stream(chunk for number in (1, 2, 3) for chunk in chunks(number)))
    assert counted(recorder) == [("ok", "r1", 20), ("ok", "r2", 20), ("ok", "r3", 20)]


def test_converse_streams_without_ids(recorder: Recorder) -> None:
    """Bedrock's begin with `messageStart`."""
    usage = {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12}
    events = [{"messageStart": {"role": "assistant"}}, {"metadata": {"usage": usage}}]
    with recorder.track(provider="aws", model="amazon.nova-pro-v1:0") as call:
        list(call.wrap_stream(iter(events * 2)))
    assert [tokens(event) for event in recorder.events] == [(10, 2), (10, 2)]


def test_chunks_with_an_id_each_are_one_response(recorder: Recorder) -> None:
    """Some gateways make a new id for each chunk, and repeat running totals: no end, no other response."""
    choice = [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]
    chunks = [
        chat(object="chat.completion.chunk", id=f"r{number}", choices=choice, usage=CHAT_USAGE) for number in range(5)
    ]
    with recorder.track(**OPENAI) as call:
        list(call.wrap_stream(iter(chunks)))
    assert tokens(recorder.only) == (100, 20)


def _turn(*ids: str) -> list[dict[str, Any]]:
    """A response in chunks: one without choices, content, the end, usage."""
    content: list[Any] = [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]
    end: list[Any] = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    said = [([], None), (content, CHAT_USAGE), (end, CHAT_USAGE), ([], CHAT_USAGE)]
    return [
        chat(object="chat.completion.chunk", id=id_, choices=choices, usage=usage)
        for id_, (choices, usage) in zip(ids, said, strict=True)
    ]


@pytest.mark.parametrize(
    ("chunks", "responses"),
    [(_turn("a", "a", "a", "a"), 1), (_turn("a", "b", "c", "d"), 1), (_turn(*"aaaa") + _turn(*"bbbb"), 2)],
)
def test_the_usage_behind_the_end_is_of_the_same_response(
    recorder: Recorder, chunks: list[dict[str, Any]], responses: int
) -> None:
    """Whatever its id; a chunk without choices and usage begins one (Azure)."""
    with recorder.track(**OPENAI) as call:
        list(call.wrap_stream(iter(chunks)))
    assert [tokens(event) for event in recorder.events] == [(100, 20)] * responses


@pytest.mark.parametrize("after", [{"error": {"message": "no"}}, {"object": "list", "data": [], "model": "m"}])
def test_what_was_paid_is_not_dropped_for_what_says_nothing(recorder: Recorder, after: dict[str, Any]) -> None:
    """A response without usage or id behind a paid one is a call of its own."""
    with recorder.track(**OPENAI) as call:
        call.record(chat())
        call.record(after)
    assert ids(recorder) == ["chatcmpl-1", None]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_wrapping_a_whole_response_records_it(
    recorder: Recorder, gpt: openai.OpenAI, address: str, asynchronous: bool
) -> None:
    """`stream=flag` where the flag is off: the service gets the response itself, which can be copied and compared."""

    async def main() -> Any:
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="k") as client:
            with recorder.track(**OPENAI) as call:
                return await call.wrap_stream(client.chat.completions.create(model="gpt-4o", messages=QUESTION))

    if asynchronous:
        got = asyncio.run(main())
    else:
        with recorder.track(**OPENAI) as call:
            whole = gpt.chat.completions.create(model="gpt-4o", messages=QUESTION)
            got = call.wrap_stream(whole)
            assert got is whole
    assert pickle.loads(pickle.dumps(got)) == got == copy.deepcopy(got)
    assert counted(recorder) == [("ok", "chatcmpl-1", 20)]


@pytest.mark.parametrize("given", [chat(), [chat()], (chat(),), [chat_chunks(1)[1] | {"id": "chatcmpl-1"}]])
def test_wrapping_plain_data_records_it(recorder: Recorder, given: Any) -> None:
    """A dict, a list or tuple of responses or chunks: the service gets the same object."""
    with recorder.track(**OPENAI) as call:
        assert call.wrap_stream(given) is given
    assert counted(recorder) == [("ok", "chatcmpl-1", 20)]


@pytest.mark.parametrize("given", ["text", b"text", [], {}])
def test_wrapping_what_says_nothing_changes_nothing(recorder: Recorder, given: Any) -> None:
    """The service gets what it passed; the call has its event."""
    with recorder.track(**OPENAI) as call:
        assert call.wrap_stream(given) is given
    assert tokens(recorder.only) == (None, None)


@pytest.mark.parametrize("place", ["stream", "body"])
@pytest.mark.parametrize("decorated", [False, True])
def test_the_stream_in_a_dict_of_boto3(recorder: Recorder, place: str, decorated: bool) -> None:
    """`converse_stream` has it in `stream`, `invoke_model_with_response_stream` in `body`; it has `__iter__` only."""
    usage = {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12}
    answer = {place: _Events([{"metadata": {"usage": usage}}]), "ResponseMetadata": {}}
    tracker = recorder.track(provider="aws", model="amazon.nova-pro-v1:0")
    if decorated:
        got: Any = tracker(lambda: answer)()
        assert len(list(got[place])) == 1
    else:
        with tracker as call:
            got = call.wrap_stream(answer)
            assert len(list(got[place])) == 1
    assert got["ResponseMetadata"] == {}
    assert (recorder.only.status, tokens(recorder.only)) == ("ok", (10, 2))


class _Events:
    """As botocore's EventStream: `__iter__` is a generator, and `close` gives the connection back."""

    def __init__(self, events: list[Any]) -> None:
        self.events = events
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        yield from self.events

    def close(self) -> None:
        self.closed = True


class _AsyncEvents:
    def __init__(self, events: list[Any]) -> None:
        self.events = events
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self.events:
            yield event

    async def close(self) -> None:
        self.closed = True


def test_a_stream_that_is_left_gives_its_connection_back(recorder: Recorder) -> None:
    """Not only the generator that reads it is closed."""
    events, later = _Events(chat_chunks(1)), _AsyncEvents(chat_chunks(2))

    async def main() -> None:
        async with recorder.track(**OPENAI) as call, call.wrap_stream(later) as stream:
            async for _ in stream:
                break

    with recorder.track(**OPENAI) as call, call.wrap_stream(events) as stream:
        next(stream)
    asyncio.run(main())
    assert (events.closed, later.closed) == (True, True)


def test_a_decorated_function_that_returns_what_only_iterates(recorder: Recorder) -> None:
    """It is a stream, and no response."""
    assert len(list(recorder.track(**OPENAI)(lambda: _Events(chat_chunks(1)))())) == 2
    assert counted(recorder) == [("ok", "r1", 20)]


def test_a_decorated_function_that_returns_a_file(recorder: Recorder, tmp_path: Any) -> None:
    """It is itself, and the call is not cancelled."""
    path = tmp_path / "answer"
    path.write_text("x")
    with recorder.track(**OPENAI)(path.open)() as file:
        assert type(file).__module__ == "_io"
    assert recorder.only.status == "ok"


@pytest.mark.parametrize("given", [uuid.UUID(int=7), 5, b"x"])
def test_an_id_that_is_no_text(recorder: Recorder, given: Any) -> None:
    """A UUID is taken as its text; anything else is counted and replaced. No count is lost for it."""
    with recorder.track(**OPENAI, event_id=given) as call:
        call.record(chat(id="r1"))
        call.record(chat(id="r2"))
    assert ids(recorder) == ["r1", "r2"]
    if isinstance(given, uuid.UUID):
        assert [event.event_id for event in recorder.events] == [f"{given}-1", str(given)]
    else:
        assert recorder._counters.keyed()[2] == {"invalid_fields": 1}


def test_streams_that_threads_open_in_one_block(recorder: Recorder) -> None:
    """Each has an event id of its own."""
    with recorder.track(**OPENAI) as call, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: list(call.wrap_stream(iter(chat_chunks(number)))), range(300)))
    assert sorted(str(found) for found in ids(recorder)) == sorted(f"r{number}" for number in range(300))
    assert len({event.event_id for event in recorder.events}) == 300


@pytest.mark.parametrize("ends", ["before", "after"])
def test_what_is_said_later_counts_for_all_streams_of_the_block(recorder: Recorder, ends: str) -> None:
    """Region, tier and attribution move the price: they hold for each call of the block, also for one that ended."""
    with recorder.track(**OPENAI) as call:
        one, other = call.wrap_stream(iter(chat_chunks(1))), call.wrap_stream(iter(chat_chunks(2)))
        if ends == "before":
            list(other)
        call.set(region="westeurope", service_tier="priority")
        call.attribute(feature="f")
        list(one)
        list(other)
    found = {(event.region, event.service_tier, event.attribution.feature) for event in recorder.events}
    assert (len(recorder.events), found) == (2, {("westeurope", "priority", "f")})


def test_streams_at_once_and_their_final_responses(recorder: Recorder) -> None:
    """Each counts once, though it is read and recorded."""
    with recorder.track(**OPENAI) as call:
        open_now = [call.wrap_stream(iter(chat_chunks(number))) for number in (1, 2, 3)]
        for stream in open_now:
            list(stream)
        for number in (1, 2, 3):
            call.record(chat(id=f"r{number}"))
    assert sorted(str(found) for found in ids(recorder)) == ["r1", "r2", "r3"]


def test_a_raw_response_and_its_parsed_stream(recorder: Recorder, gpt: openai.OpenAI) -> None:
    """Recorded and wrapped, it counts once."""
    with recorder.track(**OPENAI) as call:
        raw = gpt.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        call.record(raw)
        assert list(call.wrap_stream(raw.parse()))
    assert counted(recorder) == [("ok", "chatcmpl-1", 20)]


def test_the_final_response_of_a_stream_without_its_id(recorder: Recorder) -> None:
    """With equal usage it is the same call."""
    with recorder.track(**OPENAI) as call:
        list(call.wrap_stream(iter(chat_chunks(1))))
        call.record({name: value for name, value in chat().items() if name != "id"})
    assert len(recorder.events) == 1


@pytest.mark.parametrize("way", ["fails", "closed"])
@pytest.mark.parametrize("fallback", ["whole", "stream"])
def test_a_fallback_does_not_take_the_status_of_what_failed(
    recorder: Recorder, claude: anthropic.Anthropic, way: str, fallback: str
) -> None:
    """The failed call has its event with its status, the one that followed is well."""
    with recorder.track(provider="anthropic", model="claude-opus-5") as call:
        with contextlib.suppress(anthropic.APIError, httpx.HTTPError, Exception):
            model = CUT if way == "fails" else "claude-opus-5"
            stream = call.wrap_stream(claude.messages.create(model=model, messages=QUESTION, max_tokens=9, stream=True))
            for number, _ in enumerate(stream):
                if way == "closed" and number == 3:
                    stream.close()
                    break
        if fallback == "whole":
            call.record(message(output_tokens=20) | {"id": "msg_2", "stop_reason": "end_turn"})
        else:
            list(call.wrap_stream(iter(message_chunks(2))))
    assert [event.status for event in recorder.events] == ["error" if way == "fails" else "cancelled", "ok"]
    assert tokens(recorder.events[1])[1] == 20


def test_a_stream_that_is_forgotten_after_its_end_does_not_end_the_next_one(recorder: Recorder) -> None:
    """`stream = call.wrap_stream(...)` twice: the first stand-in goes when the second is there."""
    with recorder.track(**OPENAI) as call:
        for number in (1, 2):
            stream = call.wrap_stream(iter(chat_chunks(number)))
            list(stream)
    assert counted(recorder) == [("ok", "r1", 20), ("ok", "r2", 20)]


def test_what_comes_after_the_block_is_counted(recorder: Recorder) -> None:
    """It changes nothing any more, and says so."""
    with recorder.track(**OPENAI) as call:
        call.record(chat())
    call.record(chat(id="late"))
    call.set(region="eu")
    call.attribute(feature="f")
    call.record_usage(TokenUsage(kind="tokens", input_tokens=1))
    stream = iter(chat_chunks(1))
    assert call.wrap_stream(stream) is stream
    assert len(recorder.events) == 1
    assert recorder._counters.keyed()[2] == {"recorded_too_late": 5}


def test_usage_that_is_stated_twice(recorder: Recorder) -> None:
    """The last counts; that the one before does not is counted, unless it was equal."""
    with recorder.track(**OPENAI) as call:
        for count in (1, 1, 2):
            call.record_usage(TokenUsage(kind="tokens", input_tokens=count))
    assert tokens(recorder.only) == (2, None)
    assert recorder._counters.keyed()[2] == {"recorded_again": 1}


def _cohere(request: httpx.Request) -> httpx.Response:
    usage = {"billed_units": {"input_tokens": 100, "output_tokens": 20}, "tokens": {}}
    usage["tokens"] = usage["billed_units"]
    if b'"stream":true' in request.content.replace(b" ", b""):
        end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}}
        events = [{"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}}, end]
        text = "".join(f"event: {event['type']}\ndata: {_json(event)}\n\n" for event in events)
        return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})
    whole = {"id": "c1", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": []}, "usage": usage}
    return httpx.Response(200, json=whole)


def _json(value: object) -> str:
    return httpx.Response(200, json=value).text


@pytest.mark.parametrize("streamed", [False, True])
def test_raw_responses_of_cohere(recorder: Recorder, streamed: bool) -> None:
    """They hold what was parsed, or the stream, as `data`."""
    client = cohere.ClientV2("k", httpx_client=httpx.Client(transport=httpx.MockTransport(_cohere)))
    asked: Any = {"model": "command-a-03-2025", "messages": QUESTION}
    with recorder.track(provider="cohere", model="command-a-03-2025") as call:
        if streamed:
            with call.wrap_stream(client.with_raw_response.chat_stream(**asked)) as raw:
                assert len(list(raw.data)) == 2
        else:
            assert call.record(client.with_raw_response.chat(**asked)).data.id == "c1"
    assert counted(recorder) == [("ok", "c1", 20)]


def test_long_ids_that_begin_alike_stay_apart(recorder: Recorder) -> None:
    """The ids of a block's other calls are made of its own; those of two blocks must not meet, or one is dropped."""
    for ending in ("x", "y"):
        with recorder.track(**OPENAI, event_id="e" * 125 + ending) as call:
            for number in range(3):
                call.record(chat() | {"id": f"{ending}{number}"})
    found = [event.event_id for event in recorder.events]
    assert len(set(found)) == 6
    assert max(len(one) for one in found) <= 128


def test_what_was_paid_is_not_unsaid(recorder: Recorder) -> None:
    """The same response without usage (deleted, cancelled) and a call of another kind take nothing away."""
    with recorder.track(**OPENAI) as call:
        call.record(response())
        call.record({"object": "response", "id": response()["id"], "status": "cancelled", "model": "gpt-4o"})
    first = recorder.events.pop()
    assert (first.status, tokens(first)) == ("cancelled", tokens_of(response()))
    with recorder.track(**OPENAI) as call:
        call.record({key: value for key, value in chat().items() if key != "usage"})
        call.record({"object": "list", "data": [], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 30}})
    assert [(event.operation, event.usage.kind) for event in recorder.events] == [
        ("chat", "tokens"),
        ("embeddings", "tokens"),
    ]
    assert tokens(recorder.events[1]) == (30, None)


def tokens_of(body: dict[str, Any]) -> tuple[int, int]:
    return body["usage"]["input_tokens"], body["usage"]["output_tokens"]
